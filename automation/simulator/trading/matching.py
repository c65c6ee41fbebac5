"""Who trades with whom at what price: price first, then time.

Decides fills of incoming orders against resting ones and the modelled book, and of resting orders
against what the market traded in a second. Refuses to know requests and money rules. Called by
`entry`, `conditional` and `exchange`.

At one price resting orders of accounts go before modelled quantity. What a taker takes of the
modelled book is gone until the book's next second. A resting order is filled at its own price by
trades that reach it, together at most the second's volume.
"""

from collections.abc import Iterator

from automation.simulator.trading.accounts import Account, Position
from automation.simulator.trading.events import Trade
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.lifecycle import end, expire_reducing, hold
from automation.simulator.trading.orders import Fill, Order
from automation.simulator.trading.reporting import note_income, tell, tell_account, tell_order
from automation.simulator.trading.settlement import (
    charge_commission,
    cover,
    opening_margin,
    settle_fill,
)
from automation.simulator.trading.sights import Second

_BOUND = 5  # percent from the mark price that a market order may go (marketTakeBound)


def worst_price(floor: Floor, order: Order) -> int:
    """Give the limit of an order; a market order may go 5 % beyond the mark price."""
    if order.price:
        return order.price
    contract = floor.contracts[order.symbol]
    mark: int = floor.mark(order.symbol) // contract.mark_of(1)
    return max(mark * (100 + order.sign * _BOUND) // 100, 1)


def crosses(floor: Floor, order: Order) -> bool:
    """Whether an order would trade at once."""
    limit, opposite = worst_price(floor, order), floor.shelf(order.symbol).side(-order.sign).best
    if opposite is not None and (limit - opposite) * order.sign >= 0:
        return True
    quote = floor.quote(order.symbol)
    best = quote.ask if order.sign > 0 else quote.bid
    return best > 0 and (limit - best) * order.sign >= 0


def fillable(floor: Floor, order: Order) -> int:
    """Steps an order could get at once."""
    shelf, limit = floor.shelf(order.symbol), worst_price(floor, order)
    found = sum(other.remaining for other in shelf.side(-order.sign).reached(limit))
    return found + sum(
        free for price, free in _modelled(floor, order) if _within(order, price, limit)
    )


def _within(order: Order, price: int, limit: int) -> bool:
    return (limit - price) * order.sign >= 0


def _modelled(floor: Floor, order: Order) -> Iterator[tuple[int, int]]:
    """Modelled levels against an order, less what was taken in this second."""
    taken = floor.shelf(order.symbol).taken_in(floor.now_ms // 1000, order.sign)
    depth = floor.depth(order.symbol)
    levels, place = depth.asks if order.sign > 0 else depth.bids, 0
    if taken:
        place = floor.shelf(order.symbol).first_left(levels, order.sign)
    for price, quantity in levels[place:] if place else levels:
        free = quantity - taken.get(price, 0)
        if free > 0:
            yield price, free


def take(floor: Floor, account: Account, order: Order) -> None:
    """Fill an incoming order as far as it goes now; the rest is the caller's."""
    if not crosses(floor, order):
        return
    limit, shelf = worst_price(floor, order), floor.shelf(order.symbol)
    opposite, levels = shelf.side(-order.sign), _modelled(floor, order)
    level = next(levels, None)
    while order.is_open and order.remaining:
        own = opposite.best
        if own is not None and (level is None or (level[0] - own) * order.sign >= 0):
            if not _within(order, own, limit) or not _meet(
                floor, account, order, opposite.at_best()
            ):
                return
        elif level is not None and _within(order, level[0], limit):
            price, free = level
            quantity = min(order.remaining, free)
            if not fill(floor, account, order, quantity, price, is_maker=False):
                return
            taken = shelf.taken[order.sign]
            taken[price] = taken.get(price, 0) + quantity
            level = next(levels, None)
        else:
            return


def _meet(floor: Floor, account: Account, order: Order, resting: Order) -> bool:
    """Trade with a resting order; gives whether the incoming one goes on."""
    maker = floor.accounts[resting.account]
    if maker is account and order.self_trade_mode != "NONE":
        if order.self_trade_mode in {"EXPIRE_MAKER", "EXPIRE_BOTH"}:
            end(floor, maker, resting, "EXPIRED_IN_MATCH")
        if order.self_trade_mode in {"EXPIRE_TAKER", "EXPIRE_BOTH"}:
            end(floor, account, order, "EXPIRED_IN_MATCH")
        return order.is_open
    quantity = min(_allowed(account, order), _allowed(maker, resting))
    if not _can_pay(floor, maker, resting, quantity, resting.price) or not quantity:
        if _allowed(account, order) == 0:
            end(floor, account, order, "EXPIRED")
        else:
            end(floor, maker, resting, "EXPIRED")
        return order.is_open
    if not _can_pay(floor, account, order, quantity, resting.price):
        end(floor, account, order, "EXPIRED")
        return False
    trade_id = floor.new_trade_id()
    _print(floor, order, trade_id, quantity, resting.price)
    _book(floor, maker, resting, quantity, resting.price, trade_id, is_maker=True)
    _book(floor, account, order, quantity, resting.price, trade_id, is_maker=False)
    return order.is_open


def _allowed(account: Account, order: Order) -> int:
    """Open steps of an order; of a reduce-only one at most the position."""
    if not order.reduce_only:
        return order.remaining
    held = -order.sign * account.position(order.symbol).size
    return min(order.remaining, max(held, 0))


def _can_pay(floor: Floor, account: Account, order: Order, quantity: int, price: int) -> bool:
    """Whether the free wallet has the margin that an isolated position would need."""
    position = account.position(order.symbol)
    contract = floor.contracts[order.symbol]
    margin = opening_margin(position, contract, order.sign, quantity, price)
    return margin == 0 or account.cross_wallet >= margin


def fill(
    floor: Floor, account: Account, order: Order, quantity: int, price: int, *, is_maker: bool
) -> bool:
    """Trade with the market; gives whether the order got all of `quantity`."""
    allowed = min(quantity, _allowed(account, order))
    if allowed == 0 or not _can_pay(floor, account, order, allowed, price):
        end(floor, account, order, "EXPIRED")
        return False
    trade_id = floor.new_trade_id()
    _print(floor, order, trade_id, allowed, price, is_maker=is_maker)
    _book(floor, account, order, allowed, price, trade_id, is_maker=is_maker)
    return allowed == quantity


def _print(
    floor: Floor, order: Order, trade_id: int, quantity: int, price: int, *, is_maker: bool = False
) -> None:
    seq, buys = floor.outlet.next_seq(), order.sign > 0
    buyer_is_maker = buys if is_maker else not buys
    tell(
        floor,
        Trade(seq, floor.now_ms, None, order.symbol, trade_id, price, quantity, buyer_is_maker),
    )


def _book(
    floor: Floor,
    account: Account,
    order: Order,
    quantity: int,
    price: int,
    trade_id: int,
    *,
    is_maker: bool,
) -> None:
    """Book one side of a trade and tell it."""
    position = account.position(order.symbol)
    held = position.size
    notional, realized = settle_fill(floor, account, position, order.sign, quantity, price)
    fee = charge_commission(floor, account, position, notional, is_maker=is_maker)
    order.filled += quantity
    order.filled_notional += notional
    order.updated_ms = floor.now_ms
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
        is_maker,
        floor.now_ms,
    )
    account.fills.setdefault(order.symbol, []).append(one)
    note_income(floor, account, "COMMISSION", order.symbol, -fee, trade_id)
    note_income(floor, account, "REALIZED_PNL", order.symbol, realized, trade_id)
    _conclude(floor, account, order, position, one)
    if held and held * position.size <= 0 and position.reducing:
        # Nothing is left of what they were to reduce, even where the fill opened the other side.
        expire_reducing(floor, account, order.symbol)


def _conclude(floor: Floor, account: Account, order: Order, position: Position, one: Fill) -> None:
    is_done = order.remaining == 0
    order.status = "FILLED" if is_done else "PARTIALLY_FILLED"
    if not is_done:
        hold(floor, account, order)
    if account.cross_wallet < 0:
        cover(floor, account, order.symbol)
    tell_account(floor, account, "ORDER", 0, (order.symbol,))
    tell_order(floor, account, order, "TRADE", one)
    if is_done:
        end(floor, account, order, "FILLED")
    if position.size == 0:
        position.is_called = False
        account.note_activity(position)


def fill_resting(floor: Floor, second: Second) -> None:
    """Fill resting orders that a second's trades reached, out of the second's volume."""
    shelf, left = floor.shelf(second.symbol), second.volume
    since = second.at_ms - 1000
    reached = shelf.buys.reached(second.low) + shelf.sells.reached(second.high)
    for order in reached:
        if left <= 0:
            return
        if order.is_open and order.resting_ms <= since:
            before = order.filled
            quantity = min(order.remaining, left)
            fill(floor, floor.accounts[order.account], order, quantity, order.price, is_maker=True)
            left -= order.filled - before
