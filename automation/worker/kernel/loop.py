"""The candle loop: pairs in their order, orders, entries, exits, the second pass.

Mirrors: optimize/backtesting.py (time_pair_generator, backtest, backtest_loop, manage_open_orders).
`m` is a MARKET, `r` the RULES, `t` a POSITION, `c` a CANDLE, `a` the ACCOUNT.
"""

from typing import Any

from automation.worker.kernel.closing import force_exits, remove_trade, try_fill_exit
from automation.worker.kernel.compiled import compiled, inner
from automation.worker.kernel.entry import add_slice, enter, follow, try_fill_entry
from automation.worker.kernel.exits import check_exit, pay_funding
from automation.worker.kernel.guards import candle_time, is_locked, run_guards
from automation.worker.kernel.layout import (
    DONE,
    EXIT_ORDER,
    LONG,
    NO_ORDER,
    SHORT,
    TOO_MANY_TRADES,
    Desk,
    Floats,
    Ints,
    Orders,
    Record,
    Records,
    Tape,
)
from automation.worker.kernel.policy import start_candle
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import update_wallet


def simulate(tape: Tape, orders: Orders, desk: Desk) -> int:
    """Run the backtest on an empty `desk`; trades, counters and money are left there.

    Returns the status. On any but DONE what was written means nothing.
    """
    arrays: tuple[Any, ...] = (*tape[:5], *orders, *desk)
    return int(run(*arrays))


@compiled
def run(
    markets: Records,
    tiers: Records,
    candles: Records,
    funding: Floats,
    seen: Ints,
    direction: Ints,
    bits: Ints,
    pack: Floats,
    rules: Records,
    roi_minutes: Ints,
    roi_profit: Floats,
    guards: Records,
    book: Records,
    queue: Ints,
    turn: Ints,
    account: Records,
    locks: Ints,
    trades: Records,
) -> int:
    """Run every candle and pair."""
    pairs, length = candles.shape
    r, a = rules[0], account[0]
    for i in range(length):
        fill_turn(pairs, book, queue, a, turn)
        if r["pack"]:
            start_candle(markets, r, book, queue, a, pack, i)
        if a["trades"] + 2 * pairs > trades.size:
            return TOO_MANY_TRADES
        for k in range(pairs):
            p = turn[k]
            wish = direction[p, i]
            m = markets[p]
            if (wish == 0 and not book[p]["is_open"]) or i < m["first"] or i > m["last"]:
                continue
            visit(
                markets, tiers, candles[p, i], funding, wish, bits[p, i], pack, r, roi_minutes,
                roi_profit, guards, book, queue, a, locks, trades, p, i, i == length - 1,
            )  # fmt: skip
        if a["status"] != DONE:
            return a["status"]
    if a["trades"] + pairs > trades.size:
        return TOO_MANY_TRADES
    if ON.left_open:
        force_exits(markets, tiers, candles, seen, r, book, queue, a, trades)
    update_wallet(r, book, queue, a)
    return DONE


@inner
def visit(
    markets: Records,
    tiers: Records,
    c: Record,
    funding: Floats,
    wish: int,
    bits: int,
    pack: Floats,
    r: Record,
    roi_minutes: Ints,
    roi_profit: Floats,
    guards: Records,
    book: Records,
    queue: Ints,
    a: Record,
    locks: Ints,
    trades: Records,
    p: int,
    i: int,
    is_last: bool,
) -> None:
    """Run one pair through one candle, twice if a trade closed and the signal is the other way."""
    can_enter = wish != 0 and not (is_last and ON.last_candle_entries)
    t = book[p]
    columns = pack[p, i] if r["pack"] else pack[0, 0]
    for _ in range(2 if r["can_short"] and ON.second_pass else 1):
        left = 0
        if t["is_open"]:
            left = -1 if t["is_short"] else 1
            manage_order(markets, tiers, funding, r, book, queue, a, c, columns, p, i)
        if can_enter and may_enter(r, book, a, locks, p, i, wish < 0):
            enter(markets, tiers, funding, r, book, queue, a, c, columns, p, i, wish < 0)
        work_trade(
            markets, tiers, funding, r, roi_minutes, roi_profit, guards, book, queue, a,
            locks, trades, c, columns, bits, p, i,
        )  # fmt: skip
        closed = left != 0 and not t["is_open"]
        if not closed or wish in (0, left):
            break


@inner
def fill_turn(pairs: int, book: Records, queue: Ints, a: Record, turn: Ints) -> None:
    """Write the pairs in the order of this candle: open trades, oldest first, then the whitelist."""
    count = 0
    if ON.open_trades_first:
        for k in range(a["open"]):
            turn[count] = queue[k]
            count += 1
    for p in range(pairs):
        if not (book[p]["is_open"] and ON.open_trades_first):
            turn[count] = p
            count += 1


@inner
def manage_order(
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
    """Cancel an order that waited too long, reprice an entry; a trade without position or order goes."""
    t = book[p]
    if t["order"] == NO_ORDER:
        return
    waited = float((i - t["order_placed"]) * r["candle_s"])
    goes = False
    if t["order"] == EXIT_ORDER:
        if waited >= r["exit_timeout_s"] and ON.order_timeouts:
            a["timed_out_exits"] += 1
            t["order"] = NO_ORDER
    elif waited >= r["entry_timeout_s"] and ON.order_timeouts:
        a["timed_out_entries"] += 1
        t["order"] = NO_ORDER
        goes = True
    elif r["pack"] and waited > 0.0 and ON.reprice:
        goes = not follow(markets, tiers, funding, r, book, queue, a, c, columns, p, i)
    if goes and not t["has_position"]:
        remove_trade(t, queue, a, p)
        update_wallet(r, book, queue, a)


@inner
def may_enter(
    r: Record, book: Records, a: Record, locks: Ints, p: int, i: int, short: bool
) -> bool:
    """Tell whether pair `p` has no trade and no lock, and a slot is free; count it where none is."""
    if book[p]["is_open"] or is_locked(locks, p, candle_time(r, i), SHORT if short else LONG):
        return False
    slots = r["max_open_trades"]
    if slots <= 0.0 or a["open"] < slots or not ON.max_open_trades:
        return True
    a["rejected"] += 1
    return False


@inner
def work_trade(
    markets: Records,
    tiers: Records,
    funding: Floats,
    r: Record,
    roi_minutes: Ints,
    roi_profit: Floats,
    guards: Records,
    book: Records,
    queue: Ints,
    a: Record,
    locks: Ints,
    trades: Records,
    c: Record,
    columns: Floats,
    bits: int,
    p: int,
    i: int,
) -> None:
    """Fill the pair's entry order, add a slice, look for a reason to leave, fill the exit order."""
    t = book[p]
    if not t["is_open"]:
        return
    if try_fill_entry(markets, tiers, funding, r, book, queue, a, c, p, i):
        update_wallet(r, book, queue, a)
    if t["has_position"] and (ON.entry_candle_exits or t["filled"] < i):
        pay_funding(markets[p], r, funding, t, c, i)
        if r["slices"] and ON.slices:
            add_slice(markets, tiers, funding, r, book, queue, a, c, columns, p, i)
        check_exit(markets[p], r, roi_minutes, roi_profit, t, a, c, bits, i)
    if t["order"] == EXIT_ORDER:
        short = bool(t["is_short"])
        if try_fill_exit(markets, tiers, r, book, queue, a, trades, c, p, i):
            run_guards(r, guards, a, locks, trades, p, i, short)
