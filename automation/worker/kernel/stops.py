"""Where the stop stands and where the position is liquidated.

Mirrors: persistence/trade_model.py (adjust_stop_loss), strategy/interface.py (ft_stoploss_adjust),
exchange/exchange.py and exchange/binance.py (liquidation). `m` is a MARKET, `r` the RULES, `t` a
POSITION, `a` the ACCOUNT.
"""

import math

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.exact import ceil_steps, floor_steps, round_steps, whole_units
from automation.worker.kernel.layout import Ints, Record, Records
from automation.worker.kernel.policy import policy_stop
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import (
    coins,
    open_rate,
    profit_ratio,
    profit_ratio_between_ticks,
)


@inner
def stop_on_tick(m: Record, t: Record, rate: float) -> float:
    """Return `rate` on the tick, rounded towards the price."""
    if not ON.stop_rounding:
        return rate
    unit = m["price_unit"]
    if t["is_short"]:
        return float(floor_steps(rate, t["tick"], unit)) / unit
    return float(ceil_steps(rate, t["tick"], unit)) / unit


@inner
def adjust_stop(
    m: Record, t: Record, rate: float, frac: float, initial: bool, refresh: bool
) -> None:
    """Move the stop to `frac` of the margin from `rate`, if that is tighter or `refresh`."""
    if initial and t["stop"] != 0.0:
        return
    short = t["is_short"]
    distance = abs(frac / t["leverage"])
    stop = stop_on_tick(m, t, rate * (1.0 + distance) if short else rate * (1.0 - distance))
    if math.isnan(t["initial_frac"]):
        set_stop(t, stop, frac)
        t["initial_stop"] = stop
        t["initial_frac"] = -abs(frac)
        return
    tighter = stop < t["stop"] if short else stop > t["stop"]
    if not ON.stop_ratchet:
        tighter = stop != t["stop"]
    if refresh or tighter:
        if not refresh:
            t["is_trailing"] = True
        set_stop(t, stop, frac)


@inner
def set_stop(t: Record, stop: float, frac: float) -> None:
    """Set the stop; the first one is remembered."""
    if t["stop"] == 0.0:
        t["initial_stop"] = stop
    t["stop"] = stop
    t["stop_frac"] = -abs(frac)


@inner
def move_stop(m: Record, r: Record, t: Record, best: float, adverse: float, filling: bool) -> None:
    """Let custom stop and trailing move the stop by the candle's best price.

    `adverse` is the candle's other extreme: a stop that it has reached does not move any more.
    With `filling` both are the fill's price, and a custom stop may widen.
    """
    frac = r["stoploss"]
    adjust_stop(m, t, open_rate(m, t), frac, True, False)
    free = adverse < t["stop"] if t["is_short"] else adverse > t["stop"]
    if ON.adverse_extreme_guard and not free:
        return
    if r["pack_stop"]:
        answer = policy_stop(r, t, best, open_rate(m, t))
        if answer != 0.0 and math.isfinite(answer):
            frac = answer
            adjust_stop(m, t, best, frac, False, filling)
    if r["trailing_stop"]:
        trail(m, r, t, best, frac)


@inner
def trail(m: Record, r: Record, t: Record, best: float, frac: float) -> None:
    """Trail the stop behind `best` by `frac` or, past the offset, by the positive distance."""
    price = whole_units(best, m["price_unit"])
    if float(price) / m["price_unit"] == best or not ON.decimal_value:
        profit = profit_ratio(m, t, price)
    else:
        profit = profit_ratio_between_ticks(m, t, best)
    if ON.trailing_offset and r["trailing_only_offset"] and profit < r["trailing_offset"]:
        return
    if not math.isnan(r["trailing_positive"]) and profit > r["trailing_offset"]:
        frac = r["trailing_positive"]
    adjust_stop(m, t, best, frac, False, False)


@inner
def tier_of(m: Record, tiers: Records, p: int, stake: float) -> int:
    """Return the tier whose floor `stake` reaches (Freqtrade compares the stake, not the notional)."""
    if ON.liquidation_tiers:
        for k in range(m["tiers"] - 1, -1, -1):
            if stake >= tiers[p, k]["floor"]:
                return k
    return 0


@inner
def set_liquidation(
    m: Record, r: Record, tier: Record, t: Record, balance: float, others: float
) -> None:
    """Set the liquidation price, drawn towards the entry by the buffer."""
    side = -1.0 if t["is_short"] else 1.0
    amount = coins(m, t)
    rate = open_rate(m, t)
    price = (balance + others + tier["amount"] - side * amount * rate) / (
        amount * tier["rate"] - side * amount
    )
    if ON.liquidation_buffer:
        buffer = abs(rate - price) * r["liquidation_buffer"]
        price = price - buffer if t["is_short"] else price + buffer
    unit = m["price_unit"]
    t["liquidation"] = float(round_steps(max(price, 0.0), t["tick"], unit)) / unit


@inner
def update_liquidation(
    markets: Records, tiers: Records, r: Record, book: Records, queue: Ints, a: Record, p: int
) -> None:
    """Set the liquidation price of pair `p`, in cross margin of every open position."""
    if not ON.liquidation:
        return
    if not r["is_cross"]:
        stake = book[p]["stake"]
        tier = tiers[p, tier_of(markets[p], tiers, p, stake)]
        set_liquidation(markets[p], r, tier, book[p], stake, 0.0)
        return
    for k in range(a["open"]):
        q = queue[k]
        if book[q]["has_position"]:
            tier = tiers[q, tier_of(markets[q], tiers, q, book[q]["stake"])]
            others = 0.0 - maintenance_of_others(markets, tiers, book, queue, a, q)
            set_liquidation(markets[q], r, tier, book[q], a["collateral"], others)


@inner
def maintenance_of_others(
    markets: Records, tiers: Records, book: Records, queue: Ints, a: Record, p: int
) -> float:
    """Return the maintenance margin of all open trades but that of `p`, at their open rates."""
    total = 0.0
    if not ON.cross_margin:
        return total
    for k in range(a["open"]):
        q = queue[k]
        if q != p:
            m, t = markets[q], book[q]
            tier = tiers[q, tier_of(m, tiers, q, t["stake"])]
            held = coins(m, t) if t["has_position"] else 0.0
            total += held * open_rate(m, t) * tier["rate"] - tier["amount"]
    return total
