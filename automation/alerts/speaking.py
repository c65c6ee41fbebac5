"""Whether groups are heard, and how many messages that makes.

A channel takes so many messages in so much time. When more groups than that have something to say,
they say it together in one digest, and nothing is dropped. Emergencies speak at once and alone.
Pure.
"""

from collections.abc import Sequence

from automation.alerts.beats import beat_us, hasten
from automation.alerts.duration import in_us
from automation.alerts.kinds import GroupTold, Muted, Told
from automation.alerts.mutes import Mutes
from automation.alerts.notification import MOST_LISTED, Heap, Notification, Why, line_of
from automation.alerts.severity import Severity
from automation.alerts.speeches import Look, Speech, look
from automation.alerts.state import NEVER, Alert, Group
from automation.alerts.step import Work, portions

HELD = "held until the channel takes messages again"


def run(work: Work) -> None:
    """Let every group speak that is due."""
    for key in work.state.owned & set(work.state.groups):
        group = work.state.groups[key]
        hasten(group, work.policy.timing(group.route), work.now_us)
    due = [key for key, group in work.state.groups.items() if _is_due(group, work.now_us)]
    if not due:
        return
    floor = _Floor(work)
    by_channel: dict[str, list[Speech]] = {}
    for key in sorted(due):
        speech = floor.ask(key)
        if speech is not None:
            by_channel.setdefault(speech.channel, []).append(speech)
    # Across all channels first: what is put into the outbox first is delivered first.
    for channel in sorted(by_channel):
        for speech in by_channel[channel]:
            if speech.is_emergency:
                _say(work, [speech], speech.why)
    for channel in sorted(by_channel):
        floor.give(channel, [one for one in by_channel[channel] if not one.is_emergency])
    floor.close()


def next_us(groups: Sequence[Group]) -> int | None:
    """Tell when the first group is to be looked at."""
    return min((group.due_us for group in groups if group.due_us != NEVER), default=None)


class _Floor:
    """Who asked to speak in this step, and when they may ask again."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._mutes = Mutes(work.policy, work.state, work.now_us)
        self._looks: dict[str, Look] = {}
        self._held_until_us: dict[str, int] = {}

    def ask(self, key: str) -> Speech | None:
        self._looks[key], speech = look(self._work, self._mutes, key)
        return speech

    def give(self, channel: str, speeches: list[Speech]) -> None:
        """Let a channel's groups speak one by one, or together, or later."""
        if not speeches:
            return
        work, limit = self._work, self._work.policy.limit(channel)
        per_us = in_us(limit.per)
        recent = [t for t in work.state.sent_us.get(channel, ()) if t > work.now_us - per_us]
        room = limit.messages - len(recent)
        if room <= 0:
            self._hold(speeches, recent[-limit.messages] + per_us)
            return
        gathering = [key for key in self._gathering(channel) if key not in self._looks]
        if len(speeches) + len(gathering) > room:
            early = [speech for key in gathering if (speech := self.ask(key)) is not None]
            speeches = [*speeches, *early] if len(speeches) + len(early) > room else speeches
        if len(speeches) <= room:
            for speech in sorted(speeches, key=lambda one: -one.severity.rank):
                _say(work, [speech], speech.why)
        else:
            _say(work, speeches, Why.DIGEST)

    def close(self) -> None:
        """Set when each group that was looked at is looked at again."""
        for key, seen in self._looks.items():
            if key in self._work.state.groups:
                self._wind(self._work.state.group(key), seen)

    def _gathering(self, channel: str) -> list[str]:
        """List groups that have news but still wait for their beat."""
        return sorted(
            key
            for key, group in self._work.state.groups.items()
            if group.channel == channel
            and group.due_us != NEVER
            and any(one not in group.told and one not in group.muted for one in group.members)
        )

    def _hold(self, speeches: list[Speech], until_us: int) -> None:
        for speech in speeches:
            self._held_until_us[speech.key] = until_us
            known = self._work.state.groups[speech.key].muted
            ids = [one for one in sorted(speech.new) if known.get(one) != HELD]
            for portion in portions(ids):
                muted = Muted(group=speech.key, ids=tuple(portion), reason=HELD)
                self._work.emit("alert.muted", muted)

    def _wind(self, group: Group, seen: Look) -> None:
        work = self._work
        timing = work.policy.timing(group.route)
        group.checked_us = work.now_us
        dues = []
        if group.key in self._held_until_us:
            dues.append(self._held_until_us[group.key])
        next_beat_us = beat_us(timing, group, work.now_us)
        dues += [next_beat_us if until is None else until for until in set(seen.held_until_us)]
        if any(one in work.state.alerts and work.state.alerts[one].is_open for one in group.told):
            dues.append(beat_us(timing, group, group.last_us + timing.repeat_us))
        group.due_us = min(dues, default=NEVER)


def _is_due(group: Group, now_us: int) -> bool:
    return group.due_us != NEVER and group.due_us <= now_us


def _say(work: Work, speeches: Sequence[Speech], why: Why) -> None:
    channel = speeches[0].channel
    number = work.state.numbers.get(channel, 0) + 1
    worst = max((speech.severity for speech in speeches), key=lambda one: one.rank)
    new = {one for speech in speeches for one in speech.new}
    notification = Notification(
        id=f"{channel}-{number}",
        channel=channel,
        severity=worst,
        why=why,
        at_us=work.now_us,
        heaps=tuple(_heap(speech) for speech in _worst_first(speeches)),
        firing=tuple(line_of(alert, is_new=alert.id in new) for alert in _listed(speeches, new)),
        ended=tuple(
            line_of(alert, is_new=True)
            for alert in [one for speech in speeches for one in speech.ended][:MOST_LISTED]
        ),
    )
    work.notifications.append(notification)
    _record_told(work, notification, number, speeches)


def _record_told(
    work: Work, notification: Notification, number: int, speeches: Sequence[Speech]
) -> None:
    pieces = [
        (speech.key, told, ended)
        for speech in speeches
        for told, ended in _pieces(sorted(speech.new), [alert.id for alert in speech.ended])
    ]
    for part, batch in enumerate(_batches(pieces)):
        told = Told(
            message=notification.id,
            channel=notification.channel,
            number=number,
            groups=batch,
            severity=Severity(notification.severity),
            firing=notification.firing_count,
            ended=notification.ended_count,
            reason=str(notification.why),
            is_digest=notification.why is Why.DIGEST,
            at_us=work.now_us,
            part=part,
        )
        work.emit("alert.told", told)


def _pieces(told: list[str], ended: list[str]) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Cut a group's alerts into what fits into one record; at least one piece."""
    pieces: list[tuple[Sequence[str], Sequence[str]]] = [(ids, ()) for ids in portions(told)]
    pieces += [((), ids) for ids in portions(ended)]
    return pieces or [((), ())]


def _batches(
    pieces: Sequence[tuple[str, Sequence[str], Sequence[str]]],
) -> list[dict[str, GroupTold]]:
    batches: list[dict[str, GroupTold]] = [{}]
    size = 0
    for key, told, ended in pieces:
        if batches[-1] and (size + len(told) + len(ended) > 20_000 or key in batches[-1]):
            batches.append({})
            size = 0
        batches[-1][key] = GroupTold(told=tuple(told), ended=tuple(ended))
        size += len(told) + len(ended)
    return batches


def _heap(speech: Speech) -> Heap:
    _, _, title = speech.key.split("|", 2)
    return Heap(title, speech.severity, len(speech.firing), len(speech.ended))


def _worst_first(speeches: Sequence[Speech]) -> list[Speech]:
    return sorted(speeches, key=lambda one: (-one.severity.rank, one.key))


def _listed(speeches: Sequence[Speech], new: set[str]) -> list[Alert]:
    """Choose what a message lists: the new before the old, the worse before the better."""
    firing = {alert.id: alert for speech in speeches for alert in speech.firing}
    ordered = sorted(
        firing.values(), key=lambda one: (one.id not in new, -one.severity.rank, one.fired_us)
    )
    return ordered[:MOST_LISTED]
