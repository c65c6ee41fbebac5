"""Entering: the order, its amount, its fill.

Mirrors: optimize/backtesting.py (_enter_trade, _try_close_open_order), persistence/trade_model.py
(close_bt_order, recalc_trade_from_orders). `m` is a MARKET, `r` the RULES, `t` a POSITION, `c` a
CANDLE, `a` the ACCOUNT.
"""

import math

from automation.worker.kernel.compiled import compiled
from automation.worker.kernel.exact import (
    HIGHEST_PRODUCT,
    floor_steps,
    round_steps,
    whole_units,
)
from automation.worker.kernel.layout import (
    ENTRY_ORDER,
    NO_ORDER,
    OUT_OF_RANGE,
    Floats,
    Ints,
    Record,
    Records,
)
from automation.worker.kernel.policy import policy_confirms
from automation.worker.kernel.sizes import sized
from automation.worker.kernel.stops import adjust_stop, move_stop, update_liquidation
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import (
    notional,
    open_rate,
    tied_up,
    update_funding,
    update_wallet,
    value_with_fee,
)


@compiled
def entry_rate(r: Record, c: Record, short: bool) -> float:
    """Return the open, kept to the candle's good side for a limit order."""
    if not r["limit_entry"]:
        return c["open"]
    return max(c["open"], c["low"]) if short else min(c["open"], c["high"])


@compiled
def enter(
    markets: Records,
    tiers: Records,
    funding: Floats,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    c: Record,
    columns: tuple[float, float, float],
    p: int,
    i: int,
    short: bool,
) -> None:
    """Open a trade on pair `p` at candle `i`, if stake, limits and confirmation allow it."""
    m, t = markets[p], book[p]
    rate = entry_rate(r, c, short)
    tied = tied_up(r, book, queue, a)
    stake, leverage = sized(m, tiers, r, a, p, tied, rate, columns)
    if stake == 0.0:
        return
    unit = m["amount_unit"]
    wanted = stake / rate * leverage
    amount = floor_steps(wanted, m["step"], unit) if ON.amount_steps else int(wanted * unit)
    if amount == 0:
        return
    if r["pack_confirm"] and not policy_confirms(columns[0], columns[1], columns[2]):
        return
    if float(amount) * float(m["highest"]) * float(m["with_fee"]) > HIGHEST_PRODUCT:
        a["status"] = OUT_OF_RANGE
        return
    open_trade(m, r, t, c, i, short, amount, rate, leverage)
    t["stop_dist"] = columns[0]
    queue[a["open"]] = p
    a["open"] += 1
    if try_fill_entry(markets, tiers, funding, r, book, queue, a, c, p, i):
        t["funding"] = 0.0
        adjust_stop(m, t, open_rate(m, t), t["stop_frac"], False, False)
    update_wallet(r, book, queue, a)


@compiled
def open_trade(
    m: Record,
    r: Record,
    t: Record,
    c: Record,
    i: int,
    short: bool,
    amount: int,
    rate: float,
    leverage: float,
) -> None:
    """Write the trade and its entry order."""
    price = whole_units(rate, m["price_unit"])
    t["is_open"], t["is_short"] = True, short
    t["has_position"], t["is_trailing"] = False, False
    t["opened"] = i
    t["tick"] = c["tick"]
    t["entry_price"], t["open_price"] = price, price
    t["amount"] = amount
    t["leverage"] = leverage
    t["stake"] = float(amount) / m["amount_unit"] * rate / leverage
    t["open_value"] = 0.0
    t["stop"], t["stop_frac"], t["initial_frac"] = 0.0, 0.0, math.nan
    t["liquidation"] = 0.0
    t["lowest"], t["highest"] = 0.0, 0.0
    t["funding"], t["funding_running"] = 0.0, 0.0
    t["order"], t["order_price"], t["order_placed"] = ENTRY_ORDER, price, i
    adjust_stop(m, t, rate, r["stoploss"], True, False)


@compiled
def order_fills(m: Record, t: Record, c: Record) -> bool:
    """Tell whether the order's price lies within the candle."""
    price = float(t["order_price"]) / m["price_unit"]
    return not ON.order_fills or c["low"] <= price <= c["high"]


@compiled
def try_fill_entry(
    markets: Records,
    tiers: Records,
    funding: Floats,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    c: Record,
    p: int,
    i: int,
) -> bool:
    """Fill the open entry order if the candle reaches it; tell whether it did."""
    m, t = markets[p], book[p]
    if t["order"] != ENTRY_ORDER or not order_fills(m, t, c):
        return False
    unit = m["price_unit"]
    fill = float(t["entry_price"]) / unit
    t["order"], t["has_position"], t["filled"] = NO_ORDER, True, i
    t["open_price"] = round_steps(fill, t["tick"], unit)
    t["stake"] = notional(m, t["amount"], t["entry_price"]) / t["leverage"]
    t["open_value"] = value_with_fee(m, t["amount"], t["open_price"], not t["is_short"])
    t["initial_frac"], t["is_trailing"] = math.nan, False
    adjust_stop(m, t, open_rate(m, t), t["stop_frac"], False, False)
    t["funding_next"], t["funding_sum"], t["funding_error"] = c["funding_from"], 0.0, 0.0
    if ON.funding_at_fill:
        update_funding(m, r, funding, t, c)
    update_liquidation(markets, tiers, r, book, queue, a, p)
    if r["asks_stop_at_fill"] and ON.stop_after_fill:
        move_stop(m, r, t, fill, fill, True)
    return True
