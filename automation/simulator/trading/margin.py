"""How much margin positions and orders need, and when a position is lost. Pure functions.

Decides initial and maintenance margin, available balance and liquidation price from an account and
mark prices. Refuses to change anything. Called by `entry`, `liquidation` and the endpoints.
Money is whole 1e-8; margin is rounded up, so that it never falls short.

Source: Binance, "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts" and "How to
Calculate Cost Required to Open a Position in Perpetual Futures Contracts".
"""

from collections.abc import Callable, Mapping

from automation.simulator.trading.accounts import Account, Position
from automation.simulator.trading.units import Contract, divide_up

Marks = Callable[[str], int]
Contracts = Mapping[str, Contract]


def unrealized(position: Position, contract: Contract, mark: int) -> int:
    """Profit of a position at a mark price."""
    return contract.value(mark, position.size) - position.cost


def initial(position: Position, contract: Contract, mark: int) -> int:
    """Initial margin of what is held."""
    return divide_up(abs(contract.value(mark, position.size)), position.leverage)


def maintenance(position: Position, contract: Contract, mark: int) -> int:
    """Margin below which the position is taken over."""
    return contract.ladder.maintenance(abs(contract.value(mark, position.size)))


def exposure(position: Position, value: int) -> int:
    """Largest notional that the position can get to if all orders of one side are filled."""
    return max(abs(value), position.bids + value, position.asks - value)


def reserved(position: Position, contract: Contract, mark: int) -> int:
    """Initial margin of the open orders: what they may add to the position's."""
    if not position.bids and not position.asks:
        return 0
    value = contract.value(mark, position.size)
    return divide_up(exposure(position, value) - abs(value), position.leverage)


def available(account: Account, contracts: Contracts, marks: Marks) -> int:
    """Money that may be used as margin; below zero where losses have eaten it."""
    free = account.cross_wallet
    for symbol, position in account.active.items():
        value = contracts[symbol].value(marks(symbol), position.size) if position.size else 0
        held = abs(value)
        if position.bids or position.asks:
            free -= divide_up(exposure(position, value) - held, position.leverage)
        if held and position.margin_type == "cross":
            free += value - position.cost - divide_up(held, position.leverage)
    return free


def isolated_slack(position: Position, contract: Contract, mark: int) -> tuple[int, int]:
    """Margin balance and maintenance margin of an isolated position."""
    balance = position.isolated_wallet + unrealized(position, contract, mark)
    return balance, maintenance(position, contract, mark)


def cross_slack(account: Account, contracts: Contracts, marks: Marks) -> tuple[int, int]:
    """Margin balance and maintenance margin of all cross positions together."""
    balance, needed = account.cross_wallet, 0
    for symbol, position in account.active.items():
        if position.size and not position.is_isolated:
            contract, mark = contracts[symbol], marks(symbol)
            balance += unrealized(position, contract, mark)
            needed += maintenance(position, contract, mark)
    return balance, needed


def liquidation_price(
    account: Account, position: Position, contracts: Contracts, marks: Marks
) -> int:
    """Mark price (1e-8) at which the position is taken over; 0 where no price does it.

    LP = (W + Σ other (profit - maintenance) + cum - cost) / (|size| · rate - size), with the rate
    and the amount of the bracket in which LP lies. Other positions at their present marks.
    """
    if position.size == 0:
        return 0
    contract = contracts[position.symbol]
    wallet = position.isolated_wallet
    if not position.is_isolated:
        balance, needed = cross_slack(account, contracts, marks)
        mark = marks(position.symbol)
        own = unrealized(position, contract, mark), maintenance(position, contract, mark)
        wallet = balance - own[0] - (needed - own[1])
    return _price_at_zero(position, contract, wallet)


def _price_at_zero(position: Position, contract: Contract, wallet: int) -> int:
    million, size = 10**6, position.size
    for bracket in contract.ladder.brackets:
        over = (wallet - position.cost + bracket.cum) * contract.step_unit * million
        under = abs(size) * bracket.rate - size * million
        price = over // under if under else 0
        if price <= 0:
            continue
        notional = abs(contract.value(price, size))
        if bracket.floor <= notional <= bracket.cap or bracket is contract.ladder.brackets[-1]:
            return price
    return 0
