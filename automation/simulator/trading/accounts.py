"""Accounts: their keys, wallet, positions and everything they ever did.

Decides what an account remembers, and how much of its wallet stands behind which position. Refuses
to know prices: what depends on them is in `margin`. Changed by `settlement`, `entry`, `exchange`.
"""

from dataclasses import dataclass, field

from automation.simulator.trading.events import MarginType
from automation.simulator.trading.orders import AlgoOrder, Amendment, Fill, Order
from automation.simulator.trading.records import record

DEFAULT_LEVERAGE = 20


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account as it is opened: name, key and secret, and the first deposit in money."""

    name: str
    key: str
    secret: str = field(repr=False)
    deposit: int = 0
    more_keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    read_keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Keys that may ask and not act."""
    maker_rate: int = 20_000
    """Commission of makers, 1e-8 of the notional: 0.02 %, Binance's regular tier."""
    taker_rate: int = 50_000


def account(name: str, key: str, secret: str, deposit_usdt: float) -> AccountSpec:
    """Write down an account with its first deposit in USDT, taken to the nearest 1e-8."""
    return AccountSpec(name, key, secret, round(deposit_usdt * 10**8))


@dataclass(slots=True)
class Position:
    """One symbol of one account, whether or not anything is held."""

    symbol: str
    leverage: int = DEFAULT_LEVERAGE
    margin_type: MarginType = "cross"
    size: int = 0
    cost: int = 0
    isolated_wallet: int = 0
    realized_total: int = 0
    updated_ms: int = 0
    bids: int = 0
    """Notional of open buy orders that may enlarge a position."""
    asks: int = 0
    reducing: int = 0
    """Number of open orders that are reduce-only."""
    is_called: bool = False
    """Whether a margin call is out."""

    @property
    def is_isolated(self) -> bool:
        """Whether only its own margin stands behind it."""
        return self.margin_type == "isolated"

    @property
    def is_active(self) -> bool:
        """Whether something is held or ordered."""
        return self.size != 0 or self.bids != 0 or self.asks != 0


@record
class Income:
    """One line of the income history."""

    at_ms: int
    kind: str
    symbol: str
    amount: int
    info: str
    number: int
    trade_id: int


@dataclass(frozen=True, slots=True)
class MarginChange:
    """One change of an isolated position's margin."""

    at_ms: int
    symbol: str
    kind: int
    """1 added, 2 taken."""
    delta_kind: str
    amount: int


@dataclass(slots=True)
class Account:
    """One client of the exchange."""

    spec: AccountSpec
    wallet: int = 0
    isolated_total: int = 0
    updated_ms: int = 0
    multi_assets: bool = False
    positions: dict[str, Position] = field(default_factory=dict)
    active: dict[str, Position] = field(default_factory=dict)
    """Positions in which something is held or ordered."""
    orders: dict[int, Order] = field(default_factory=dict)
    open_orders: dict[str, dict[int, Order]] = field(default_factory=dict)
    by_client_id: dict[tuple[str, str], Order] = field(default_factory=dict)
    algo_orders: dict[int, AlgoOrder] = field(default_factory=dict)
    open_algo_orders: dict[int, AlgoOrder] = field(default_factory=dict)
    by_client_algo_id: dict[str, AlgoOrder] = field(default_factory=dict)
    fills: dict[str, list[Fill]] = field(default_factory=dict)
    incomes: list[Income] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)
    margin_changes: list[MarginChange] = field(default_factory=list)
    countdowns: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Whose account it is."""
        return self.spec.name

    @property
    def cross_wallet(self) -> int:
        """Wallet without what isolated positions have of it."""
        return self.wallet - self.isolated_total

    def position(self, symbol: str) -> Position:
        """Find or make the position of a symbol."""
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = Position(symbol)
        return found

    def set_isolated(self, position: Position, amount: int) -> None:
        """Let `amount` of the wallet stand behind an isolated position, no more and no less."""
        self.isolated_total += amount - position.isolated_wallet
        position.isolated_wallet = amount

    def note_activity(self, position: Position) -> None:
        """Keep `active` as its name says."""
        if position.is_active:
            self.active[position.symbol] = position
        else:
            self.active.pop(position.symbol, None)
