"""May this order be placed, and what happens to it at once.

Decides whether a limit or market order is accepted, in the order of Binance's own checks, and
whether it trades, rests or expires. Refuses to know text and JSON. Called by `exchange` and
`conditional`.
"""

from automation.simulator.trading.accounts import Account
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.lifecycle import end, open_order, rest
from automation.simulator.trading.margin import available, exposure
from automation.simulator.trading.matching import crosses, fillable, take
from automation.simulator.trading.orders import Order, OrderRequest
from automation.simulator.trading.rejected import reject
from automation.simulator.trading.sights import Quote
from automation.simulator.trading.units import Contract, divide_up, text

MOST_OPEN_ORDERS = 200


def place(floor: Floor, account: Account, request: OrderRequest) -> Order:
    """Check an order, accept it, and match it."""
    order = accept(floor, account, request)
    run(floor, account, order)
    return order


def accept(floor: Floor, account: Account, request: OrderRequest, algo_id: int = 0) -> Order:
    """Check an order and make it; nothing is changed where it is refused."""
    contract = floor.contract(request.symbol)
    check_limits(contract, request)
    check_tradable(floor, request)
    if request.kind == "LIMIT" and not algo_id:
        check_percent(floor, contract, request)
    check_client_id(account, request.client_id)
    check_notional(floor, contract, request)
    if len(account.open_orders.get(request.symbol, ())) >= MOST_OPEN_ORDERS:
        reject(-2025, "Reach max open order limit.")
    check_reducing(account, request)
    order = _make(floor, account, request, algo_id)
    if not request.reduce_only:
        check_margin(floor, account, order)
    _check_time_in_force(floor, order)
    return order


def run(floor: Floor, account: Account, order: Order) -> None:
    """Open an accepted order, trade what can be traded, and rest or expire what is left."""
    open_order(floor, account, order)
    match(floor, account, order)


def match(floor: Floor, account: Account, order: Order) -> None:
    """Trade an open order as far as it goes, then rest or expire it."""
    take(floor, account, order)
    if not order.is_open:
        return
    if order.kind == "MARKET" or order.time_in_force in {"IOC", "FOK"}:
        end(floor, account, order, "EXPIRED")
    else:
        rest(floor, order)


def check_tradable(floor: Floor, request: OrderRequest) -> None:
    """Refuse where trading is halted or nothing has ever been traded."""
    if request.symbol in floor.halted:
        reject(-4108, "Symbol is on delivering or delivered or settling or closed or pre-trading.")
    if floor.quote(request.symbol).last <= 0:
        reject(-4108, "Symbol is on delivering or delivered or settling or closed or pre-trading.")


def check_limits(contract: Contract, request: OrderRequest) -> None:
    """Check quantity and prices against the symbol's filters."""
    most = (
        contract.max_market_quantity if request.kind.endswith("MARKET") else contract.max_quantity
    )
    if not request.close_position:
        if request.quantity <= 0:
            reject(-4003, "Quantity less than or equal to zero.")
        if request.quantity < contract.min_quantity:
            reject(-4004, "Quantity less than min quantity.")
        if request.quantity > most:
            reject(-4005, "Quantity greater than max quantity.")
    if request.kind in {"LIMIT", "STOP", "TAKE_PROFIT"}:
        if request.price <= 0:
            reject(-4001, "Price less than 0.")
        if request.price > contract.max_price:
            reject(-4002, "Price greater than max price.")
        if request.price < contract.min_price:
            reject(-4013, "Price less than min price.")


def check_percent(floor: Floor, contract: Contract, request: OrderRequest) -> None:
    """Check a limit price against the mark price (filter PERCENT_PRICE)."""
    mark = floor.mark(request.symbol)
    price = contract.mark_of(request.price)
    if request.side == "BUY":
        most = mark * contract.percent_up // 100
        if price > most:
            reject(-4016, f"Limit price can't be higher than {_plain(most)}.")
    else:
        least = mark * contract.percent_down // 100
        if price < least:
            reject(-4024, f"Limit price can't be lower than {_plain(least)}.")


def _plain(price: int) -> str:
    return text(price, 8).rstrip("0").rstrip(".")


def check_client_id(account: Account, client_id: str) -> None:
    """Refuse an id that an open order of the account has."""
    known = account.by_client_id.get(("", client_id)) if client_id else None
    if known is not None and known.is_open:
        reject(-4116, "ClientOrderId is duplicated.")


def check_notional(floor: Floor, contract: Contract, request: OrderRequest) -> None:
    """Refuse an order that is too small, unless it only reduces."""
    if request.reduce_only:
        return
    price = request.price or floor.quote(request.symbol).last
    if contract.notional(price, request.quantity) < contract.min_notional:
        least = _plain(contract.min_notional)
        reject(
            -4164,
            f"Order's notional must be no smaller than {least} (unless you choose reduce only).",
        )


def check_reducing(account: Account, request: OrderRequest) -> None:
    """Refuse a reduce-only order that has nothing to reduce."""
    if request.reduce_only:
        held = account.position(request.symbol).size
        if held == 0 or (held > 0) == (request.side == "BUY"):
            reject(-2022, "ReduceOnly Order is rejected.")


def check_margin(floor: Floor, account: Account, order: Order, released: int = 0) -> None:
    """Refuse what leverage or margin does not allow; `released` is notional it replaces.

    Cost = initial margin + what is lost at once against the mark price.
    """
    contract, position = floor.contracts[order.symbol], account.position(order.symbol)
    quote = floor.quote(order.symbol)
    price = order.price or _assumed_price(quote, contract, order.sign)
    value = contract.notional(price, order.remaining)
    size_value = contract.value(quote.mark, position.size)
    before = exposure(position, size_value)
    side = position.bids + size_value if order.sign > 0 else position.asks - size_value
    added = max(side + value - released - before, 0)
    if added == 0:
        return
    if before + added > contract.ladder.most_notional(position.leverage):
        reject(-2027, "Exceeded the maximum allowable position at current leverage.")
    gap = max((contract.mark_of(price) - quote.mark) * order.sign, 0)
    lost = contract.value(gap, order.remaining) * added // max(value, 1)
    cost = divide_up(added, position.leverage) + min(lost, added)
    if cost > available(account, floor.contracts, floor.mark):
        reject(-2019, "Margin is insufficient.")


def _assumed_price(quote: Quote, contract: Contract, sign: int) -> int:
    """Price at which a market order is taken to trade: 0.05 % above the ask, or bid or mark."""
    if sign > 0:
        return max(quote.ask, quote.last) * 10_005 // 10_000
    return max(quote.bid, quote.mark // contract.mark_of(1))


def _check_time_in_force(floor: Floor, order: Order) -> None:
    if order.time_in_force == "GTX" and crosses(floor, order):
        reject(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected."
            " The order will not be recorded in the order history",
        )
    if order.time_in_force == "FOK" and fillable(floor, order) < order.quantity:
        reject(
            -5021,
            "Due to the order could not be filled immediately, the FOK order has been rejected."
            " The order will not be recorded in the order history",
        )


def _make(floor: Floor, account: Account, request: OrderRequest, algo_id: int) -> Order:
    number, now = floor.new_order_id(), floor.now_ms
    return Order(
        account=account.spec.name,
        order_id=number,
        client_id=request.client_id or f"auto{number}",
        symbol=request.symbol,
        side=request.side,
        kind="LIMIT" if request.price else "MARKET",
        original_kind="LIMIT" if request.price else "MARKET",
        time_in_force=request.time_in_force,
        quantity=request.quantity,
        price=request.price,
        reduce_only=request.reduce_only,
        close_position=request.close_position,
        trigger_price=0,
        working_type=request.working_type,
        price_protect=request.price_protect,
        self_trade_mode=request.self_trade_mode,
        good_till_ms=request.good_till_ms,
        created_ms=now,
        updated_ms=now,
        algo_id=algo_id,
    )
