"""Closing: the exit order's fill, the closed trade, and what is left open at the end.

Mirrors: optimize/backtesting.py (_process_exit_order, handle_left_open),
persistence/trade_model.py (recalc_trade_from_orders, close). `m` is a MARKET, `r` the RULES, `t` a
POSITION, `c` a CANDLE, `a` the ACCOUNT.
"""

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.entry import order_fills
from automation.worker.kernel.exact import round8, whole_units
from automation.worker.kernel.exits import place_order
from automation.worker.kernel.layout import FORCE_EXIT, NO_ORDER, Ints, Record, Records
from automation.worker.kernel.stops import update_liquidation
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import coins, open_rate, update_wallet, value_with_fee


@inner
def try_fill_exit(
    markets: Records,
    tiers: Records,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    trades: Records,
    c: Record,
    p: int,
    i: int,
) -> bool:
    """Close the trade if its exit order fills on candle `i`; tell whether it did."""
    m, t = markets[p], book[p]
    if not order_fills(t, c):
        return False
    if r["is_cross"]:
        update_liquidation(markets, tiers, r, book, queue, a, p)
    trade = trades[a["trades"]]
    trade["pair"], trade["closed"] = p, i
    write_trade(m, t, trade)
    a["trades"] += 1
    a["closed_profit"] += trade["profit_abs"]
    remove_trade(t, queue, a, p)
    update_wallet(r, book, queue, a)
    return True


@inner
def write_trade(m: Record, t: Record, trade: Record) -> None:
    """Write the closed trade with its profit."""
    short = t["is_short"]
    funding = t["funding_before"] + t["funding_running"]
    price = whole_units(t["order_rate"], m["price_unit"])
    worth = value_with_fee(m, t["amount"], price, short)
    worth = worth - funding if short else worth + funding
    opened = t["entry_value"]
    profit = round8(t["basis"] - worth if short else worth - t["basis"])
    trade["is_short"] = short
    trade["opened"], trade["filled"] = t["opened"], t["filled"]
    trade["open_rate"] = open_rate(m, t)
    trade["close_rate"] = t["order_rate"]
    trade["amount"] = coins(m, t)
    trade["stake_amount"] = t["stake"]
    trade["leverage"] = t["leverage"]
    trade["funding_fees"] = funding
    trade["profit_ratio"] = profit / opened * t["leverage"]
    trade["profit_abs"] = profit
    trade["initial_stop"], trade["stop"] = t["initial_stop"], t["stop"]
    trade["liquidation"] = t["liquidation"]
    trade["lowest"], trade["highest"] = t["lowest"], t["highest"]
    trade["reason"], trade["reason_candle"] = t["reason"], t["reason_candle"]


@inner
def remove_trade(t: Record, queue: Ints, a: Record, p: int) -> None:
    """Take the trade out of the queue; the others keep their order."""
    t["is_open"], t["has_position"], t["order"] = False, False, NO_ORDER
    kept = 0
    for k in range(a["open"]):
        if queue[k] != p:
            queue[kept] = queue[k]
            kept += 1
    a["open"] = kept


@inner
def force_exits(
    markets: Records,
    tiers: Records,
    candles: Records,
    seen: Ints,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    trades: Records,
) -> None:
    """Leave everything at the open of each pair's last candle."""
    for k in range(seen.size):
        p = seen[k] if ON.closed_order else seen[seen.size - 1 - k]
        m, t = markets[p], book[p]
        if not t["is_open"]:
            continue
        if not t["has_position"]:
            remove_trade(t, queue, a, p)
            continue
        i = m["last"]
        c = candles[p, i]
        place_order(m, t, a, i, c["open"])
        t["reason"], t["reason_candle"] = FORCE_EXIT, i
        try_fill_exit(markets, tiers, r, book, queue, a, trades, c, p, i)
