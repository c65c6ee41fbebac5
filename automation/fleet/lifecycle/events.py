"""The kinds of events that tell how changes reach bots. Imported by `kinds`."""

from automation.journal import Facts, define


class Rehearsed(Facts):
    """A changed strategy or configuration was tried in a process of its own."""

    changed: str
    passed: bool
    verdict: str
    took_s: float


class Waits(Facts):
    """A change that passed waits for its moment."""

    changed: str
    waits_for: str


class Changed(Facts):
    """A bot runs with what was changed from now on."""

    changed: str
    how: str  # reload, restart


class Applied(Facts):
    """A changed fleet file holds from now on, for the fleet that runs."""

    changes: tuple[str, ...]
    """One sentence each: which bot, which field, from what to what, and what is done for it."""


define("bot.rehearsed", Rehearsed, "The changed {changed} of {bot}: {verdict}")
define("bot.change_waits", Waits, "{bot} takes the changed {changed} once {waits_for}")
define("bot.changed", Changed, "{bot} runs with the changed {changed} from now on, by a {how}")
define(
    "fleet.applied",
    Applied,
    lambda event, said: f"{event.actor} changed the fleet: {'; '.join(said.changes)}",
    topics=["risk limit"],
)
