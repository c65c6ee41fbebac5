"""What an account may set: leverage, margin type, and the margin of isolated positions.

Decides whether a setting may change now, with Binance's refusals. Called by `exchange`.
"""

from automation.simulator.trading.accounts import Account, MarginChange, Position
from automation.simulator.trading.events import MarginType
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.margin import available, exposure, initial, unrealized
from automation.simulator.trading.rejected import reject
from automation.simulator.trading.reporting import tell_account, tell_leverage


def set_leverage(floor: Floor, account: Account, symbol: str, leverage: int) -> Position:
    """Change a symbol's leverage."""
    contract, position = floor.contract(symbol), account.position(symbol)
    if not 1 <= leverage <= contract.ladder.most_leverage:
        reject(-4028, f"Leverage {leverage} is not valid")
    if leverage == position.leverage:
        return position
    if position.is_active:
        _check_leverage(floor, account, position, leverage)
    position.leverage = leverage
    floor.touch(account, symbol)
    tell_leverage(floor, account, symbol, leverage)
    return position


def _check_leverage(floor: Floor, account: Account, position: Position, leverage: int) -> None:
    contract, mark = floor.contracts[position.symbol], floor.mark(position.symbol)
    if position.is_isolated and position.size and leverage < position.leverage:
        reject(
            -4161,
            "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
        )
    if exposure(position, contract.value(mark, position.size)) > contract.ladder.most_notional(
        leverage
    ):
        reject(-2027, "Exceeded the maximum allowable position at current leverage.")
    before, position.leverage = position.leverage, leverage
    is_short = leverage < before and available(account, floor.contracts, floor.mark) < 0
    position.leverage = before
    if is_short:
        reject(-2028, "Leverage is smaller than permitted: insufficient margin balance.")


def set_margin_type(floor: Floor, account: Account, symbol: str, margin_type: MarginType) -> None:
    """Change a symbol between cross and isolated."""
    floor.contract(symbol)
    position = account.position(symbol)
    if position.margin_type == margin_type:
        reject(-4046, "No need to change margin type.")
    waiting = any(algo.request.symbol == symbol for algo in account.open_algo_orders.values())
    if account.open_orders.get(symbol) or waiting:
        reject(-4047, "Margin type cannot be changed if there exists open orders.")
    if position.size:
        reject(-4048, "Margin type cannot be changed if there exists position.")
    position.margin_type = margin_type
    tell_account(floor, account, "MARGIN_TYPE_CHANGE", 0, (symbol,))


def change_margin(floor: Floor, account: Account, symbol: str, amount: int, kind: int) -> None:
    """Add (1) margin to an isolated position or take it away (2)."""
    contract, position = floor.contract(symbol), account.position(symbol)
    if amount <= 0:
        reject(-4055, "Amount must be positive.")
    if not position.is_isolated:
        reject(-4049, "Add margin only support for isolated position.")
    if position.size == 0:
        reject(-4054, "Cannot add position margin: position is 0.")
    mark = floor.mark(symbol)
    if kind == 1:
        if amount > min(available(account, floor.contracts, floor.mark), account.cross_wallet):
            reject(-4050, "Cross balance insufficient.")
    else:
        profit = min(unrealized(position, contract, mark), 0)
        if position.isolated_wallet + profit - amount < initial(position, contract, mark):
            reject(-4051, "Isolated balance insufficient.")
    change = amount if kind == 1 else -amount
    account.set_isolated(position, position.isolated_wallet + change)
    position.is_called = False
    account.margin_changes.append(MarginChange(floor.now_ms, symbol, kind, "USER_ADJUST", amount))
    floor.touch(account, symbol)
    tell_account(floor, account, "MARGIN_TRANSFER", -change, (symbol,))
