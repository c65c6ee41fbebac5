"""What a fill, funding or a takeover does to money and positions: every unit from one pocket to another.

Decides realized profit, commission, margin of isolated positions and who bears a loss beyond it.
Refuses to know matching. Called by `matching`, `liquidation`, `funding`. Every change of a wallet
here has its opposite in `Funds`, so that wallets and funds always add up to the deposits.
"""

from automation.simulator.trading.accounts import Account, Position
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.reporting import note_income
from automation.simulator.trading.units import ONE, Contract, divide, divide_up


def opening_margin(
    position: Position, contract: Contract, sign: int, quantity: int, price: int
) -> int:
    """Money an isolated position needs for the part of a fill that enlarges it."""
    if not position.is_isolated:
        return 0
    opening = quantity - closing_part(position, sign, quantity)
    return divide_up(contract.notional(price, opening), position.leverage) if opening else 0


def closing_part(position: Position, sign: int, quantity: int) -> int:
    """Steps of a fill that make a position smaller."""
    held = -sign * position.size
    return min(held, quantity) if held > 0 else 0


def settle_fill(
    floor: Floor, account: Account, position: Position, sign: int, quantity: int, price: int
) -> tuple[int, int]:
    """Book the trade itself; gives its notional and the realized profit."""
    contract = floor.contracts[position.symbol]
    notional = contract.notional(price, quantity)
    closing = closing_part(position, sign, quantity)
    closing_value, realized = notional, 0
    if closing:
        if closing != quantity:
            closing_value = contract.notional(price, closing)
        realized = _close(floor, account, position, sign, closing, closing_value)
    if closing != quantity:
        value = notional - closing_value if closing else notional
        _open(account, position, sign, quantity - closing, value)
    position.updated_ms = account.updated_ms = floor.now_ms
    return notional, realized


def _close(
    floor: Floor, account: Account, position: Position, sign: int, closing: int, value: int
) -> int:
    held = abs(position.size)
    cost = position.cost if closing == held else divide(position.cost * closing, held)
    realized = -sign * value - cost
    released = position.isolated_wallet
    if closing != held:
        released = position.isolated_wallet * closing // held
    position.size += sign * closing
    position.cost -= cost
    position.realized_total += realized
    account.wallet += realized
    floor.funds.clearing -= realized
    if position.is_isolated:
        left = position.isolated_wallet - released + min(released + realized, 0)
        account.set_isolated(position, max(left, 0))
        if left < 0:
            _insure(floor, account, position.symbol, -left)
    return realized


def _open(account: Account, position: Position, sign: int, opening: int, value: int) -> None:
    position.size += sign * opening
    position.cost += sign * value
    if position.is_isolated:
        margin = divide_up(value, position.leverage)
        account.set_isolated(position, position.isolated_wallet + margin)


def charge_commission(
    floor: Floor, account: Account, position: Position, notional: int, *, is_maker: bool
) -> int:
    """Take the commission: from the free wallet, else from the position's own margin."""
    rate = account.spec.maker_rate if is_maker else account.spec.taker_rate
    fee = divide_up(notional * rate, ONE)
    _draw(account, position, fee)
    floor.funds.fees += fee
    return fee


def _draw(account: Account, position: Position, amount: int) -> None:
    """Take money for a position; its isolated margin pays what the free wallet cannot."""
    if position.is_isolated:
        short = min(max(amount - max(account.cross_wallet, 0), 0), position.isolated_wallet)
        account.set_isolated(position, position.isolated_wallet - short)
    account.wallet -= amount


def pay_funding(floor: Floor, account: Account, position: Position, amount: int) -> None:
    """Book funding: negative amounts leave the position's margin, then the wallet."""
    account.wallet += amount
    floor.funds.funding -= amount
    if position.is_isolated:
        account.set_isolated(position, max(position.isolated_wallet + amount, 0))


def take_clearance_fee(floor: Floor, account: Account, symbol: str, fee: int, most: int) -> int:
    """Move the fee of a takeover to the insurance fund, at most what was left of the margin."""
    taken = max(min(fee, most), 0)
    account.wallet -= taken
    floor.funds.insurance += taken
    note_income(floor, account, "INSURANCE_CLEAR", symbol, -taken)
    return taken


def cover(floor: Floor, account: Account, symbol: str) -> None:
    """Let the insurance fund pay what a wallet owes that has nothing left to lose."""
    holds_cross = any(each.size and not each.is_isolated for each in account.active.values())
    if account.cross_wallet < 0 and not holds_cross:
        _insure(floor, account, symbol, -account.cross_wallet)


def _insure(floor: Floor, account: Account, symbol: str, amount: int) -> None:
    account.wallet += amount
    floor.funds.insurance -= amount
    note_income(floor, account, "INSURANCE_CLEAR", symbol, amount)


def deposit(floor: Floor, account: Account, amount: int) -> None:
    """Bring money in, or out where it is negative."""
    account.wallet += amount
    account.updated_ms = floor.now_ms
    floor.funds.deposits += amount
    note_income(floor, account, "TRANSFER", "", amount)
