"""What a group has to say at one instant, and what of it is held back.

Pure, but for the records of what is muted. `speaking` decides whether it is said.
"""

from dataclasses import dataclass, field

from automation.alerts.kinds import Dropped, Muted
from automation.alerts.mutes import Mute, Mutes
from automation.alerts.notification import Why
from automation.alerts.policy import ESCALATION
from automation.alerts.severity import Severity
from automation.alerts.state import Alert, Group, Status
from automation.alerts.step import Work, portions


@dataclass(frozen=True, slots=True)
class Speech:
    """What one group has to say now."""

    key: str
    channel: str
    why: Why
    firing: tuple[Alert, ...]
    new: frozenset[str]
    ended: tuple[Alert, ...]

    @property
    def severity(self) -> Severity:
        """The worst of what is new, or of all when nothing is."""
        told = [alert for alert in self.firing if alert.id in self.new] or [
            *self.firing,
            *self.ended,
        ]
        return max((alert.severity for alert in told), key=lambda one: one.rank)

    @property
    def is_emergency(self) -> bool:
        """Whether it cannot wait."""
        return bool(self.firing) and self.severity is Severity.EMERGENCY


@dataclass(slots=True)
class Look:
    """What was seen of a group's members."""

    firing: list[Alert] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    ended: list[Alert] = field(default_factory=list)
    muted: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    held_until_us: list[int | None] = field(default_factory=list)
    """Until when news are held back; None where that is not known."""


def look(work: Work, mutes: Mutes, key: str) -> tuple[Look, Speech | None]:
    """Look at a group; record what is muted and dropped; say what it would tell."""
    group = work.state.groups[key]
    seen = Look()
    for alert_id in sorted(group.members):
        alert = work.state.alerts.get(alert_id)
        if alert is None:
            seen.dropped.setdefault("it is gone", []).append(alert_id)
            continue
        mute = mutes.of(alert, group.channel)
        if alert.status is Status.FIRING:
            _see_firing(seen, group, alert, mute)
        elif alert_id in group.told:
            _see_ended(seen, alert, mute, work.policy.tells_resolved(group.channel))
    _record(work, group, seen)
    return seen, _speech(work, group, seen)


def _see_firing(seen: Look, group: Group, alert: Alert, mute: Mute | None) -> None:
    if mute is None:
        seen.firing.append(alert)
        if alert.id not in group.told:
            seen.new.append(alert.id)
    elif (alert.once and mute.until_us is None) or (alert.once and mute.is_silence):
        seen.dropped.setdefault(mute.reason, []).append(alert.id)
    else:
        seen.muted[alert.id] = mute.reason
        if alert.id not in group.told:
            seen.held_until_us.append(None if mute.is_silence else mute.until_us)


def _see_ended(seen: Look, alert: Alert, mute: Mute | None, tells_resolved: bool) -> None:
    if not tells_resolved:
        seen.dropped.setdefault("the channel is not told of ends", []).append(alert.id)
    elif mute is not None and mute.is_silence:
        seen.dropped.setdefault(mute.reason, []).append(alert.id)
    elif mute is not None and mute.until_us is not None:
        seen.muted[alert.id] = mute.reason
        seen.held_until_us.append(mute.until_us)
    else:
        # Also when something inhibits it by now: who was told that it fires waits for its end.
        seen.ended.append(alert)


def _record(work: Work, group: Group, seen: Look) -> None:
    key, before = group.key, dict(group.muted)
    changed: dict[str, list[str]] = {}
    for alert_id, reason in seen.muted.items():
        if before.get(alert_id) != reason:
            changed.setdefault(reason, []).append(alert_id)
    new = set(seen.new)
    freed = [one for one in before if one not in seen.muted and one not in new]
    if freed:
        changed[""] = sorted(freed)
    for reason, ids in changed.items():
        for portion in portions(ids):
            work.emit("alert.muted", Muted(group=key, ids=tuple(portion), reason=reason))
    for reason, ids in seen.dropped.items():
        for portion in portions(ids):
            work.emit("alert.dropped", Dropped(group=key, ids=tuple(portion), reason=reason))


def _speech(work: Work, group: Group, seen: Look) -> Speech | None:
    repeats_us = group.last_us + work.policy.timing(group.route).repeat_us
    if seen.new:
        why = Why.ESCALATED if group.route.startswith(ESCALATION) else Why.NEW
    elif seen.ended:
        why = Why.RESOLVED
    elif work.now_us >= repeats_us and any(alert.is_open for alert in seen.firing):
        why = Why.REPEAT
    else:
        return None
    return Speech(
        key=group.key,
        channel=group.channel,
        why=why,
        firing=tuple(seen.firing),
        new=frozenset(seen.new),
        ended=tuple(seen.ended),
    )
