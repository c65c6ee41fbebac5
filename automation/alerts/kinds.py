"""The kinds of events that the alerts write, each with its form and its sentence.

The state of the alerts is a fold over them (`state.apply`), so they hold all that it needs. Times
are microseconds since 1970 on the alerts' own steady time, which never goes back. No field is
called `key`: the journal would take it for a secret.
"""

from typing import Any

from automation.alerts.severity import Severity
from automation.journal import Facts, define


class Pending(Facts):
    """A rule's condition holds, but not yet for long or often enough."""

    id: str
    rule: str
    severity: Severity
    labels: dict[str, str]
    facts: dict[str, Any]
    at_us: int
    times_us: tuple[int, ...] = ()


class Fired(Facts):
    """An alert is raised, and where it will be told."""

    id: str
    rule: str
    severity: Severity
    labels: dict[str, str]
    facts: dict[str, Any]
    since_us: int
    at_us: int
    targets: tuple[str, ...]
    once: bool = False
    level: int = 0


class Seen(Facts):
    """What raised an alert happened again, or its facts changed."""

    id: str
    facts: dict[str, Any]
    at_us: int


class Resolved(Facts):
    """An alert ended."""

    id: str
    reason: str
    at_us: int


class Dropped(Facts):
    """Something will not be told: everywhere, or to one group."""

    ids: tuple[str, ...]
    reason: str
    group: str = ""


class Muted(Facts):
    """Alerts are not told to a group for now; without a reason they are no longer held back."""

    group: str
    ids: tuple[str, ...]
    reason: str


class GroupTold(Facts):
    """Which alerts of a group a message tells for the first time, and which it ends."""

    told: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


class Told(Facts):
    """A message to a channel was decided and put into the outbox."""

    message: str
    channel: str
    number: int
    groups: dict[str, GroupTold]
    severity: Severity
    firing: int
    ended: int
    reason: str
    is_digest: bool
    at_us: int
    part: int = 0


class Escalated(Facts):
    """Nobody acknowledged, so the next step hears of it; targets by alert."""

    step: str
    level: int
    targets: dict[str, tuple[str, ...]]
    at_us: int


class Routed(Facts):
    """Alerts go elsewhere from now on; targets by alert."""

    targets: dict[str, tuple[str, ...]]
    reason: str
    at_us: int


class HandedOver(Facts):
    """Somebody else is on call."""

    person: str
    was: str
    alerts: int


class Acknowledged(Facts):
    """Somebody takes care of alerts: they are neither repeated nor escalated."""

    ids: tuple[str, ...]
    note: str = ""


class Silenced(Facts):
    """Somebody silenced what matches, until an instant."""

    id: str
    match: dict[str, Any]
    reason: str
    until_us: int


class Unsilenced(Facts):
    """Somebody ended a silence before its time."""

    id: str


class Delivered(Facts):
    """A channel took a message."""

    messages: tuple[str, ...]
    channel: str
    attempts: int
    took_s: float
    instead_of: str = ""


class Undelivered(Facts):
    """A channel did not take a message; what happens next is in `then`."""

    messages: tuple[str, ...]
    channel: str
    attempts: int
    error: str
    then: str


class ChannelState(Facts):
    """A channel stopped working, or works again."""

    channel: str
    reason: str


class PolicyLoaded(Facts):
    """Alerts are judged by these rules from now on."""

    digest: str
    rules: int
    channels: tuple[str, ...]


class HeartbeatState(Facts):
    """The sign of life is not taken, or is taken again."""

    reason: str


class Asked(Facts):
    """Somebody asked for something by Telegram."""

    update: int
    chat: int
    user: int
    command: str


class Answered(Facts):
    """What came of it."""

    command: str
    outcome: str


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


define("alert.pending", Pending, "{rule} may become an alert ({id})")
define("alert.fired", Fired, "{severity} alert {rule} ({id})")
define("alert.seen", Seen, "Alert {id} still holds")
define("alert.resolved", Resolved, "Alert {id} ended: {reason}")
define(
    "alert.dropped",
    Dropped,
    lambda _, it: f"{_listed(it.ids)} will not be told {it.group}: {it.reason}",
)
define(
    "alert.muted",
    Muted,
    lambda _, it: (
        f"{_listed(it.ids)} held back from {it.group}: {it.reason}"
        if it.reason
        else f"{_listed(it.ids)} no longer held back from {it.group}"
    ),
)
define(
    "alert.told", Told, "Message {message} for {channel}: {firing} firing, {ended} ended ({reason})"
)
define(
    "alert.escalated",
    Escalated,
    lambda _, it: f"Nobody acknowledged {_listed(tuple(it.targets))}: escalated to {it.step}",
)
define("alert.routed", Routed, "Routed anew: {reason}")
define("alert.handed_over", HandedOver, "{person} is on call after {was}; {alerts} alerts go along")
define(
    "alert.acknowledged",
    Acknowledged,
    lambda event, it: f"{event.actor} takes care of {_listed(it.ids)} {it.note}".rstrip(),
)
define("alert.silenced", Silenced, "{actor} silenced {match} ({id}): {reason}")
define("alert.unsilenced", Unsilenced, "{actor} ended silence {id}")
define(
    "alert.delivered",
    Delivered,
    lambda _, it: f"{it.channel} took {_listed(it.messages)} at attempt {it.attempts}",
)
define(
    "alert.undelivered",
    Undelivered,
    lambda _, it: f"{it.channel} did not take {_listed(it.messages)}: {it.error}; {it.then}",
)
define("alert.channel_broken", ChannelState, "Channel {channel} does not work: {reason}")
define("alert.channel_mended", ChannelState, "Channel {channel} works again: {reason}")
define(
    "alert.policy",
    PolicyLoaded,
    lambda _, it: f"Alerts follow {it.rules} rules and tell {_listed(it.channels) or 'nobody'}",
)
define("alert.heartbeat_refused", HeartbeatState, "The sign of life is not taken: {reason}")
define("alert.heartbeat_taken", HeartbeatState, "The sign of life is taken again: {reason}")
define("telegram.asked", Asked, "{actor} asked by Telegram: {command}")
define(
    "telegram.refused",
    Answered,
    "{actor} was refused {command} by Telegram: {outcome}",
    topics=["refused login"],
)
define("telegram.answered", Answered, "{command} by Telegram: {outcome}")
