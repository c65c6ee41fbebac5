"""The kinds of events that the fleet writes, each with its form and its sentence.

What is told of a bot is told of the simulator too, as `simulator.*` instead of `bot.*`; `unit` is
the name for people. Imported by whoever reads or writes them.
"""

from automation.core.model import ActionKind, BotState, Health, Wish
from automation.fleet import sightings as _sightings  # noqa: F401  defines kinds as well
from automation.fleet import tempo_kinds as _tempo_kinds  # noqa: F401  the market's own time
from automation.fleet.guards import events as _guards  # noqa: F401
from automation.fleet.lifecycle import events as _lifecycle  # noqa: F401
from automation.fleet.remedies import events as _remedies  # noqa: F401
from automation.fleet.schedule import events as _schedule  # noqa: F401
from automation.journal import Facts, define


class FleetUp(Facts):
    """A supervisor took charge of a fleet."""

    fleet: str
    bots: int
    supervisor_pid: int
    adopted: tuple[str, ...] = ()


class TakenOver(Facts):
    """A supervisor that stood by took charge of a fleet."""

    fleet: str
    supervisor_pid: int
    reason: str


class FleetDown(Facts):
    """A fleet is being taken down, or is down."""

    fleet: str
    reason: str


class Started(Facts):
    """A unit's process was started, or found running."""

    unit: str
    pid: int
    api_url: str
    restarts: int = 0


class Ended(Facts):
    """A unit's process ended."""

    unit: str
    pid: int
    exit_code: int | None
    reason: str
    is_expected: bool


class Judged(Facts):
    """The verdict on a unit changed."""

    unit: str
    state: BotState
    health: Health
    was_state: BotState
    was_health: Health
    reason: str


class Decided(Facts):
    """Something is to be done to a unit."""

    unit: str
    action: ActionKind
    reason: str


class Done(Facts):
    """An action came about."""

    unit: str
    action: ActionKind
    took_s: float


class Failed(Facts):
    """An action did not come about."""

    unit: str
    action: ActionKind
    error: str


class Wished(Facts):
    """What a bot should do was changed, by an operator or through Freqtrade's own interfaces."""

    wish: Wish
    asked: str


class Moved(Facts):
    """A unit listens on another port, since its old one was taken."""

    unit: str
    old_port: int
    new_port: int
    taken_by: str


class FleetLive(Facts):
    """Bots of this fleet trade real money, as a person confirmed."""

    bots: str
    capital_usdt: float
    confirmed_at: str


class TradesKnown(Facts):
    """Where the account of a bot's trades begins: what was closed before is not told again."""

    database: str
    closed_total: int
    last_closed_id: int


class TradeOpened(Facts):
    """A bot opened a trade."""

    trade_id: int
    opened_ms: int
    pair: str
    side: str
    amount: float
    rate: float
    stake_usdt: float
    leverage: float
    tag: str


class TradeClosed(Facts):
    """A bot closed a trade."""

    trade_id: int
    opened_ms: int
    closed_ms: int
    pair: str
    side: str
    rate: float
    profit_usdt: float
    profit_frac: float
    reason: str


define("fleet.up", FleetUp, "Fleet {fleet} is up with {bots} bots; supervisor pid {supervisor_pid}")
define(
    "fleet.taken_over",
    TakenOver,
    "Supervisor pid {supervisor_pid} took fleet {fleet} over: {reason}",
)
define("fleet.going_down", FleetDown, "Fleet {fleet} goes down: {reason}")
define("fleet.down", FleetDown, "Fleet {fleet} is down: {reason}")
define(
    "fleet.live",
    FleetLive,
    "{actor} let {bots} trade {capital_usdt:g} USDT live, confirmed at {confirmed_at}",
    topics=["live trading"],
)

for _prefix in ("bot", "simulator"):
    define(f"{_prefix}.started", Started, "{unit} was started, pid {pid}, at {api_url}")
    define(f"{_prefix}.adopted", Started, "{unit} was found running, pid {pid}, and adopted")
    define(f"{_prefix}.exited", Ended, "{unit} (pid {pid}): {reason}")
    define(f"{_prefix}.state", Judged, "{unit} is {state}: {reason}")
    define(f"{_prefix}.healthy", Judged, "{unit} is healthy: {reason}")
    define(f"{_prefix}.degraded", Judged, "{unit} is degraded: {reason}")
    define(f"{_prefix}.unhealthy", Judged, "{unit} is unhealthy: {reason}")
    define(
        f"{_prefix}.moved",
        Moved,
        "{unit} moved from port {old_port}, taken by {taken_by}, to {new_port}",
    )

define("bot.wished", Wished, "{actor} asked {bot} to {asked}", topics=["stop"])
define("action.decided", Decided, "Decided to {action} {unit}: {reason}")
define("action.done", Done, "{action} of {unit} done in {took_s:.1f} s")
define("action.failed", Failed, "{action} of {unit} failed: {error}")
define("trade.known", TradesKnown, "{bot} brings {closed_total} trades closed before")
define(
    "trade.opened",
    TradeOpened,
    "{bot} opened {side} {pair} at {rate:g}: stake {stake_usdt:.2f} USDT, leverage {leverage:g}",
)
define(
    "trade.closed",
    TradeClosed,
    "{bot} closed {side} {pair} at {rate:g}: {profit_usdt:+.2f} USDT ({profit_frac:+.2%}), {reason}",
)
