"""Positions whose margin is used up: called in time, taken over at the mark price.

Decides when an account is in danger and when a position is lost. Refuses to know orders' prices.
Called by `exchange`. A position is lost when its margin balance is not above its maintenance
margin; a cross account stands and falls with all its cross positions.

`guards` draws, around the present mark prices, the band within which nothing can happen: the slack
is divided among the account's positions, and no move inside each share can use up the whole.
"""

from collections.abc import Iterable

from automation.simulator.trading.accounts import Account, Position
from automation.simulator.trading.changes import cancel_all
from automation.simulator.trading.conditional import cancel_all_algo
from automation.simulator.trading.events import EndangeredPosition, Liquidation, MarginCall, Trade
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.lifecycle import expire_reducing
from automation.simulator.trading.margin import (
    Marks,
    cross_slack,
    isolated_slack,
    maintenance,
    unrealized,
)
from automation.simulator.trading.orders import Fill, Order
from automation.simulator.trading.reporting import note_income, tell, tell_account, tell_order
from automation.simulator.trading.settlement import (
    cover,
    settle_fill,
    take_clearance_fee,
)
from automation.simulator.trading.sights import NEVER_HIGH, NEVER_LOW
from automation.simulator.trading.units import ONE, divide

_CALL_PERCENT = 80  # of the margin balance that maintenance may use before a margin call
Band = tuple[int, int]


def _held(account: Account, *, isolated: bool) -> list[Position]:
    found = [p for p in account.active.values() if p.size and p.is_isolated is isolated]
    return sorted(found, key=lambda position: position.symbol)


def guards(floor: Floor, account: Account, marks: Marks) -> dict[str, Band]:
    """Mark prices (1e-8) per symbol at which the account has to be looked at again."""
    bands = {}
    for position in _held(account, isolated=True):
        contract, mark = floor.contracts[position.symbol], marks(position.symbol)
        balance, needed = isolated_slack(position, contract, mark)
        slack = _slack(balance, needed, is_called=position.is_called)
        bands[position.symbol] = _band(floor, position, mark, slack)
    crossed = _held(account, isolated=False)
    if crossed:
        balance, needed = cross_slack(account, floor.contracts, marks)
        called = all(position.is_called for position in crossed)
        share = _slack(balance, needed, is_called=called) // len(crossed)
        for position in crossed:
            bands[position.symbol] = _band(floor, position, marks(position.symbol), share)
    return bands


def _slack(balance: int, needed: int, *, is_called: bool) -> int:
    percent = 100 if is_called else _CALL_PERCENT
    return balance * percent // 100 - needed


def _band(floor: Floor, position: Position, mark: int, slack: int) -> Band:
    """Twice the size moves faster than balance and maintenance together (no rate is above 1)."""
    if slack <= 0 or mark <= 0:
        return NEVER_HIGH, NEVER_LOW  # look at every second
    contract = floor.contracts[position.symbol]
    move = slack * contract.step_unit // (2 * abs(position.size))
    return (mark - move, NEVER_HIGH) if position.size > 0 else (NEVER_LOW, mark + move)


def in_danger(floor: Floor, account: Account, marks: Marks) -> bool:
    """Whether `judge` would do anything."""
    for position in _held(account, isolated=True):
        contract = floor.contracts[position.symbol]
        balance, needed = isolated_slack(position, contract, marks(position.symbol))
        if _verdict(balance, needed, is_called=position.is_called) != "safe":
            return True
    crossed = _held(account, isolated=False)
    if not crossed:
        return False
    balance, needed = cross_slack(account, floor.contracts, marks)
    called = all(position.is_called for position in crossed)
    return _verdict(balance, needed, is_called=called) != "safe"


def _verdict(balance: int, needed: int, *, is_called: bool) -> str:
    if balance <= needed:
        return "lost"
    if not is_called and balance * _CALL_PERCENT <= needed * 100:
        return "called"
    return "safe"


def judge(floor: Floor, account: Account, marks: Marks) -> None:
    """Take over what is lost, call what is in danger; mark prices are given."""
    for position in _held(account, isolated=True):
        contract = floor.contracts[position.symbol]
        balance, needed = isolated_slack(position, contract, marks(position.symbol))
        verdict = _verdict(balance, needed, is_called=position.is_called)
        _carry_out(floor, account, [position], verdict, marks)
    crossed = _held(account, isolated=False)
    if crossed:
        balance, needed = cross_slack(account, floor.contracts, marks)
        called = all(position.is_called for position in crossed)
        verdict = _verdict(balance, needed, is_called=called)
        _carry_out(floor, account, crossed, verdict, marks)


def _carry_out(
    floor: Floor, account: Account, positions: list[Position], verdict: str, marks: Marks
) -> None:
    if verdict == "called":
        _call(floor, account, positions, marks)
    if verdict == "lost":
        _cancel(floor, account, positions)
        for position in positions:
            if position.size:
                _take_over(floor, account, position, marks(position.symbol))
        if not positions[0].is_isolated:
            cover(floor, account, positions[0].symbol)
            tell_account(floor, account, "INSURANCE_CLEAR", 0, ())


def _call(floor: Floor, account: Account, positions: Iterable[Position], marks: Marks) -> None:
    lines = []
    for position in positions:
        contract, mark = floor.contracts[position.symbol], marks(position.symbol)
        position.is_called = True
        lines.append(
            EndangeredPosition(
                position.symbol,
                position.size,
                position.margin_type,
                position.isolated_wallet,
                mark,
                unrealized(position, contract, mark),
                maintenance(position, contract, mark),
            )
        )
    seq = floor.outlet.next_seq()
    tell(floor, MarginCall(seq, floor.now_ms, account.name, account.cross_wallet, tuple(lines)))
    floor.touched.add(account.name)


def _cancel(floor: Floor, account: Account, positions: Iterable[Position]) -> None:
    for position in positions:
        cancel_all(floor, account, position.symbol)
        cancel_all_algo(floor, account, position.symbol)


def _take_over(floor: Floor, account: Account, position: Position, mark: int) -> None:
    """Close a position at the mark price against the house, for a fee to the insurance fund."""
    contract = floor.contracts[position.symbol]
    price = max(divide(mark, ONE // contract.tick_unit), 1)
    order = _order(floor, account, position, price)
    account.orders[order.order_id] = order
    quantity, sign = order.quantity, order.sign
    left = _stake(account, position, contract.notional(price, quantity))
    notional, realized = settle_fill(floor, account, position, sign, quantity, price)
    order.filled, order.filled_notional, order.status = quantity, notional, "FILLED"
    trade_id = floor.new_trade_id()
    wanted = notional * contract.liquidation_fee // ONE
    fee = take_clearance_fee(floor, account, position.symbol, wanted, left)
    one = Fill(
        trade_id,
        order.order_id,
        order.symbol,
        order.side,
        price,
        quantity,
        notional,
        fee,
        realized,
        False,
        floor.now_ms,
    )
    account.fills.setdefault(order.symbol, []).append(one)
    note_income(floor, account, "REALIZED_PNL", order.symbol, realized, trade_id)
    position.is_called = False
    account.note_activity(position)
    _tell(floor, account, order, one)
    expire_reducing(floor, account, order.symbol)
    floor.touch(account, order.symbol)


def _stake(account: Account, position: Position, notional: int) -> int:
    """What is left of the margin once the position is closed; the fee may not take more."""
    profit = (notional if position.size > 0 else -notional) - position.cost
    return (position.isolated_wallet if position.is_isolated else account.cross_wallet) + profit


def _order(floor: Floor, account: Account, position: Position, price: int) -> Order:
    number, now = floor.new_order_id(), floor.now_ms
    return Order(
        account=account.name,
        order_id=number,
        client_id=f"autoclose-{now}{number}",
        symbol=position.symbol,
        side="SELL" if position.size > 0 else "BUY",
        kind="LIMIT",
        original_kind="LIMIT",
        time_in_force="IOC",
        quantity=abs(position.size),
        price=price,
        reduce_only=False,
        close_position=False,
        trigger_price=0,
        working_type="CONTRACT_PRICE",
        price_protect=False,
        self_trade_mode="NONE",
        good_till_ms=0,
        created_ms=now,
        updated_ms=now,
        auto_close="LIQUIDATION",
    )


def _tell(floor: Floor, account: Account, order: Order, one: Fill) -> None:
    seq, buys = floor.outlet.next_seq(), order.sign > 0
    tell(
        floor,
        Trade(
            seq, floor.now_ms, None, order.symbol, one.trade_id, one.price, one.quantity, not buys
        ),
    )
    tell_account(floor, account, "ORDER", 0, (order.symbol,))
    tell_order(floor, account, order, "CALCULATED", one)
    seq = floor.outlet.next_seq()
    tell(
        floor,
        Liquidation(
            seq,
            floor.now_ms,
            account.name,
            order.symbol,
            order.order_id,
            order.side,
            order.quantity,
            order.price,
        ),
    )
