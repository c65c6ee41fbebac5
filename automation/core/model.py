"""What is known, wished and decided about a fleet, as immutable values.

A *unit* is a process that is supervised: the simulator or a bot. Facts are what runner and API
showed, a `Verdict` is what they mean, an `Action` is what to do about it. Durations are measured
on the supervisor's monotonic clock (`…_s`), instants of the market on the wall (`…_epoch_s`).
`BotStatus` and `FleetStatus` are the forms that `freqfleet status --json` prints; fields are
added to them, never renamed. Made by `fleet`, read by everybody.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from automation.core.vitals import NO_VITALS, Remedy, Rung, Vitals

SIMULATOR = "_simulator"
"""Name of the simulator's unit; no bot can be called so."""


KILLED_FOR_MEMORY = "it was killed, for it used more memory than its limit"
"""The last words of a unit that the kernel ended for its memory."""


class BotState(StrEnum):
    """Where a bot is in its life."""

    STOPPED = "stopped"
    QUEUED = "queued"
    STARTING = "starting"
    WARMING = "warming"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"
    QUARANTINED = "quarantined"
    FAILED = "failed"


class Health(StrEnum):
    """How well a bot does what it should."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Wish(StrEnum):
    """What the operator wants of a unit; it survives the supervisor."""

    RUN = "run"
    PAUSE = "pause"
    DRAIN = "drain"  # enter no trades, and stop once none is open
    STOP = "stop"


class ActionKind(StrEnum):
    """What can be done to a unit."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    RELOAD = "reload"
    DRAIN = "drain"
    HALT = "halt"  # stop entries, by the supervisor's own decision
    RELEASE = "release"  # take that back
    QUARANTINE = "quarantine"


class Request(StrEnum):
    """What an operator asks of a bot by hand, beyond a lasting wish."""

    RESTART = "restart"
    PAUSE = "pause"
    RESUME = "resume"
    RELOAD = "reload"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told apart from a later one with the same pid, also after a reboot."""

    pid: int
    start: int  # in ticks of the kernel's clock since the boot, or µs since 1970 off Linux
    boot: str


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What the runner sees of a unit."""

    identity: Identity | None = None  # of the living process, or of the one that ended
    is_alive: bool = False
    is_adopted: bool = False  # started by an earlier supervisor
    since_s: float = 0.0  # when it came up, or ended
    seen_s: float = 0.0  # since when this supervisor watches it; what it has seen counts from here
    exit_code: int | None = None  # negative: the signal; None: unknown, for it was adopted
    last_words: str = ""  # the end of its log, once it ended
    unbounded: str = ""  # which of its limits nobody enforces, and why


@dataclass(frozen=True, slots=True)
class ApiFacts:
    """What a unit's own API last said."""

    answered_s: float | None = None  # the last good answer
    failing_since_s: float | None = None  # the first failure since then
    problem: str = ""  # the last failure, as half a sentence
    is_refused: bool = False  # it answers, but refuses the login
    trader: str = ""  # Freqtrade's own state: running, paused, stopped, reload_config
    looped_epoch_s: float | None = None
    candle_closed_epoch_s: float | None = None  # the oldest last candle among its pairs
    candle_pair: str = ""  # the pair of that candle
    timeframe_s: int = 0
    open_trades: int = 0
    closed_trades: int = 0
    profit_usdt: float = 0.0
    balance_usdt: float | None = None
    pairs: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class RestartMemory:
    """What restarts depend on."""

    restarts: int = 0  # all of them, for people
    streak: int = 0  # failures without ten healthy minutes between them
    not_before_s: float = 0.0
    healthy_since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """How one rung of the health ladder is, with the evidence as a sentence."""

    rung: Rung
    health: Health
    evidence: str
    is_due: bool = False  # bad enough for a remedy
    since_s: float = 0.0  # since when it is as it is


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason for which the supervisor keeps a bot from entering trades."""

    cause: str  # a rung, `trades` or `quarantine`
    reason: str
    needs_person: bool  # else it is lifted once its rung is healthy again


@dataclass(frozen=True, slots=True)
class RemedyMemory:
    """How far the remedies for a failing rung have gone."""

    rung: Rung | None = None
    tried: tuple[Remedy, ...] = ()
    at_s: float = 0.0  # of the last one


class Dependency(StrEnum):
    """What all bots of a fleet lean on."""

    SIMULATOR = "simulator"
    EXCHANGE = "exchange"
    DISK = "disk"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether a dependency is believed to fail; while it does nobody is restarted for it."""

    dependency: Dependency
    reason: str = ""  # "" while the dependency is fine
    failed_s: float = 0.0  # the last evidence
    is_trial: bool = False  # it seems well again; one bot at a time may try

    @property
    def is_open(self) -> bool:
        """Whether the dependency counts as failing."""
        return bool(self.reason)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the facts mean, with the reason as one sentence."""

    state: BotState
    health: Health
    reason: str


@dataclass(frozen=True, slots=True)
class UnitSnapshot:
    """All that is known about one unit at one moment."""

    name: str
    process: ProcessFacts = ProcessFacts()
    api: ApiFacts = ApiFacts()
    memory: RestartMemory = RestartMemory()
    busy: ActionKind | None = None  # an action on it is under way
    blocked: str = ""  # why the last start did not come about
    is_outdated: bool = False  # adopted, and it runs another configuration than the fleet file's
    changing: str = ""  # what is under way with a change of its strategy or configuration
    verdict: Verdict = Verdict(BotState.QUEUED, Health.UNKNOWN, "")
    vitals: Vitals = NO_VITALS
    findings: tuple[Finding, ...] = ()  # the whole ladder, settled
    holds: tuple[Hold, ...] = ()
    is_halted: bool = False  # its entries were stopped for a hold, not by an operator
    remedy: RemedyMemory = RemedyMemory()
    quarantine: str = ""  # why it is not tried any more
    had_trades: bool = False  # when its process was last seen

    @property
    def is_simulator(self) -> bool:
        """Whether this is the simulator."""
        return self.name == SIMULATOR


@dataclass(frozen=True, slots=True)
class HostLoad:
    """How busy the machine is."""

    cpu_frac: float | None = None  # of all cores, over the last minute; None before it is known
    memory_frac: float | None = None
    is_cpu_scarce: bool = False  # new bots start one at a time
    is_memory_scarce: bool = False  # none starts


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """All that is known about the fleet at one moment."""

    fleet: str
    taken_at: datetime
    now_s: float
    units: tuple[UnitSnapshot, ...]
    is_going_down: bool = False
    breakers: tuple[Breaker, ...] = ()
    restarts_s: tuple[float, ...] = ()  # when bots were restarted for a failure
    host: HostLoad = HostLoad()

    @property
    def simulator(self) -> UnitSnapshot | None:
        """The simulator, where the fleet has one."""
        return next((unit for unit in self.units if unit.is_simulator), None)

    @property
    def bots(self) -> tuple[UnitSnapshot, ...]:
        """The bots, in the fleet file's order."""
        return tuple(unit for unit in self.units if not unit.is_simulator)


@dataclass(frozen=True, slots=True)
class DesiredUnit:
    """What one unit should be."""

    name: str
    wish: Wish = Wish.RUN
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class DesiredFleet:
    """What the fleet should be."""

    units: tuple[DesiredUnit, ...]
    starts_at_once: int = 4  # more at a time only make each other slower


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, and why."""

    kind: ActionKind
    unit: str
    reason: str
    is_remedy: bool = False  # it answers a failure, so it counts for the back-off
    remedy: Remedy | None = None
    rung: Rung | None = None  # the failing rung that it answers


class RungStatus(BaseModel):
    """One rung of a bot's health ladder, as `status --json` prints it."""

    model_config = ConfigDict(frozen=True)

    rung: Rung = Field(description="The rung, from the ground up.")
    health: Health = Field(description="How it is.")
    evidence: str = Field(description="What was seen, in one sentence.")
    for_s: float = Field(description="For how long it has been so, in seconds.")


class GuardStatus(BaseModel):
    """One guard of a bot or of the fleet, as `status --json` prints it."""

    model_config = ConfigDict(frozen=True)

    guard: str = Field(description="`drawdown`, `daily loss`, `losing streak` or `targets`.")
    value: float | None = Field(None, description="How far it is: a fraction, or trades in a row.")
    limit: float | None = Field(None, description="Where it stops entries.")
    tripped: bool = Field(False, description="Whether it stops entries now.")
    until: datetime | None = Field(
        None, description="When it ends by itself; without it a person must resume."
    )


class BotStatus(BaseModel):
    """One bot, as `status --json` prints it."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="The bot's name in the fleet file.")
    strategy: str = Field(description="Class name of its strategy.")
    mode: str = Field(description="`dry-run` or `live`.")
    state: BotState = Field(description="Where it is in its life.")
    health: Health = Field(description="How well it does what it should.")
    reason: str = Field(description="Why, in one sentence.")
    pid: int | None = Field(None, description="Its process, while it is alive.")
    api_url: str = Field(description="Address of its REST API, for FreqUI and for scripts.")
    uptime_s: float | None = Field(None, description="Age of its process, in seconds.")
    restarts: int = Field(0, description="How often it was started again after a failure.")
    open_trades: int | None = Field(None, description="Trades open now.")
    closed_trades: int | None = Field(None, description="Trades closed so far.")
    profit_usdt: float | None = Field(None, description="Profit, open trades included, in USDT.")
    balance_usdt: float | None = Field(None, description="Value of its wallet, in USDT.")
    last_candle_age_s: float | None = Field(
        None, description="Time since its oldest last candle closed, in seconds."
    )
    last_loop_age_s: float | None = Field(
        None, description="Time since it last looped, in seconds."
    )
    adopted: bool = Field(False, description="Whether an earlier supervisor started it.")
    outdated: bool = Field(
        False, description="Whether it still runs an older configuration; restart it to apply."
    )
    changing: str = Field(
        "", description="What is under way with a change of its strategy or configuration."
    )
    memory_mb: float | None = Field(None, description="Memory of its process, in MB.")
    cpu_cores: float | None = Field(None, description="CPU of its process, in cores.")
    unbounded: str = Field(
        "", description="Which of its limits the system does not enforce, and why."
    )
    failing: Rung | None = Field(None, description="The lowest rung of its ladder that fails.")
    ladder: tuple[RungStatus, ...] = Field((), description="Its health ladder, from the ground up.")
    holds: tuple[str, ...] = Field((), description="Why the supervisor has stopped its entries.")
    guards: tuple[GuardStatus, ...] = Field((), description="How far its guards are.")


class FleetStatus(BaseModel):
    """The whole fleet, as `status --json` prints it."""

    model_config = ConfigDict(frozen=True)

    fleet: str = Field(description="The fleet's name.")
    healthy: bool = Field(description="Whether every bot that should run is healthy.")
    bots: tuple[BotStatus, ...] = Field(description="The bots, in the fleet file's order.")
    supervisor_pid: int | None = Field(None, description="The supervisor, while one runs.")
    simulator: BotStatus | None = Field(None, description="The simulator, where there is one.")
    taken_at: datetime = Field(description="When this was true.")
    dependencies: dict[Dependency, str] = Field(
        {}, description="What all bots lean on and fails now, with the reason."
    )
    guards: tuple[GuardStatus, ...] = Field((), description="How far the fleet's guards are.")
    host_cpu_frac: float | None = Field(
        None, description="CPU of the machine in use, of all cores, over the last minute."
    )
    host_memory_frac: float | None = Field(None, description="Memory of the machine in use.")
    market_at: datetime | None = Field(
        None, description="The market's time then, where it is not the clock's."
    )
    speed: float = Field(1.0, description="How many times as fast as the clock the market runs.")
