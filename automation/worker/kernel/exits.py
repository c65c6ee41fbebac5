"""Leaving: which reasons hold, and where the exit order is placed.

Mirrors: strategy/interface.py (should_exit, ft_stoploss_reached, min_roi_reached_entry),
optimize/backtesting.py (_get_close_rate*, _get_exit_for_signal, _exit_trade). `m` is a MARKET, `r`
the RULES, `t` a POSITION, `c` a CANDLE, `a` the ACCOUNT.
"""

import math

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.exact import round_steps, whole_units
from automation.worker.kernel.layout import (
    ENTER_LONG,
    ENTER_SHORT,
    ENTRY_ORDER,
    EXIT_LONG,
    EXIT_ORDER,
    EXIT_SHORT,
    EXIT_SIGNAL,
    LIQUIDATION,
    ROI,
    STOP_LOSS,
    TRAILING_STOP,
    Floats,
    Ints,
    Record,
)
from automation.worker.kernel.policy import NONE, policy_exit
from automation.worker.kernel.stops import move_stop
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import open_rate, profit_ratio, roi_rate, update_funding


@inner
def minutes_open(r: Record, t: Record, i: int) -> int:
    """Return the trade's age at the start of candle `i`, in whole minutes."""
    return (i - t["opened"]) * r["candle_s"] // 60


@inner
def roi_step(roi_minutes: Ints, minutes: int) -> int:
    """Return which ROI step is in force after `minutes`; -1 where none is."""
    step = NONE
    for k in range(roi_minutes.size):
        if roi_minutes[k] <= minutes:
            step = k
    return step


@inner
def pay_funding(m: Record, r: Record, funding: Floats, t: Record, c: Record, i: int) -> None:
    """Bring the funding up to candle `i` where that stands on Freqtrade's interval."""
    if (r["start_s"] + i * r["candle_s"]) % r["funding_s"] == 0:
        update_funding(m, r, funding, t, c)


@inner
def check_exit(
    m: Record,
    r: Record,
    roi_minutes: Ints,
    roi_profit: Floats,
    t: Record,
    a: Record,
    c: Record,
    bits: int,
    i: int,
) -> None:
    """Place an exit order if a reason to leave holds; the first whose price is accepted wins."""
    short = t["is_short"]
    best = c["low"] if short else c["high"]
    adverse = c["high"] if short else c["low"]
    watch_extremes(m, t, c)
    if ON.stop_moves_first:
        move_stop(m, r, t, best, adverse, False)
    stop = stop_reason(t, adverse)
    enters = bits & (ENTER_SHORT if short else ENTER_LONG) != 0
    exits = bits & (EXIT_SHORT if short else EXIT_LONG) != 0
    step = roi_step(roi_minutes, minutes_open(r, t, i))
    roi = roi_reached(m, r, roi_profit, t, step, best, enters)
    signal = exit_asked(m, r, t, a, c, enters, exits, i)
    if ON.exit_signal_first and signal != NONE and place_signal(m, r, t, a, c, i, signal):
        return
    if stop in (STOP_LOSS, LIQUIDATION) and place_stop(m, r, t, a, c, i, stop):
        return
    if roi and place_roi(m, r, roi_minutes[step], roi_profit[step], t, a, c, i):
        return
    if stop == TRAILING_STOP and place_stop(m, r, t, a, c, i, stop):
        return
    if signal != NONE and not ON.exit_signal_first:
        place_signal(m, r, t, a, c, i, signal)


@inner
def watch_extremes(m: Record, t: Record, c: Record) -> None:
    """Remember the highest and lowest price of the trade."""
    rate = open_rate(m, t)
    t["highest"] = max(c["high"], t["highest"] if t["highest"] != 0.0 else rate)
    t["lowest"] = min(c["low"], t["lowest"] if t["lowest"] != 0.0 else rate)


@inner
def stop_reason(t: Record, adverse: float) -> int:
    """Return STOP_LOSS, TRAILING_STOP or LIQUIDATION if the candle reaches it, else -1."""
    short = t["is_short"]
    stop, liquidation = t["stop"], t["liquidation"]
    if (stop <= adverse) if short else (stop >= adverse):
        return TRAILING_STOP if t["is_trailing"] else STOP_LOSS
    if liquidation != 0.0 and ((liquidation <= adverse) if short else (liquidation >= adverse)):
        return LIQUIDATION
    return NONE


@inner
def roi_reached(
    m: Record, r: Record, roi_profit: Floats, t: Record, step: int, best: float, enters: bool
) -> bool:
    """Tell whether the best price pays more than the ROI step in force."""
    if step == NONE or (enters and r["ignore_roi_beside_entry"]):
        return False
    return profit_ratio(m, t, whole_units(best, m["price_unit"])) > roi_profit[step]


@inner
def exit_asked(
    m: Record, r: Record, t: Record, a: Record, c: Record, enters: bool, exits: bool, i: int
) -> int:
    """Return why the strategy asks to leave, by signal or by custom_exit; -1 if it does not."""
    if not r["use_exit_signal"]:
        return NONE
    if not exits or (enters and ON.entry_holds_exit):
        return policy_exit(m, r, t, a, c["open"], i) if r["pack"] else NONE
    if not r["exit_profit_only"] or not ON.exit_profit_only:
        return EXIT_SIGNAL
    price = whole_units(c["open"], m["price_unit"])
    return EXIT_SIGNAL if profit_ratio(m, t, price) > r["exit_profit_offset"] else NONE


@inner
def place_signal(
    m: Record, r: Record, t: Record, a: Record, c: Record, i: int, reason: int
) -> bool:
    """Leave as the strategy asks: at the open, kept to the candle's good side for a limit order."""
    rate = c["open"]
    if r["limit_exit"]:
        rate = min(rate, c["high"]) if t["is_short"] else max(rate, c["low"])
    t["reason"], t["reason_candle"] = reason, i
    return place_order(m, t, a, i, rate)


@inner
def place_stop(m: Record, r: Record, t: Record, a: Record, c: Record, i: int, reason: int) -> bool:
    """Leave by stop, trailing stop or liquidation."""
    stop = t["liquidation"] if reason == LIQUIDATION else t["stop"]
    gapped = stop < c["low"] if t["is_short"] else stop > c["high"]
    entered_now = minutes_open(r, t, i) == 0
    if gapped and ON.stop_gap:
        rate = c["open"]
    elif reason == TRAILING_STOP and entered_now and ON.trailing_entry_candle:
        rate = trailing_entry_rate(r, t, c)
    else:
        rate = stop
    t["reason"], t["reason_candle"] = reason, i
    return place_order(m, t, a, i, rate)


@inner
def trailing_entry_rate(r: Record, t: Record, c: Record) -> float:
    """Return the worst price of a trailing stop on its entry candle: up just enough, then down."""
    side = -1.0 if t["is_short"] else 1.0
    positive = r["trailing_positive"]
    offset_arms = r["trailing_stop"] and r["trailing_only_offset"] and not r["uses_custom_stop"]
    if offset_arms and not math.isnan(positive) and positive != 0.0:
        way = 1.0 + side * abs(r["trailing_offset"]) - side * abs(positive / t["leverage"])
    else:
        way = 1.0 - side * abs(t["stop_frac"] / t["leverage"])
    rate = c["open"] * way
    return min(c["high"], rate) if t["is_short"] else max(c["low"], rate)


@inner
def place_roi(
    m: Record, r: Record, at: int, target: float, t: Record, a: Record, c: Record, i: int
) -> bool:
    """Leave by ROI, unless this is an entry candle that cannot have paid it."""
    rate = roi_exit_rate(m, r, at, target, t, c, i)
    if math.isnan(rate):
        return False
    t["reason"], t["reason_candle"] = ROI, i
    return place_order(m, t, a, i, rate)


@inner
def roi_exit_rate(
    m: Record, r: Record, at: int, target: float, t: Record, c: Record, i: int
) -> float:
    """Return the price of the ROI step that began after `at` minutes; NaN where it is refused."""
    minutes = minutes_open(r, t, i)
    on_open = at % (r["candle_s"] // 60) == 0
    if target == -1.0 and on_open and ON.roi_force:
        return c["open"]
    rate = roi_rate(m, t, target)
    better = c["open"] < rate if t["is_short"] else c["open"] > rate
    if minutes > 0 and minutes == at and on_open and better and ON.roi_new_step:
        return c["open"]
    if minutes == 0 and against_entry(m, t, c, rate) and ON.roi_entry_candle:
        return math.nan
    return min(max(rate, c["low"]), c["high"]) if ON.roi_clamp else rate


@inner
def against_entry(m: Record, t: Record, c: Record, rate: float) -> bool:
    """Tell whether an entry candle closed against the trade, short of `rate`, past its entry."""
    entered = open_rate(m, t)
    if t["is_short"]:
        return c["open"] < c["close"] and entered > c["open"] and rate < c["close"]
    return c["open"] > c["close"] and entered < c["open"] and rate > c["close"]


@inner
def place_order(m: Record, t: Record, a: Record, i: int, rate: float) -> bool:
    """Put an exit order in the book; False where one at the same price is there already."""
    unit = m["price_unit"]
    price = round_steps(rate, t["tick"], unit) if ON.exit_rounding else int(rate * unit)
    rate = float(price) / unit
    if t["order"] == EXIT_ORDER:
        if t["order_rate"] == rate:
            return False
        a["canceled_exits"] += 1
    elif t["order"] == ENTRY_ORDER:
        a["canceled_entries"] += 1
    t["order"], t["order_rate"], t["order_placed"] = EXIT_ORDER, rate, i
    return True
