"""A message before it has words: what is told, to which channel, under which name.

It carries facts only and is bounded, however many alerts it stands for; `rendering` makes the
words when it is delivered. Written to the outbox as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from automation.alerts.severity import Severity
from automation.alerts.state import Alert

MOST_LISTED = 20


class Why(StrEnum):
    """What brought a message about."""

    NEW = "new"
    RESOLVED = "resolved"
    REPEAT = "repeat"
    ESCALATED = "escalated"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Line:
    """One alert in a message."""

    id: str
    rule: str
    severity: Severity
    bot: str
    labels: Mapping[str, str]
    facts: Mapping[str, Any]
    since_us: int
    ended_us: int = -1
    is_new: bool = True
    acked_by: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True)
class Heap:
    """How many alerts of one group a message stands for."""

    title: str
    severity: Severity
    firing: int
    ended: int


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one channel; `id` stays the same however often it is tried."""

    id: str
    channel: str
    severity: Severity
    why: Why
    at_us: int
    heaps: tuple[Heap, ...]
    firing: tuple[Line, ...]
    ended: tuple[Line, ...]

    @property
    def firing_count(self) -> int:
        """How many firing alerts it stands for, also those that are not listed."""
        return sum(heap.firing for heap in self.heaps)

    @property
    def ended_count(self) -> int:
        """How many ends it stands for."""
        return sum(heap.ended for heap in self.heaps)

    def plain(self) -> dict[str, Any]:
        """Write it down for the outbox."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    @classmethod
    def from_json(cls, text: str | bytes) -> "Notification":
        """Read it back."""
        return _ADAPTER.validate_json(text)


def line_of(alert: Alert, *, is_new: bool) -> Line:
    """Make the line that tells an alert."""
    return Line(
        id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        bot=alert.bot,
        labels=alert.labels,
        facts=alert.facts,
        since_us=alert.since_us,
        ended_us=alert.resolved_us,
        is_new=is_new,
        acked_by=alert.acked_by,
        level=alert.level,
    )


def together(notifications: Sequence[Notification]) -> Notification:
    """Make one message of several that a channel could not take in time."""
    first, last = notifications[0], notifications[-1]
    firing = {line.id: line for one in notifications for line in one.firing}
    ended = {line.id: line for one in notifications for line in one.ended}
    worst = max((one.severity for one in notifications), key=lambda one: one.rank)
    heaps = {heap.title: heap for one in notifications for heap in one.heaps}
    return Notification(
        id=f"{first.id}~{last.id}",
        channel=first.channel,
        severity=worst,
        why=Why.DIGEST,
        at_us=first.at_us,
        heaps=tuple(sorted(heaps.values(), key=lambda heap: -heap.severity.rank)),
        firing=tuple(sorted(firing.values(), key=lambda line: -line.severity.rank)[:MOST_LISTED]),
        ended=tuple(ended.values())[:MOST_LISTED],
    )


_ADAPTER = TypeAdapter(Notification)
