"""An order's life between acceptance and end: opened, resting, ended.

Decides what is kept about open orders: indexes, reserved notional, priority. Refuses to know prices
of the market. Called by `entry`, `matching`, `conditional`, `liquidation`.
"""

from automation.simulator.trading.accounts import Account
from automation.simulator.trading.events import OrderStatus
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.orders import Order
from automation.simulator.trading.reporting import tell_algo, tell_order


def open_order(floor: Floor, account: Account, order: Order) -> None:
    """Take an order in and tell that it is new."""
    account.orders[order.order_id] = order
    account.open_orders.setdefault(order.symbol, {})[order.order_id] = order
    account.by_client_id["", order.client_id] = order
    position = account.position(order.symbol)
    if order.reduce_only:
        position.reducing += 1
    hold(floor, account, order)
    tell_order(floor, account, order, "NEW")


def hold(floor: Floor, account: Account, order: Order) -> None:
    """Reserve for what is open of an order, no more and no less."""
    wanted = 0
    if order.is_open and not order.reduce_only and order.price:
        wanted = floor.contracts[order.symbol].notional(order.price, order.remaining)
    position = account.position(order.symbol)
    if order.sign > 0:
        position.bids += wanted - order.held
    else:
        position.asks += wanted - order.held
    order.held = wanted
    account.note_activity(position)
    floor.touch(account, order.symbol)


def rest(floor: Floor, order: Order) -> None:
    """Let an order wait in the book, behind those of its price."""
    order.rank, order.resting_ms = floor.new_rank(), floor.now_ms
    shelf = floor.shelf(order.symbol)
    shelf.side(order.sign).add(order)
    shelf.version += 1


def unrest(floor: Floor, order: Order) -> None:
    """Take an order out of the book."""
    if order.rank:
        shelf = floor.shelf(order.symbol)
        shelf.side(order.sign).remove(order)
        shelf.version += 1
        order.rank = 0


def end(floor: Floor, account: Account, order: Order, status: OrderStatus) -> None:
    """End an order; a fill has been told already, everything else is told here."""
    unrest(floor, order)
    order.status, order.updated_ms = status, floor.now_ms
    account.open_orders[order.symbol].pop(order.order_id, None)
    if order.reduce_only:
        account.position(order.symbol).reducing -= 1
    hold(floor, account, order)
    if status != "FILLED":
        tell_order(floor, account, order, "CANCELED" if status == "CANCELED" else "EXPIRED")
    finish_algo(floor, account, order)


def finish_algo(floor: Floor, account: Account, order: Order) -> None:
    """Tell that a triggered order's conditional order is done with it."""
    algo = account.algo_orders.get(order.algo_id)
    if algo is not None and algo.status == "TRIGGERED":
        algo.status = "FINISHED"
        tell_algo(floor, algo)


def expire_reducing(floor: Floor, account: Account, symbol: str) -> None:
    """End the reduce-only orders of a position that is gone."""
    for order in list(account.open_orders.get(symbol, {}).values()):
        if order.reduce_only:
            end(floor, account, order, "EXPIRED")
