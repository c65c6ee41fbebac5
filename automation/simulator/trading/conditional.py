"""Conditional orders: they wait for a price, then become limit or market orders.

Decides when one may be placed, when it fires and what becomes of it, as Binance's algo service does:
NEW, TRIGGERING, TRIGGERED (the order is in the engine), FINISHED (the order has ended), or REJECTED
and EXPIRED where the engine refused it. Called by `exchange`.
"""

from dataclasses import replace

from automation.simulator.trading.accounts import Account
from automation.simulator.trading.entry import accept, check_limits, check_tradable, run
from automation.simulator.trading.events import AlgoStatus
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.orders import CONDITIONAL_KINDS, AlgoOrder, OrderRequest
from automation.simulator.trading.rejected import Rejected, reject
from automation.simulator.trading.reporting import tell_algo
from automation.simulator.trading.units import Contract

MOST_WAITING = 200


def fires_when_rising(request: OrderRequest) -> bool:
    """Whether the trigger lies above: a stop that buys, or a profit that sells."""
    return (request.side == "BUY") == request.kind.startswith("STOP")


def watched_price(floor: Floor, request: OrderRequest) -> int:
    """Present price that the trigger is compared with, in the trigger's unit."""
    quote = floor.quote(request.symbol)
    return quote.mark if request.working_type == "MARK_PRICE" else quote.last


def trigger_of(contract: Contract, request: OrderRequest) -> int:
    """Trigger in the unit of the watched price."""
    is_mark = request.working_type == "MARK_PRICE"
    return contract.mark_of(request.trigger_price) if is_mark else request.trigger_price


def place_algo(floor: Floor, account: Account, request: OrderRequest) -> AlgoOrder:
    """Check a conditional order and let it wait."""
    contract = floor.contract(request.symbol)
    _check(floor, account, contract, request)
    number = floor.new_algo_id()
    algo = AlgoOrder(
        account.name,
        number,
        request.client_id or f"auto{number}",
        request,
        floor.now_ms,
        floor.now_ms,
        fires_when_rising(request),
    )
    account.algo_orders[number] = account.open_algo_orders[number] = algo
    account.by_client_algo_id[algo.client_id] = algo
    shelf = floor.shelf(request.symbol)
    shelf.triggers(algo).add(algo, trigger_of(contract, request))
    shelf.version += 1
    tell_algo(floor, algo)
    return algo


def _check(floor: Floor, account: Account, contract: Contract, request: OrderRequest) -> None:
    if request.kind not in CONDITIONAL_KINDS:
        reject(-1116, "Invalid orderType.")
    check_limits(contract, request)
    check_tradable(floor, request)
    if not contract.min_price <= request.trigger_price <= contract.max_price:
        reject(-4006, "Stop price less than zero.")
    if request.close_position and account.position(request.symbol).size == 0:
        reject(
            -4509,
            "Time in Force (TIF) GTE can only be used with open positions."
            " Please ensure that positions are available.",
        )
    known = account.by_client_algo_id.get(request.client_id) if request.client_id else None
    if known is not None and known.is_open:
        reject(-4116, "ClientOrderId is duplicated.")
    if len(account.open_algo_orders) >= MOST_WAITING:
        reject(-4045, "Reach max stop order limit.")
    gap = watched_price(floor, request) - trigger_of(contract, request)
    if gap >= 0 if fires_when_rising(request) else gap <= 0:
        reject(-2021, "Order would immediately trigger.")


def remove(floor: Floor, account: Account, algo: AlgoOrder) -> None:
    """Let a conditional order wait no longer."""
    shelf = floor.shelf(algo.request.symbol)
    shelf.triggers(algo).remove(
        algo, trigger_of(floor.contracts[algo.request.symbol], algo.request)
    )
    shelf.version += 1
    account.open_algo_orders.pop(algo.algo_id, None)


def cancel_algo(
    floor: Floor, account: Account, algo_id: int | None, client_id: str | None
) -> AlgoOrder:
    """Cancel a waiting conditional order; -2011 if there is none."""
    algo = floor.find_algo(account, algo_id, client_id)
    if algo is None or not algo.is_open:
        reject(-2011, "Unknown order sent.")
    _finish(floor, account, algo, "CANCELED")
    return algo


def cancel_all_algo(
    floor: Floor, account: Account, symbol: str, status: AlgoStatus = "CANCELED"
) -> None:
    """Cancel all waiting conditional orders of a symbol, the oldest first."""
    for algo in list(account.open_algo_orders.values()):
        if algo.request.symbol == symbol:
            _finish(floor, account, algo, status)


def _finish(floor: Floor, account: Account, algo: AlgoOrder, status: AlgoStatus) -> None:
    remove(floor, account, algo)
    algo.status = status
    tell_algo(floor, algo)


def fire(floor: Floor, algo: AlgoOrder) -> None:
    """Turn a conditional order whose trigger was met into an order."""
    account = floor.accounts[algo.account]
    remove(floor, account, algo)
    algo.status, algo.triggered_ms = "TRIGGERING", floor.now_ms
    tell_algo(floor, algo)
    request = _becomes(account, algo)
    try:
        order = accept(floor, account, request, algo.algo_id)
    except Rejected as refusal:
        algo.status = "EXPIRED" if refusal.code in {-2022, -4003} else "REJECTED"
        algo.reject_reason = refusal.message
        tell_algo(floor, algo)
        return
    algo.order, algo.order_id, algo.status = order, order.order_id, "TRIGGERED"
    tell_algo(floor, algo)
    run(floor, account, order)


def _becomes(account: Account, algo: AlgoOrder) -> OrderRequest:
    request = algo.request
    is_market = request.kind.endswith("MARKET")
    quantity = request.quantity
    if request.close_position:
        quantity = abs(account.position(request.symbol).size)
    return replace(
        request,
        kind="MARKET" if is_market else "LIMIT",
        price=0 if is_market else request.price,
        quantity=quantity,
        trigger_price=0,
        reduce_only=request.reduce_only or request.close_position,
        client_id=algo.client_id,
    )


def fire_traded(floor: Floor, symbol: str, low: int, high: int) -> None:
    """Fire what traded prices have reached."""
    rising, falling = floor.shelf(symbol).traded
    for algo in rising.met(high) + falling.met(low):
        if algo.is_open:
            fire(floor, algo)


def fire_marked(floor: Floor, symbol: str, mark: int) -> None:
    """Fire what the mark price has reached."""
    rising, falling = floor.shelf(symbol).marked
    for algo in rising.met(mark) + falling.met(mark):
        if algo.is_open:
            fire(floor, algo)
