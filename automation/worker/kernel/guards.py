"""Protections: what they find among the closed trades, and the locks they set.

Mirrors: plugins/protections/*, plugins/protectionmanager.py, persistence/pairlock_middleware.py,
data/metrics.py (calculate_max_drawdown). Trades are closed in the order of time, so a look-back is
a run at the end of the list. `r` is the RULES, `g` a GUARD, `a` the ACCOUNT.
"""

import numpy as np

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.layout import (
    BOTH,
    COOLDOWN,
    LIQUIDATION,
    LONG,
    LOW_PROFIT,
    MAX_DRAWDOWN,
    OUT_OF_RANGE,
    SHORT,
    STOP_LOSS,
    STOPLOSS_GUARD,
    TRAILING_STOP,
    Ints,
    Record,
    Records,
)
from automation.worker.kernel.ordering import close_order
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import add_kept

ALL_PAIRS = -1
NEVER = -1
DAY_S = 86400


@inner
def candle_time(r: Record, i: int) -> int:
    """Return the start of candle `i` in epoch seconds."""
    return r["start_s"] + i * r["candle_s"]


@inner
def is_locked(locks: Ints, p: int, at: int, side: int) -> bool:
    """Tell whether pair `p` or all pairs are locked for `side` at time `at`."""
    if not ON.locks:
        return False
    everywhere = locks.shape[0] - 1
    row = everywhere if p == ALL_PAIRS else p
    end = max(locks[row, BOTH], locks[everywhere, BOTH])
    if side != BOTH:
        end = max(end, locks[row, side], locks[everywhere, side])
    return end > at


@inner
def lock(r: Record, locks: Ints, p: int, until: int, side: int) -> None:
    """Lock pair `p` (-1: all) to the end of the candle that holds `until`, if not locked then."""
    if until == NEVER or is_locked(locks, p, until, side):
        return
    end = until - until % r["candle_s"] + r["candle_s"] if ON.lock_rounding else until
    row = locks.shape[0] - 1 if p == ALL_PAIRS else p
    locks[row, side] = max(locks[row, side], end)


@inner
def run_guards(
    r: Record, guards: Records, a: Record, locks: Ints, trades: Records, p: int, i: int, short: bool
) -> None:
    """Run the protections after pair `p` closed a trade on candle `i`: for the pair, then for all."""
    now = candle_time(r, i)
    for k in range(guards.size):
        g = guards[k]
        if g["kind"] != MAX_DRAWDOWN:
            lock(r, locks, p, found_by(r, g, a, trades, p, now, short), lock_side(g, short))
    for k in range(guards.size):
        g = guards[k]
        everywhere = g["kind"] == STOPLOSS_GUARD and not g["per_pair_only"]
        if g["kind"] == MAX_DRAWDOWN or everywhere:
            until = found_by(r, g, a, trades, ALL_PAIRS, now, short)
            lock(r, locks, ALL_PAIRS, until, lock_side(g, short))


@inner
def lock_side(g: Record, short: bool) -> int:
    """Return the side that a lock of this protection concerns."""
    by_side = g["kind"] == STOPLOSS_GUARD or g["kind"] == LOW_PROFIT
    if not (by_side and g["per_side"] and ON.lock_sides):
        return BOTH
    return SHORT if short else LONG


@inner
def found_by(
    r: Record, g: Record, a: Record, trades: Records, p: int, now: int, short: bool
) -> int:
    """Return until when the protection locks, or -1."""
    end = a["trades"]
    begin = end
    since = now - g["lookback_s"]
    while begin > 0 and candle_time(r, trades[begin - 1]["closed"]) > since:
        begin -= 1
    if g["kind"] == COOLDOWN:
        closed = cooldown(trades, p, begin, end)
    elif g["kind"] == STOPLOSS_GUARD:
        closed = stoploss_guard(g, trades, p, begin, end, short)
    elif g["kind"] == LOW_PROFIT:
        closed = low_profit(g, trades, p, begin, end, short)
    else:
        closed = max_drawdown(g, a, trades, begin, end)
    return NEVER if closed == NEVER else lock_until(g, candle_time(r, closed))


@inner
def lock_until(g: Record, at: int) -> int:
    """Return when a lock ends that is counted from a close at time `at`."""
    if g["unlock_s"] < 0:
        return at + g["stop_s"]
    until = at - at % DAY_S + g["unlock_s"] + at % 60
    return until + DAY_S if until < at else until


@inner
def cooldown(trades: Records, p: int, begin: int, end: int) -> int:
    """CooldownPeriod: return the candle of the pair's last close in the look-back, or -1."""
    for k in range(end - 1, begin - 1, -1):
        if trades[k]["pair"] == p:
            return trades[k]["closed"]
    return NEVER


@inner
def stoploss_guard(g: Record, trades: Records, p: int, begin: int, end: int, short: bool) -> int:
    """StoplossGuard: return the candle of the last of enough losing stops (`p` -1: of all pairs)."""
    found = 0
    latest = NEVER
    for k in range(begin, end):
        trade = trades[k]
        reason = trade["reason"]
        stopped = reason in (STOP_LOSS, TRAILING_STOP, LIQUIDATION)
        lost = trade["profit_ratio"] != 0.0 and trade["profit_ratio"] < g["profit_limit"]
        ours = p == ALL_PAIRS or trade["pair"] == p
        same_side = not g["per_side"] or trade["is_short"] == short
        if stopped and lost and ours and same_side:
            found += 1
            latest = trade["closed"]
    return NEVER if found < g["trade_limit"] else latest


@inner
def low_profit(g: Record, trades: Records, p: int, begin: int, end: int, short: bool) -> int:
    """LowProfitPairs: return the candle of the last close if the pair's profit is too low, or -1."""
    found = 0
    latest = NEVER
    total = 0.0
    error = 0.0
    for k in range(begin, end):
        trade = trades[k]
        if trade["pair"] == p:
            found += 1
            latest = trade["closed"]
            if not g["per_side"] or trade["is_short"] == short:
                total, error = add_kept(total, error, trade["profit_ratio"])
    if g["compensated_sum"]:
        total += error
    return latest if found >= g["trade_limit"] and total < g["profit_limit"] else NEVER


@inner
def max_drawdown(g: Record, a: Record, trades: Records, begin: int, end: int) -> int:
    """MaxDrawdown: return the candle of the last close if the look-back fell too deep, or -1.

    Freqtrade sorts the trades by their close with numpy's quicksort, which puts trades of one
    candle in an order of its own; `close_order` puts them in the same.
    """
    if end - begin < g["trade_limit"] or end == begin:
        return NEVER
    order = np.arange(begin, end)
    if not close_order(trades, order):
        a["status"] = OUT_OF_RANGE
        return NEVER
    if g["by_equity"]:
        start = g["start_balance"] + profit_before(g, trades, begin)
        drawdown = equity_drawdown(trades, order, start)
    else:
        drawdown = ratio_drawdown(trades, order)
    return trades[end - 1]["closed"] if drawdown > g["drawdown_limit"] else NEVER


@inner
def ratio_drawdown(trades: Records, order: Ints) -> float:
    """Return the deepest fall of the sum of profit ratios below its peak."""
    total = 0.0
    peak = 0.0
    deepest = 0.0
    for k in order:
        total += trades[k]["profit_ratio"]
        peak = max(peak, total)
        deepest = min(deepest, total - peak)
    return abs(deepest)


@inner
def equity_drawdown(trades: Records, order: Ints, start: float) -> float:
    """Return the deepest fall of the equity below its peak, as a fraction of the peak."""
    total = 0.0
    peak = 0.0
    deepest = 0.0
    for k in order:
        total += trades[k]["profit_abs"]
        peak = max(peak, total)
        if start != 0.0:
            fall = ((start + peak) - (start + total)) / (start + peak)
        else:
            fall = (peak - total) / peak
        deepest = max(deepest, fall)
    return deepest


@inner
def profit_before(g: Record, trades: Records, begin: int) -> float:
    """Return the profit of the trades before the look-back."""
    total = 0.0
    error = 0.0
    for k in range(begin):
        total, error = add_kept(total, error, trades[k]["profit_abs"])
    return total + error if g["compensated_sum"] else total
