"""What is seen of a bot beyond that it answers, as immutable values.

Facts only: its orders, stops, candles, what its log says, what it uses. The rungs of the health
ladder and the remedies are named here too, because facts, verdicts and actions share the words.
Made by `fleet.ladder`'s sensors, read by everybody.
"""

from dataclasses import dataclass
from enum import StrEnum


class Rung(StrEnum):
    """The rungs of the health ladder, from the ground up."""

    PROCESS = "process"
    API = "api"
    LOGIN = "login"
    TRADER = "running"
    LOOP = "loop"
    CANDLES = "candles"
    SIGNALS = "signals"
    EXCHANGE = "exchange"
    CLOCK = "clock"
    ORDERS = "orders"
    STOPS = "stops"
    DATABASE = "database"
    RESOURCES = "resources"
    LOG = "log"


class Remedy(StrEnum):
    """What a supervisor does about a failing rung, cheapest first."""

    RELOAD = "reload"
    HALT = "halt"
    RESTART = "restart"
    REPLACE = "replace"
    QUARANTINE = "quarantine"


class Topic(StrEnum):
    """What a line of a bot's log can be about."""

    EXCHANGE = "exchange"
    BAN = "ban"
    CLOCK = "clock"
    DATABASE = "database"
    DISK = "disk"
    FELL = "fell"  # Freqtrade stopped its trader after an error
    ERROR = "error"  # any line of level ERROR or above


@dataclass(frozen=True, slots=True)
class Mention:
    """How often a log spoke of one topic lately."""

    topic: Topic
    count: int  # within the last minutes that the sensor looks back
    first_s: float
    last_s: float
    words: str  # the last such line


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is not filled or cancelled yet, a stop excepted."""

    trade_id: int
    pair: str
    is_entry: bool
    placed_epoch_s: float


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """An open trade, as far as supervision needs it."""

    trade_id: int
    opened_ms: int
    pair: str
    is_short: bool
    amount: float
    has_stop: bool  # a stop order is open, as the bot reports
    filled_epoch_s: float | None  # of its first entry; None while nothing is filled


@dataclass(frozen=True, slots=True)
class AtExchange:
    """What the exchange itself said of a bot's stops, asked with a key that may only read."""

    asked_s: float  # when it last answered
    problem: str = ""  # why it did not answer since
    lacking: tuple[tuple[int, int], ...] = ()  # trade without its stop, in how many looks in a row


@dataclass(frozen=True, slots=True)
class Usage:
    """What a bot's process uses, and what its disk has left; None where it cannot be seen."""

    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_cores: float | None = None
    files: int | None = None
    files_limit: int | None = None
    disk_free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """All of it, for one bot at one moment."""

    needs_stops: bool = False  # live, and its stops are to stand at the exchange
    order_limit_s: float | None = None  # its own time-out of unfilled orders
    trades: tuple[OpenTrade, ...] = ()
    orders: tuple[OpenOrder, ...] = ()
    candles: tuple[tuple[str, float], ...] = ()  # pair, close of its last candle, epoch seconds
    analyzed: tuple[tuple[str, float], ...] = ()  # pair, when its signals were computed
    without_signals: str = ""  # a pair whose dataframe has no signal columns
    log: tuple[Mention, ...] = ()
    usage: Usage = Usage()
    seen_s: float | None = None  # when trades and orders were seen
    at_exchange: AtExchange | None = None  # None where nobody can ask

    def mention(self, topic: Topic) -> Mention | None:
        """Find what the log said of a topic lately."""
        return next((mention for mention in self.log if mention.topic is topic), None)


NO_VITALS = Vitals()
