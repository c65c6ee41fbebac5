"""The working copy of one step of the core, and what comes out of it.

`Work.emit` changes the copy and remembers the record, so that the state always equals the fold of
the records. Used by `intake`, `timers` and `speaking`; `core.advance` makes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from automation.alerts.notification import Notification
from automation.alerts.policy import Policy
from automation.alerts.state import State, apply

MOST_IDS = 20_000
"""A record names no more alerts than this; more take several, for payloads are bounded."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event for the journal, decided by the core."""

    kind: str
    payload: dict[str, Any]
    bot: str = ""
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step brought: the new state, records to journal, messages to deliver."""

    state: State
    records: tuple[Record, ...]
    notifications: tuple[Notification, ...]


@dataclass(slots=True)
class Work:
    """A step under way."""

    policy: Policy
    state: State
    now_us: int
    cause: int | None = None
    records: list[Record] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def emit(self, kind: str, facts: BaseModel, *, bot: str = "") -> None:
        """Record an event and let it change the state."""
        payload = facts.model_dump(mode="json")
        apply(self.state, kind, payload, at_us=self.now_us, cause=self.cause)
        self.records.append(Record(kind, payload, bot, self.cause))


def portions(ids: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list of alerts into what one record may hold."""
    return [ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS)]
