"""The alerts' state: alerts, groups, silences; a fold over the journal's `alert.*` events.

`apply` is the only way in which it changes, live and when it is rebuilt alike. Refuses to decide
anything. `checked_us` and `due_us` of groups are only the timers' memory: they are not part of the
account, and rebuilt by the core.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from automation.alerts.matching import Test, Tests
from automation.alerts.severity import Severity

_TESTS: TypeAdapter[dict[str, Test]] = TypeAdapter(Tests)
NEVER = -1


class Status(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One condition that holds, or did until just now."""

    id: str
    rule: str
    severity: Severity
    labels: Mapping[str, str]
    facts: Mapping[str, Any]
    status: Status
    since_us: int
    seen_us: int
    fired_us: int = NEVER
    resolved_us: int = NEVER
    times_us: tuple[int, ...] = ()
    once: bool = False
    targets: tuple[str, ...] = ()
    level: int = 0
    told_us: int = NEVER
    acked_by: str = ""

    @property
    def bot(self) -> str:
        """The bot it is about; "" when none."""
        return self.labels.get("bot", "")

    @property
    def is_open(self) -> bool:
        """Whether it fires and nobody takes care of it."""
        return self.status is Status.FIRING and not self.acked_by


@dataclass(slots=True)
class Group:
    """Alerts that one route tells together to one channel."""

    key: str
    created_us: int
    members: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    muted: dict[str, str] = field(default_factory=dict)
    last_us: int = NEVER
    checked_us: int = field(default=NEVER, compare=False)
    due_us: int = field(default=NEVER, compare=False)

    @property
    def route(self) -> str:
        """The route that it belongs to."""
        return self.key.split("|", 1)[0]

    @property
    def channel(self) -> str:
        """The channel that it is told to."""
        return self.key.split("|", 2)[1]

    @property
    def title(self) -> str:
        """What its alerts have in common, like `rule=bot-down`."""
        return self.key.split("|", 2)[2]

    def copy(self) -> "Group":
        """Copy it, so that the copy can be changed."""
        return replace(self, members=set(self.members), told=set(self.told), muted=dict(self.muted))


@dataclass(frozen=True, slots=True)
class Silence:
    """What somebody does not want to hear of, until an instant."""

    id: str
    tests: Tests
    author: str
    reason: str
    until_us: int


@dataclass(slots=True)
class State:
    """All that is known of alerts."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """How many messages each channel was told so far."""
    sent_us: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """When the last messages that count for the limit were decided, by channel."""
    on_call: str = ""
    time_us: int = 0
    taken: int = 0
    """The newest event of the journal that something was made of."""
    wake_us: int = field(default=0, compare=False)
    """When the first alert needs a look for its own sake; the timers' memory."""
    by_bot: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, compare=False)
    """Alerts by rule and bot; follows from `alerts`."""
    owned: set[str] = field(default_factory=set, compare=False, repr=False)
    """Groups that this copy may change."""

    def copy(self) -> "State":
        """Copy it, so that the copy can be changed and this one stays."""
        return State(
            alerts=dict(self.alerts),
            groups=dict(self.groups),
            silences=dict(self.silences),
            numbers=dict(self.numbers),
            sent_us=dict(self.sent_us),
            on_call=self.on_call,
            time_us=self.time_us,
            taken=self.taken,
            wake_us=self.wake_us,
            by_bot=dict(self.by_bot),
        )

    def group(self, key: str) -> Group:
        """Give a group for changing."""
        if key not in self.owned:
            self.groups[key] = self.groups[key].copy()
            self.owned.add(key)
        return self.groups[key]

    def index(self, alert: Alert) -> None:
        """Make an alert findable by rule and bot."""
        key = alert.rule, alert.bot
        known = self.by_bot.get(key, frozenset())
        if alert.id not in known:
            self.by_bot[key] = known | {alert.id}

    def silence_of(self, alert: Alert, now_us: int) -> Silence | None:
        """Find the silence that covers an alert."""
        for silence in self.silences.values():
            if silence.until_us > now_us and all(
                test.passes(alert.labels.get(name)) for name, test in silence.tests.items()
            ):
                return silence
        return None


def apply(
    state: State,
    kind: str,
    said: Mapping[str, Any],
    *,
    actor: str = "",
    at_us: int = 0,
    cause: int | None = None,
) -> None:
    """Change `state` by one event; kinds that do not concern it are passed over.

    `actor`, `at_us` and `cause` are the event's own.
    """
    change = _CHANGES.get(kind)
    if change is not None:
        change(state, said, actor, at_us)
        state.time_us = max(state.time_us, int(said.get("at_us", 0)))
        state.taken = max(state.taken, cause or 0)


def _put(state: State, alert: Alert) -> None:
    state.alerts[alert.id] = alert
    state.index(alert)


def _forget(state: State, alert_id: str) -> None:
    alert = state.alerts.pop(alert_id, None)
    if alert is None:
        return
    left = state.by_bot[alert.rule, alert.bot] - {alert_id}
    if left:
        state.by_bot[alert.rule, alert.bot] = left
    else:
        del state.by_bot[alert.rule, alert.bot]


def _leave(state: State, key: str, ids: Iterable[str]) -> None:
    """Take alerts out of a group; who is in no group any more and does not fire is forgotten."""
    if key not in state.groups:
        return
    group = state.group(key)
    left = list(ids)
    for alert_id in left:
        group.members.discard(alert_id)
        group.told.discard(alert_id)
        group.muted.pop(alert_id, None)
    if not group.members:
        del state.groups[key]
        state.owned.discard(key)
    for alert_id in left:
        alert = state.alerts.get(alert_id)
        if alert is None or not (alert.once or alert.status is Status.RESOLVED):
            continue
        if not any(_has(state, other, alert_id) for other in alert.targets):
            _forget(state, alert_id)


def _has(state: State, key: str, alert_id: str) -> bool:
    group = state.groups.get(key)
    return group is not None and alert_id in group.members


def _join(state: State, alert: Alert, at_us: int) -> None:
    for key in alert.targets:
        if key not in state.groups:
            state.groups[key] = Group(key, created_us=at_us)
            state.owned.add(key)
        if alert.id not in state.groups[key].members:
            state.group(key).members.add(alert.id)


def _pending(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    old = state.alerts.get(said["id"])
    _put(
        state,
        Alert(
            id=said["id"],
            rule=said["rule"],
            severity=Severity(said["severity"]),
            labels=said["labels"],
            facts=said["facts"],
            status=Status.PENDING,
            since_us=said["at_us"],
            seen_us=said["at_us"],
            resolved_us=old.resolved_us if old else NEVER,
            times_us=tuple(said["times_us"]),
            targets=old.targets if old else (),
        ),
    )


def _fired(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    old = state.alerts.get(said["id"])
    kept = [key for key in old.targets if _has(state, key, old.id)] if old else []
    # It was over, but nobody has been told so yet: for them it never ended.
    was_told = any(said["id"] in state.groups[key].told for key in kept)
    alert = Alert(
        id=said["id"],
        rule=said["rule"],
        severity=Severity(said["severity"]),
        labels=said["labels"],
        facts=said["facts"],
        status=Status.FIRING,
        since_us=said["since_us"],
        seen_us=said["at_us"],
        fired_us=said["at_us"],
        once=said["once"],
        targets=tuple(dict.fromkeys((*said["targets"], *kept))),
        level=said["level"],
        told_us=said["at_us"] if was_told else NEVER,
    )
    _put(state, alert)
    _join(state, alert, said["at_us"])
    if alert.once and not alert.targets:
        _forget(state, alert.id)  # nobody is to be told of this notice


def _seen(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    alert = state.alerts.get(said["id"])
    if alert is not None:
        _put(state, replace(alert, facts=said["facts"], seen_us=said["at_us"]))


def _resolved(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    alert = state.alerts.get(said["id"])
    if alert is None:
        return
    _put(state, replace(alert, status=Status.RESOLVED, resolved_us=said["at_us"]))
    for key in alert.targets:
        if key not in state.groups:
            continue
        # Who never heard of it need not hear that it is over; the others' group has news.
        if alert.id not in state.group(key).told:
            _leave(state, key, [alert.id])
    if not any(_has(state, key, alert.id) for key in alert.targets):
        _forget(state, alert.id)


def _dropped(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    if said["group"]:
        _leave(state, said["group"], said["ids"])
        return
    for alert_id in said["ids"]:
        _forget(state, alert_id)


def _muted(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    if said["group"] not in state.groups:
        return
    group = state.group(said["group"])
    for alert_id in said["ids"]:
        if said["reason"]:
            group.muted[alert_id] = said["reason"]
        else:
            group.muted.pop(alert_id, None)


def _told(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    now_us, channel = said["at_us"], said["channel"]
    if said["part"] == 0:
        state.numbers[channel] = said["number"]
        if Severity(said["severity"]) is not Severity.EMERGENCY:
            recent = [t for t in state.sent_us.get(channel, ()) if t > now_us - 86_400_000_000]
            state.sent_us[channel] = (*recent[-99:], now_us)
    for key, portion in said["groups"].items():
        if key in state.groups:
            _tell_group(state, key, portion["told"], portion["ended"], now_us)


def _tell_group(
    state: State, key: str, told: Iterable[str], ended: Iterable[str], now_us: int
) -> None:
    group = state.group(key)
    group.last_us = now_us
    leaving = list(ended)
    for alert_id in told:
        group.told.add(alert_id)
        group.muted.pop(alert_id, None)
        alert = state.alerts.get(alert_id)
        if alert is None:
            continue
        if alert.once:
            leaving.append(alert_id)
        if alert.told_us == NEVER:
            _put(state, replace(alert, told_us=now_us))
    _leave(state, key, leaving)


def _escalated(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    for alert_id, targets in said["targets"].items():
        alert = state.alerts.get(alert_id)
        if alert is None:
            continue
        # The next step waits from now on, as if it had been told now.
        raised = replace(
            alert,
            level=said["level"],
            told_us=said["at_us"],
            targets=(*alert.targets, *(t for t in targets if t not in alert.targets)),
        )
        _put(state, raised)
        _join(state, raised, said["at_us"])


def _routed(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    for alert_id, targets in said["targets"].items():
        alert = state.alerts.get(alert_id)
        if alert is None:
            continue
        moved = replace(alert, targets=tuple(targets))
        _put(state, moved)
        _join(state, moved, said["at_us"])
        for key in set(alert.targets) - set(targets):
            _leave(state, key, [alert_id])
        if alert.status is Status.RESOLVED and not any(_has(state, t, alert_id) for t in targets):
            _forget(state, alert_id)


def _handed_over(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    state.on_call = said["person"]


def _acknowledged(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del at_us
    for alert_id in said["ids"]:
        alert = state.alerts.get(alert_id)
        if alert is not None and alert.status is Status.FIRING:
            _put(state, replace(alert, acked_by=actor))


def _silenced(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    tests = _TESTS.validate_python(said["match"])
    for old in [one.id for one in state.silences.values() if one.until_us <= at_us]:
        del state.silences[old]
    state.silences[said["id"]] = Silence(said["id"], tests, actor, said["reason"], said["until_us"])


def _unsilenced(state: State, said: Mapping[str, Any], actor: str, at_us: int) -> None:
    del actor, at_us
    state.silences.pop(said["id"], None)


_Change = Callable[[State, Mapping[str, Any], str, int], None]
_CHANGES: dict[str, _Change] = {
    "alert.pending": _pending,
    "alert.fired": _fired,
    "alert.seen": _seen,
    "alert.resolved": _resolved,
    "alert.dropped": _dropped,
    "alert.muted": _muted,
    "alert.told": _told,
    "alert.escalated": _escalated,
    "alert.routed": _routed,
    "alert.handed_over": _handed_over,
    "alert.acknowledged": _acknowledged,
    "alert.silenced": _silenced,
    "alert.unsilenced": _unsilenced,
}
