"""Entering: the order, its amount, its fill, and how an order that waits is managed.

Mirrors: optimize/backtesting.py (_enter_trade, _try_close_open_order, manage_open_orders,
check_order_replace), persistence/trade_model.py (close_bt_order, recalc_trade_from_orders). `m` is
a MARKET, `r` the RULES, `t` a POSITION, `c` a CANDLE, `a` the ACCOUNT, `columns` a row of
PACK_COLUMNS.
"""

import math

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.exact import HIGHEST_PRODUCT, floor_steps, round_steps, whole_units
from automation.worker.kernel.layout import (
    ENTRY_ORDER,
    NO_ORDER,
    OUT_OF_RANGE,
    STOP,
    Floats,
    Ints,
    Record,
    Records,
)
from automation.worker.kernel.policy import policy_confirms, policy_entry_rate, policy_next_rate
from automation.worker.kernel.sizes import lowest_stake, sized
from automation.worker.kernel.stops import adjust_stop, move_stop, update_liquidation
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import (
    coins,
    entry_value,
    fee_unit,
    open_rate,
    update_funding,
    update_wallet,
    value_with_fee,
)
from tradekit import ladder


@inner
def limited(m: Record, r: Record, c: Record, wished: float, short: bool) -> float:
    """Return where a limit order stands that wishes `wished`; a market order stands at the open."""
    rate = c["open"]
    if not r["limit_entry"]:
        return rate
    if wished != rate:
        unit = m["price_unit"]
        rate = float(round_steps(wished, c["tick"], unit)) / unit
    return max(rate, c["low"]) if short else min(rate, c["high"])


@inner
def amount_of(m: Record, a: Record, stake: float, rate: float, leverage: float) -> int:
    """Return the amount for a stake, truncated to the step; 0 with a status beyond the exact range."""
    wanted = stake / rate * leverage
    unit = m["amount_unit"]
    amount = floor_steps(wanted, m["step"], unit)
    if not ON.amount_steps:
        amount = round_steps(wanted, m["step"], unit)
    if float(amount) * float(m["highest"]) * float(m["with_fee"]) > HIGHEST_PRODUCT:
        a["status"] = OUT_OF_RANGE
        return 0
    return amount


@inner
def enter(
    markets: Records,
    tiers: Records,
    funding: Floats,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    c: Record,
    columns: Floats,
    p: int,
    i: int,
    short: bool,
) -> None:
    """Open a trade on pair `p` at candle `i`, if stake, limits and confirmation allow it."""
    m, t = markets[p], book[p]
    wished = policy_entry_rate(r, columns, c["open"], short) if r["pack"] else c["open"]
    rate = limited(m, r, c, wished, short)
    stake, leverage = sized(m, tiers, r, book, queue, a, columns, p, rate, short)
    if stake == 0.0:
        return
    amount = amount_of(m, a, stake, rate, leverage)
    if amount == 0 or (r["pack"] and not policy_confirms(a, columns)):
        return
    open_trade(m, r, t, c, i, short, amount, rate, leverage)
    queue[a["open"]] = p
    a["open"] += 1
    place_entry(markets, tiers, funding, r, book, queue, a, c, columns, p, i, rate, amount)
    update_wallet(r, book, queue, a)


@inner
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
    """Write a trade that has no order yet."""
    t["is_open"], t["is_short"] = True, short
    t["has_position"], t["is_trailing"] = False, False
    t["opened"] = i
    t["tick"] = c["tick"]
    t["open_price"] = whole_units(rate, m["price_unit"])
    t["requested_rate"] = rate
    t["leverage"] = leverage
    t["stake"] = float(amount) / m["amount_unit"] * rate / leverage
    t["open_value"] = 0.0
    t["stop"], t["stop_frac"], t["initial_frac"] = 0.0, 0.0, math.nan
    t["liquidation"] = 0.0
    t["lowest"], t["highest"] = 0.0, 0.0
    t["funding"], t["funding_running"] = 0.0, 0.0
    adjust_stop(m, t, rate, r["stoploss"], True, False)


@inner
def place_entry(
    markets: Records,
    tiers: Records,
    funding: Floats,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    c: Record,
    columns: Floats,
    p: int,
    i: int,
    rate: float,
    amount: int,
) -> None:
    """Put the entry order of a confirmed trade in the book, and fill it if the candle reaches it."""
    m, t = markets[p], book[p]
    t["amount"] = amount
    t["stop_dist"] = columns[STOP]
    t["order"], t["order_rate"], t["order_placed"] = ENTRY_ORDER, rate, i
    if try_fill_entry(markets, tiers, funding, r, book, queue, a, c, p, i):
        t["funding"] = 0.0
        adjust_stop(m, t, open_rate(m, t), t["stop_frac"], False, False)


@inner
def order_fills(t: Record, c: Record) -> bool:
    """Tell whether the order's price lies within the candle."""
    return not ON.order_fills or c["low"] <= t["order_rate"] <= c["high"]


@inner
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
    if t["order"] != ENTRY_ORDER or not order_fills(t, c):
        return False
    rate, amount, adds_fee = t["order_rate"], t["amount"], not t["is_short"]
    t["order"], t["has_position"], t["filled"] = NO_ORDER, True, i
    t["open_price"] = round_steps(rate, t["tick"], m["price_unit"])
    t["stake"] = entry_value(m, amount, rate, int(fee_unit(m))) / t["leverage"]
    t["entry_value"] = entry_value(m, amount, rate, m["with_fee"] if adds_fee else m["less_fee"])
    t["open_value"] = value_with_fee(m, amount, t["open_price"], adds_fee)
    t["initial_frac"], t["is_trailing"] = math.nan, False
    adjust_stop(m, t, open_rate(m, t), t["stop_frac"], False, False)
    t["funding_next"], t["funding_sum"], t["funding_error"] = c["funding_from"], 0.0, 0.0
    if ON.funding_at_fill:
        update_funding(m, r, funding, t, c)
    update_liquidation(markets, tiers, r, book, queue, a, p)
    if r["asks_stop_at_fill"] and ON.stop_after_fill:
        move_stop(m, r, t, rate, rate, True)
    return True


@inner
def follow(
    markets: Records,
    tiers: Records,
    funding: Floats,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    c: Record,
    columns: Floats,
    p: int,
    i: int,
) -> bool:
    """Let an entry order that waits follow the price; False where the trade is to be given up."""
    m, t = markets[p], book[p]
    if not a["worst_rung"] < ladder.CLOSED:
        a["canceled_entries"] += 1
        return False
    rate = policy_next_rate(r, t, c["open"])
    if rate == t["order_rate"]:
        return True
    a["canceled_entries"] += 1
    short, leverage = bool(t["is_short"]), t["leverage"]
    stake = coins(m, t) * t["order_rate"] / leverage
    least = lowest_stake(m, r, limited(m, r, c, rate, short), leverage, 0.0)
    t["order"] = NO_ORDER
    if stake < least:
        return False
    amount = amount_of(m, a, stake, rate, leverage)
    if amount == 0 or not policy_confirms(a, columns):
        return False
    place_entry(markets, tiers, funding, r, book, queue, a, c, columns, p, i, rate, amount)
    return True
