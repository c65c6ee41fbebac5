"""What the exchange tells: one frozen record for each thing that happened to an account or in public.

Decides the words between the exchange and everything that listens: user data streams, faults, the
event log, tests. Refuses to know JSON and Binance's letters; listeners translate. Emitted by
`exchange`, in order of `seq`, which has no holes.

Units: prices are whole ticks, quantities whole steps, money whole 1e-8 of the quote currency,
rates and mark prices whole 1e-8; `units.Contract` writes them as text. Instants are epoch
milliseconds of the served time.
"""

from typing import Literal

from automation.simulator.trading.records import record

Side = Literal["BUY", "SELL"]
Execution = Literal["NEW", "TRADE", "CANCELED", "EXPIRED", "AMENDMENT", "CALCULATED"]
OrderStatus = Literal[
    "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"
]
AlgoStatus = Literal[
    "NEW", "TRIGGERING", "TRIGGERED", "FINISHED", "CANCELED", "REJECTED", "EXPIRED"
]
MarginType = Literal["cross", "isolated"]
Reason = Literal[
    "DEPOSIT",
    "WITHDRAW",
    "ORDER",
    "FUNDING_FEE",
    "ADJUSTMENT",
    "INSURANCE_CLEAR",
    "MARGIN_TRANSFER",
    "MARGIN_TYPE_CHANGE",
]


@record
class OrderUpdate:
    """An order was accepted, filled, amended or ended (ORDER_TRADE_UPDATE)."""

    seq: int
    at_ms: int
    account: str
    symbol: str
    order_id: int
    client_id: str
    side: Side
    kind: str
    """Type now: LIMIT, MARKET; a triggered conditional order has the type it became."""
    original_kind: str
    time_in_force: str
    execution: Execution
    status: OrderStatus
    quantity: int
    price: int
    """Ticks; 0 for market orders."""
    trigger_price: int
    """Ticks; 0 where there is none."""
    filled_quantity: int
    filled_notional: int
    """Money; over `filled_quantity` it is the average price (`Contract.average_text`)."""
    last_quantity: int
    last_price: int
    commission: int
    realized_pnl: int
    trade_id: int
    """0 where nothing was traded."""
    is_maker: bool
    bids_notional: int
    asks_notional: int
    reduce_only: bool
    close_position: bool
    working_type: str
    price_protect: bool
    self_trade_mode: str
    price_match: str
    good_till_ms: int


@record
class BalanceLine:
    """One asset of an account after a change."""

    asset: str
    wallet: int
    cross_wallet: int
    change: int
    """Money that came or went, without profit and commission."""


@record
class PositionLine:
    """One position of an account after a change."""

    symbol: str
    size: int
    """Steps; negative for a short."""
    cost: int
    """Money at entry prices, with the sign of `size`; cost over size is the entry price."""
    realized_total: int
    unrealized: int
    margin_type: MarginType
    isolated_wallet: int


@record
class AccountUpdate:
    """Balances or positions changed (ACCOUNT_UPDATE)."""

    seq: int
    at_ms: int
    account: str
    reason: Reason
    balances: tuple[BalanceLine, ...]
    positions: tuple[PositionLine, ...]


@record
class EndangeredPosition:
    """One position of a margin call."""

    symbol: str
    size: int
    margin_type: MarginType
    isolated_wallet: int
    mark: int
    unrealized: int
    maintenance: int


@record
class MarginCall:
    """Positions came close to liquidation (MARGIN_CALL)."""

    seq: int
    at_ms: int
    account: str
    cross_wallet: int
    positions: tuple[EndangeredPosition, ...]


@record
class ConfigUpdate:
    """Leverage of a symbol, or the account's asset mode, changed (ACCOUNT_CONFIG_UPDATE)."""

    seq: int
    at_ms: int
    account: str
    symbol: str | None
    leverage: int | None
    multi_assets: bool | None


@record
class AlgoUpdate:
    """A conditional order changed (ALGO_UPDATE)."""

    seq: int
    at_ms: int
    account: str
    symbol: str
    algo_id: int
    client_id: str
    side: Side
    kind: str
    time_in_force: str
    status: AlgoStatus
    quantity: int
    trigger_price: int
    price: int
    working_type: str
    reduce_only: bool
    close_position: bool
    price_protect: bool
    self_trade_mode: str
    price_match: str
    good_till_ms: int
    triggered_ms: int
    order_id: int
    """The order that it became; 0 before."""
    actual_kind: str
    filled_quantity: int
    filled_notional: int
    reject_reason: str


@record
class Trade:
    """A fill as the public sees it."""

    seq: int
    at_ms: int
    account: None
    symbol: str
    trade_id: int
    price: int
    quantity: int
    buyer_is_maker: bool


@record
class Liquidation:
    """A position was taken over, as the public sees it (forceOrder)."""

    seq: int
    at_ms: int
    account: str
    """Whose it was; not for the public."""
    symbol: str
    order_id: int
    side: Side
    quantity: int
    price: int


@record
class FundingPaid:
    """An account paid (negative) or got funding for one position."""

    seq: int
    at_ms: int
    account: str
    symbol: str
    rate: int
    mark: int
    size: int
    amount: int


Event = (
    OrderUpdate
    | AccountUpdate
    | MarginCall
    | ConfigUpdate
    | AlgoUpdate
    | Trade
    | Liquidation
    | FundingPaid
)
