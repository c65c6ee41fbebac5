"""What is asked of the exchange, and the orders that came of it.

Decides what an order is and what it remembers. Refuses to know matching and money rules. Made by
`entry` and `conditional`, changed by `matching`; read by the endpoints.
"""

from dataclasses import dataclass, field
from typing import Literal

from automation.simulator.trading.events import AlgoStatus, OrderStatus, Side
from automation.simulator.trading.records import record

TimeInForce = Literal["GTC", "IOC", "FOK", "GTX", "GTD"]
LIMIT_KINDS = frozenset({"LIMIT", "STOP", "TAKE_PROFIT"})
CONDITIONAL_KINDS = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"})


@record
class OrderRequest:
    """One order as it is asked for; prices in ticks, quantities in steps."""

    symbol: str
    side: Side
    kind: str
    quantity: int = 0
    price: int = 0
    time_in_force: TimeInForce = "GTC"
    reduce_only: bool = False
    close_position: bool = False
    trigger_price: int = 0
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    client_id: str = ""
    self_trade_mode: str = "EXPIRE_MAKER"
    good_till_ms: int = 0


@dataclass(slots=True)
class Order:
    """A limit or market order that was accepted; `account` is whose."""

    account: str
    order_id: int
    client_id: str
    symbol: str
    side: Side
    kind: str
    original_kind: str
    time_in_force: TimeInForce
    quantity: int
    price: int
    reduce_only: bool
    close_position: bool
    trigger_price: int
    working_type: str
    price_protect: bool
    self_trade_mode: str
    good_till_ms: int
    created_ms: int
    updated_ms: int
    status: OrderStatus = "NEW"
    filled: int = 0
    filled_notional: int = 0
    rank: int = 0
    """Place in time among orders of one price; a changed price loses it."""
    resting_ms: int = 0
    """Since when it rests; what was traded before does not fill it."""
    held: int = 0
    """Notional that the open remainder reserves margin for."""
    algo_id: int = 0
    auto_close: str = ""

    sign: int = field(init=False)
    """1 for a buy, -1 for a sell."""

    def __post_init__(self) -> None:
        """Work out the sign once: it is asked for dozens of times."""
        self.sign = 1 if self.side == "BUY" else -1

    @property
    def remaining(self) -> int:
        """Steps not filled yet."""
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order that waits for its trigger, or has become an order."""

    account: str
    algo_id: int
    client_id: str
    request: OrderRequest
    created_ms: int
    updated_ms: int
    fires_when_rising: bool
    status: AlgoStatus = "NEW"
    triggered_ms: int = 0
    order_id: int = 0
    order: Order | None = None
    reject_reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.status == "NEW"


@record
class Fill:
    """One execution of an order, for userTrades."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: int
    quantity: int
    notional: int
    commission: int
    realized_pnl: int
    is_maker: bool
    at_ms: int


@record
class Amendment:
    """One change of an order's price or quantity."""

    amendment_id: int
    order_id: int
    client_id: str
    symbol: str
    at_ms: int
    price: tuple[int, int]
    quantity: tuple[int, int]
    count: int


@dataclass(slots=True)
class Countdown:
    """All orders of a symbol are cancelled when it runs out."""

    due_ms: int
    symbols: set[str] = field(default_factory=set)
