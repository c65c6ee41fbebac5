"""Cancelling and amending open orders.

Decides which order is meant, what an amendment costs in priority, and Binance's refusals. Called by
`exchange`.
"""

from automation.simulator.trading.accounts import Account
from automation.simulator.trading.entry import check_limits, check_margin, check_percent, match
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.lifecycle import end, hold, unrest
from automation.simulator.trading.matching import crosses
from automation.simulator.trading.orders import Amendment, Order, OrderRequest
from automation.simulator.trading.rejected import reject
from automation.simulator.trading.reporting import tell_order

MOST_AMENDMENTS = 10_000


def find_open(
    floor: Floor, account: Account, symbol: str, order_id: int | None, client_id: str | None
) -> Order:
    """Find an open order of a symbol; -2011 if there is none."""
    order = floor.find(account, order_id, client_id)
    if order is None or order.symbol != symbol or not order.is_open:
        reject(-2011, "Unknown order sent.")
    return order


def cancel(
    floor: Floor, account: Account, symbol: str, order_id: int | None, client_id: str | None
) -> Order:
    """Cancel one order."""
    order = find_open(floor, account, symbol, order_id, client_id)
    end(floor, account, order, "CANCELED")
    return order


def cancel_all(floor: Floor, account: Account, symbol: str) -> None:
    """Cancel all open orders of a symbol, the oldest first."""
    for order in list(account.open_orders.get(symbol, {}).values()):
        end(floor, account, order, "CANCELED")


def amend(floor: Floor, account: Account, order: Order, price: int, quantity: int) -> Order:
    """Change price and quantity of an open limit order.

    A new price or a larger quantity loses the place in time. At or below what is filled already
    the order is cancelled; so is a post-only order that would trade.
    """
    if order.kind != "LIMIT":
        reject(-4192, "Only LIMIT orders can be modified.")
    if price == order.price and quantity == order.quantity:
        reject(-5027, "No need to modify the order.")
    if quantity <= order.filled:
        end(floor, account, order, "CANCELED")
        return order
    _check(floor, account, order, price, quantity)
    _note(floor, account, order, price, quantity)
    keeps_place = price == order.price and quantity < order.quantity
    if not keeps_place:
        unrest(floor, order)
    order.price, order.quantity, order.updated_ms = price, quantity, floor.now_ms
    hold(floor, account, order)
    tell_order(floor, account, order, "AMENDMENT")
    if keeps_place:
        return order
    if order.time_in_force == "GTX" and crosses(floor, order):
        end(floor, account, order, "CANCELED")
        return order
    match(floor, account, order)
    return order


def _check(floor: Floor, account: Account, order: Order, price: int, quantity: int) -> None:
    contract = floor.contracts[order.symbol]
    wanted = OrderRequest(order.symbol, order.side, "LIMIT", quantity, price)
    check_limits(contract, wanted)
    check_percent(floor, contract, wanted)
    if order.reduce_only:
        return
    old = order.price, order.quantity
    order.price, order.quantity = price, quantity
    try:
        check_margin(floor, account, order, released=order.held)
    finally:
        order.price, order.quantity = old


def _note(floor: Floor, account: Account, order: Order, price: int, quantity: int) -> None:
    count = sum(each.order_id == order.order_id for each in account.amendments) + 1
    if count > MOST_AMENDMENTS:
        reject(-5026, "Exceed maximum modify order limit.")
    account.amendments.append(
        Amendment(
            floor.new_number(),
            order.order_id,
            order.client_id,
            order.symbol,
            floor.now_ms,
            (order.price, price),
            (order.quantity, quantity),
            count,
        )
    )
