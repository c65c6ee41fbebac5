"""The kinds of events that tell what was seen: of positions, equity, exchange, host, and said.

Appended on change, never on a beat: who looks (`positions`, `equity`, `exchange`, `host`, `feed`)
decides what is a change. Imported by `kinds`.
"""

from automation.journal import Facts, define


class PositionObserved(Facts):
    """An open position moved: how far it is from liquidation, and what holding it costs."""

    trade_id: int
    pair: str
    side: str
    leverage: float
    rate: float
    liquidation_rate: float | None = None
    liquidation_distance_frac: float | None = None
    """Of the present rate; None when the bot knows no liquidation rate."""
    funding_rate_frac: float | None = None
    """What this side pays at the next funding, of its notional; below zero it is paid."""
    profit_usdt: float | None = None


class EquityObserved(Facts):
    """The equity of a bot moved, or of all bots together where no bot is named."""

    equity_usdt: float
    peak_usdt: float
    drawdown_frac: float
    day: str
    """The day of UTC that `day_frac` is about."""
    day_start_usdt: float
    day_frac: float
    capital_usdt: float
    closed_trades: int


class HostObserved(Facts):
    """The disk that holds the state folder filled or emptied."""

    disk_free_frac: float
    disk_free_gb: float


class HostBusy(Facts):
    """The machine became too busy for further bots, or eased."""

    cpu_frac: float | None
    memory_frac: float


class WeightObserved(Facts):
    """How much of the exchange's request weight this address uses changed."""

    used: int
    limit: int
    used_frac: float


class ExchangeBanned(Facts):
    """The exchange refuses this address, after too many requests."""

    status: int
    retry_after_s: float
    reason: str


class ExchangeDown(Facts):
    """The exchange does not answer."""

    reason: str


class ExchangeUp(Facts):
    """The exchange answers again."""

    down_s: float


class BotSaid(Facts):
    """A bot said something: a warning, an exception, a change of status, a lock of a pair."""

    what: str
    """Freqtrade's own name of the message."""
    text: str


class OrderNoticed(Facts):
    """A bot placed an order, or gave one up; told as it is heard, and not again after a gap."""

    trade_id: int
    pair: str
    side: str
    purpose: str
    """`entry` or `exit`."""
    rate: float
    amount: float
    reason: str = ""


class StopMissing(Facts):
    """A position is open, and nothing would close it if the market turned."""

    trade_id: int
    pair: str
    open_s: float
    """For how long, in seconds, as far as it was seen."""


class StopPlaced(Facts):
    """A position that was without a stop has one, or is closed."""

    trade_id: int
    pair: str


class PositionsDiffer(Facts):
    """A bot's account holds another position of a pair than its trades say."""

    pair: str
    held: float
    """What the account holds, as the bot last read it; shorts below zero."""
    known: float
    """What the bot's open trades come to."""


class PositionsAgree(Facts):
    """A bot's account and its trades agree again, or an order of the pair is under way."""

    pair: str


class OrderStuck(Facts):
    """An order is open for longer than it should be, or is so no longer."""

    trade_id: int
    pair: str
    order_id: str
    side: str
    age_s: float


define(
    "position.observed",
    PositionObserved,
    lambda event, seen: (
        f"{event.bot} holds {seen.side} {seen.pair} at {seen.rate:g}"
        + _percent(", {} from liquidation", seen.liquidation_distance_frac)
        + _percent(", funding {}", seen.funding_rate_frac)
    ),
)
define(
    "equity.observed",
    EquityObserved,
    lambda event, seen: (
        f"{event.bot or 'The fleet'} is worth {seen.equity_usdt:.2f} USDT, "
        f"{seen.drawdown_frac:.2%} below its peak, {seen.day_frac:+.2%} today"
    ),
)
define(
    "host.observed",
    HostObserved,
    "{disk_free_frac:.0%} of the disk is free ({disk_free_gb:.1f} GB)",
)
define(
    "host.busy",
    HostBusy,
    lambda _event, said: (
        f"The machine is busy ({_busy(said)}): new bots wait, or start one at a time"
    ),
)
define("host.eased", HostBusy, lambda _event, said: f"The machine has eased ({_busy(said)})")
define("exchange.weight", WeightObserved, "{used} of {limit} of the request weight is used")
define("exchange.banned", ExchangeBanned, "The exchange refuses this address: {reason}")
define("exchange.down", ExchangeDown, "The exchange does not answer: {reason}")
define("exchange.up", ExchangeUp, "The exchange answers again after {down_s:.0f} s")
define("bot.said", BotSaid, "{bot} says ({what}): {text}")
define(
    "order.placed",
    OrderNoticed,
    "{bot} placed an order for {side} {pair} ({purpose}): {amount:g} at {rate:g}",
)
define(
    "order.canceled",
    OrderNoticed,
    "{bot} gave up an order for {side} {pair} ({purpose}): {reason}",
)
define("bot.stop_missing", StopMissing, "{bot} holds {pair} without a stop for {open_s:.0f} s")
define("bot.stop_placed", StopPlaced, "{bot} guards {pair} again, or has closed it")
define(
    "bot.positions_differ",
    PositionsDiffer,
    "The account of {bot} holds {held:g} of {pair}, its trades say {known:g}; a person must look",
)
define("bot.positions_agree", PositionsAgree, "The account of {bot} holds of {pair} what it should")
define("order.stuck", OrderStuck, "{bot} waits for an order for {pair} for {age_s:.0f} s")
define("order.settled", OrderStuck, "{bot} waits no longer for an order for {pair}")


def _busy(said: HostBusy) -> str:
    cpu = "" if said.cpu_frac is None else f"{said.cpu_frac:.0%} of the CPU, "
    return f"{cpu}{said.memory_frac:.0%} of the memory"


def _percent(template: str, frac: float | None) -> str:
    return "" if frac is None else template.format(f"{frac:.2%}")
