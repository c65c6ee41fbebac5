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
    MOST_ENTRIES,
    NO_ORDER,
    OUT_OF_RANGE,
    STOP,
    TOO_MANY_SLICES,
    Floats,
    Ints,
    Record,
    Records,
)
from automation.worker.kernel.policy import (
    policy_confirms,
    policy_entry_rate,
    policy_next_rate,
    policy_slice,
)
from automation.worker.kernel.sizes import (
    ADJUST_RESERVE,
    lowest_stake,
    most_stake,
    sized,
    valid_stake,
)
from automation.worker.kernel.stops import adjust_stop, move_stop, update_liquidation
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import (
    add_kept,
    available_stake,
    entry_value,
    fee_unit,
    mean_of,
    open_rate,
    tied_up,
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
def amount_of(m: Record, a: Record, stake: float, rate: float, leverage: float, held: int) -> int:
    """Return the amount for a stake, truncated to the step; 0 with a status beyond the exact range.

    `held` is the position's amount already.
    """
    wanted = stake / rate * leverage
    unit = m["amount_unit"]
    amount = floor_steps(wanted, m["step"], unit)
    if not ON.amount_steps:
        amount = round_steps(wanted, m["step"], unit)
    if float(amount + held) * float(m["highest"]) * float(m["with_fee"]) > HIGHEST_PRODUCT:
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
    amount = amount_of(m, a, stake, rate, leverage, 0)
    if amount == 0 or (r["pack"] and not policy_confirms(a, columns)):
        return
    open_trade(m, r, t, c, i, short, amount, rate, leverage)
    t["planned"], t["stop_dist"] = a["planned"], columns[STOP]
    queue[a["open"]] = p
    a["open"] += 1
    place_entry(markets, tiers, funding, r, book, queue, a, c, p, i, rate, amount)
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
    t["funding_before"], t["funding_before_error"] = 0.0, 0.0
    t["amount"], t["entries"], t["entry_value"], t["last_filled"] = 0, 0, 0.0, i
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
    p: int,
    i: int,
    rate: float,
    amount: int,
) -> None:
    """Put an entry order in the book, and fill it if the candle reaches it.

    What was running of the funding is left out until Freqtrade counts it again.
    """
    m, t = markets[p], book[p]
    t["order_amount"] = amount
    t["order"], t["order_rate"], t["order_placed"] = ENTRY_ORDER, rate, i
    try_fill_entry(markets, tiers, funding, r, book, queue, a, c, p, i)
    if t["has_position"]:
        t["funding"] = t["funding_before"]
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
    rate = t["order_rate"]
    t["order"], t["has_position"], t["last_filled"] = NO_ORDER, True, i
    keep_funding(t)
    hold(m, t, rate)
    if t["entries"] == 1:
        t["filled"] = i
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
def hold(m: Record, t: Record, rate: float) -> None:
    """Add the filled order to what is held; several entries stand at their mean price."""
    amount, adds_fee = t["order_amount"], not t["is_short"]
    factor = m["with_fee"] if adds_fee else m["less_fee"]
    t["held_coins"][t["entries"]] = float(amount) / m["amount_unit"]
    t["held_rates"][t["entries"]] = rate
    t["entries"] += 1
    t["amount"] += amount
    value = entry_value(m, amount, rate, factor)
    t["entry_value"] += value
    if t["entries"] == 1:
        t["stake"] = entry_value(m, amount, rate, int(fee_unit(m))) / t["leverage"]
        t["basis"] = value
    else:
        cost, mean = mean_of(t)
        rate = mean if ON.slice_mean else rate
        t["stake"] = cost / t["leverage"]
        t["basis"] = entry_value(m, t["amount"], rate, factor)
    t["open_price"] = round_steps(rate, t["tick"], m["price_unit"])
    t["open_value"] = value_with_fee(m, t["amount"], t["open_price"], adds_fee)


@inner
def keep_funding(t: Record) -> None:
    """Book the funding that ran until this fill on the order, as Freqtrade does."""
    if t["funding_running"] != 0.0 and ON.slice_funding:
        plain = t["funding_before"] + t["funding_running"]
        _, error = add_kept(t["funding_before"], t["funding_before_error"], t["funding_running"])
        t["funding_before"], t["funding_before_error"] = plain, error
    t["funding_running"] = 0.0


@inner
def add_slice(
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
) -> None:
    """Order the next slice of a position that is still built up."""
    m, t = markets[p], book[p]
    rate, short = c["open"], bool(t["is_short"])
    available = available_stake(r, tied_up(r, book, queue, a), a)
    least = lowest_stake(m, r, rate, 1.0, ADJUST_RESERVE)
    stake = policy_slice(r, t, a, columns, rate, least, i)
    if not 0.0 < stake <= min(most_stake(m, tiers, p, rate, 1.0), available):
        return
    if 0 <= r["most_entries"] < t["entries"]:
        return
    if t["entries"] >= MOST_ENTRIES:
        a["status"] = TOO_MANY_SLICES
        return
    rate = limited(m, r, c, policy_next_rate(r, t, rate) if r["limit_entry"] else rate, short)
    least = lowest_stake(m, r, rate, t["leverage"], 0.0)
    most = most_stake(m, tiers, p, rate, t["leverage"])
    stake = valid_stake(stake, least, most, min(available, most - t["stake"]))
    if stake > 0.0:
        amount = amount_of(m, a, stake, rate, t["leverage"], t["amount"])
        if amount > 0:
            place_entry(markets, tiers, funding, r, book, queue, a, c, p, i, rate, amount)
    update_wallet(r, book, queue, a)


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
    """Let an entry order that waits follow the price; False where it is given up."""
    m, t = markets[p], book[p]
    if not a["worst_rung"] < ladder.CLOSED:
        a["canceled_entries"] += 1
        t["order"] = NO_ORDER
        return False
    rate = policy_next_rate(r, t, c["open"])
    if rate == t["order_rate"]:
        return True
    a["canceled_entries"] += 1
    short, leverage = bool(t["is_short"]), t["leverage"]
    stake = float(t["order_amount"]) / m["amount_unit"] * t["order_rate"] / leverage
    least = lowest_stake(m, r, limited(m, r, c, rate, short), leverage, 0.0)
    t["order"] = NO_ORDER
    if stake < least:
        return False
    amount = amount_of(m, a, stake, rate, leverage, t["amount"])
    if amount == 0 or not policy_confirms(a, columns):
        return False
    t["stop_dist"] = columns[STOP]
    place_entry(markets, tiers, funding, r, book, queue, a, c, p, i, rate, amount)
    return True
