"""Tells the world what has changed: events in order, and the account's own histories.

Decides which fields of an event say what. Refuses to change money or orders. Called by the modules
that do.
"""

from collections.abc import Iterable

from automation.simulator.trading.accounts import Account, Income
from automation.simulator.trading.events import (
    AccountUpdate,
    AlgoUpdate,
    BalanceLine,
    ConfigUpdate,
    Event,
    Execution,
    OrderUpdate,
    PositionLine,
    Reason,
)
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.margin import unrealized
from automation.simulator.trading.orders import AlgoOrder, Fill, Order


def tell(floor: Floor, event: Event) -> None:
    """Record an event and pass it on."""
    floor.record.add(("e", type(event).__name__, event))
    floor.outlet.emit(event)


def tell_order(
    floor: Floor, account: Account, order: Order, execution: Execution, fill: Fill | None = None
) -> None:
    """Tell what became of an order."""
    position = account.position(order.symbol)
    tell(
        floor,
        OrderUpdate(
            floor.outlet.next_seq(),
            floor.now_ms,
            account.spec.name,
            order.symbol,
            order.order_id,
            order.client_id,
            order.side,
            order.kind,
            order.original_kind,
            order.time_in_force,
            execution,
            order.status,
            order.quantity,
            order.price,
            order.trigger_price,
            order.filled,
            order.filled_notional,
            fill.quantity if fill else 0,
            fill.price if fill else 0,
            fill.commission if fill else 0,
            fill.realized_pnl if fill else 0,
            fill.trade_id if fill else 0,
            fill.is_maker if fill else False,
            position.bids,
            position.asks,
            order.reduce_only,
            order.close_position,
            order.working_type,
            order.price_protect,
            order.self_trade_mode,
            "NONE",
            order.good_till_ms,
        ),
    )


def tell_account(
    floor: Floor, account: Account, reason: Reason, change: int, symbols: Iterable[str]
) -> None:
    """Tell balance and the named positions; `change` is money without profit and commission."""
    account.updated_ms = floor.now_ms
    lines = tuple(_position_line(floor, account, symbol) for symbol in symbols)
    balance = BalanceLine("USDT", account.wallet, account.cross_wallet, change)
    seq = floor.outlet.next_seq()
    tell(floor, AccountUpdate(seq, floor.now_ms, account.spec.name, reason, (balance,), lines))


def _position_line(floor: Floor, account: Account, symbol: str) -> PositionLine:
    position = account.position(symbol)
    profit = 0
    if position.size:
        profit = unrealized(position, floor.contracts[symbol], floor.mark(symbol))
    return PositionLine(
        symbol,
        position.size,
        position.cost,
        position.realized_total,
        profit,
        position.margin_type,
        position.isolated_wallet,
    )


def tell_leverage(floor: Floor, account: Account, symbol: str, leverage: int) -> None:
    """Tell a symbol's new leverage."""
    seq = floor.outlet.next_seq()
    tell(floor, ConfigUpdate(seq, floor.now_ms, account.name, symbol, leverage, None))


def tell_algo(floor: Floor, algo: AlgoOrder) -> None:
    """Tell what became of a conditional order."""
    request, order = algo.request, algo.order
    algo.updated_ms = floor.now_ms
    tell(
        floor,
        AlgoUpdate(
            floor.outlet.next_seq(),
            floor.now_ms,
            algo.account,
            request.symbol,
            algo.algo_id,
            algo.client_id,
            request.side,
            request.kind,
            request.time_in_force,
            algo.status,
            request.quantity,
            request.trigger_price,
            request.price,
            request.working_type,
            request.reduce_only,
            request.close_position,
            request.price_protect,
            request.self_trade_mode,
            "NONE",
            request.good_till_ms,
            algo.triggered_ms,
            algo.order_id,
            order.kind if order else "",
            order.filled if order else 0,
            order.filled_notional if order else 0,
            algo.reject_reason,
        ),
    )


def note_income(
    floor: Floor, account: Account, kind: str, symbol: str, amount: int, trade_id: int = 0
) -> None:
    """Add a line to the income history, unless nothing came or went."""
    if amount:
        info = str(trade_id) if trade_id else kind
        number = floor.new_number()
        account.incomes.append(Income(floor.now_ms, kind, symbol, amount, info, number, trade_id))
