"""The kinds of events that remedies write. Imported by `kinds`."""

from automation.core.model import Dependency
from automation.journal import Facts, define


class Held(Facts):
    """The supervisor stopped a bot's entries."""

    cause: str
    reason: str
    needs_person: bool


class Released(Facts):
    """Nothing keeps a bot's entries stopped any more."""

    reason: str


class Quarantined(Facts):
    """A bot is not tried any more until a person sees to it."""

    reason: str


class TradesDiffer(Facts):
    """After a restart a bot's open trades are not those of before."""

    difference: str
    before: int
    after: int


class TradesAgree(Facts):
    """After a restart a bot's open trades are those of before."""

    trades: int


class DependencyFails(Facts):
    """Something that all bots lean on fails; nobody is restarted for it."""

    dependency: Dependency
    reason: str


class DependencyWell(Facts):
    """It is well again; bots are started one at a time at first."""

    dependency: Dependency


define("bot.held", Held, "{bot} enters no trades: {reason}")
define("bot.released", Released, "{bot} may enter trades again: {reason}")
define("bot.quarantined", Quarantined, "{bot} is quarantined: {reason}")
define(
    "bot.trades_differ",
    TradesDiffer,
    "After its restart {bot} has other open trades than before: {difference}; a person must look",
)
define("bot.trades_agree", TradesAgree, "After its restart {bot} has the {trades} trades of before")
define(
    "dependency.fails",
    DependencyFails,
    "The {dependency} fails ({reason}); no bot is restarted for it",
)
define("dependency.well", DependencyWell, "The {dependency} is well again")
