"""The seam between the journal and the places where it is kept.

A store writes batches in one transaction each, in the order of the chain, and reads them back.
Decides the words both sides use (`Batch`, `Query`, `Link` …); refuses to know SQL. Implemented by
`sqlite` and `postgres`; one contract suite runs over both.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

import orjson

from automation.journal.event import Entry, Event, to_us

EffectState = Literal["pending", "done", "given_up"]


@dataclass(frozen=True, slots=True)
class Query:
    """Which events are wanted; everything given must hold."""

    actor: str = ""
    address: str = ""
    source: str = ""
    bot: str = ""
    kind: str | tuple[str, ...] = ""
    """One kind or several; `bot.*` means every kind that starts with `bot.`."""
    cause: int | None = None
    since: datetime | None = None
    """From this instant on, inclusive."""
    until: datetime | None = None
    """Up to this instant, exclusive."""
    text: str = ""
    """A piece of the payload's JSON, in any case of A to Z."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The wanted kinds, empty for all."""
        if isinstance(self.kind, str):
            return (self.kind,) if self.kind else ()
        return tuple(self.kind)

    @property
    def since_us(self) -> int | None:
        """The lower bound in microseconds since 1970."""
        return None if self.since is None else to_us(self.since)

    @property
    def until_us(self) -> int | None:
        """The upper bound in microseconds since 1970."""
        return None if self.until is None else to_us(self.until)

    @property
    def needle(self) -> str:
        """The wanted text as it stands in canonical JSON, A to Z in lower case."""
        # bytes.lower() leaves everything but ASCII alone, as the stores' lower() does.
        return orjson.dumps(self.text)[1:-1].lower().decode()


EVERYTHING = Query()


class Link(NamedTuple):
    """What verification reads of an event, raw, as the store holds it."""

    sequence: int
    head: bytes | None  # None when a column that must be there is not
    payload: bytes | None
    digest: bytes | None
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to be done in the outside world, once, known by its key."""

    key: str
    kind: str
    payload_json: str
    created_us: int


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """An effect as it stands in the outbox."""

    key: str
    kind: str
    payload_json: str
    state: EffectState
    created_us: int
    due_us: int
    attempts: int
    result: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt at an effect ended: done, given up, or due again."""

    key: str
    state: EffectState
    due_us: int
    result: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that must become durable together."""

    entries: Sequence[Entry] = ()
    effects: Sequence[Effect] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)
    """Consumer name to the sequence up to which it has handled everything."""
    settlements: Sequence[Settlement] = ()


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """Who may act, and that they still do; each change is one step from a known record."""

    holder: str  # "" once it was given back
    place: str  # where the holder's processes and files are
    term: int  # counts the holders
    beat: int  # moves as long as the holder lives


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a fold after an event, known by that event's hash."""

    fold: str
    version: int
    sequence: int
    hash: bytes
    state: bytes


More = Callable[[], Sequence[Batch]]
"""Gives what came to be written while the store waited for its turn."""


def nothing_more() -> Sequence[Batch]:
    """Give no more batches."""
    return ()


class Watch(Protocol):
    """Waits for appends, also those of other processes."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for an append; False when the time-out passed without one."""
        ...

    def close(self) -> None:
        """Give up what the watch holds."""
        ...


class Store(Protocol):
    """Where the journal is kept. Every method may be called from any thread.

    Faults come as TransientError (worth another try) or PermanentError.
    """

    @property
    def name(self) -> str:
        """Say where that is, without secrets."""
        ...

    def write(self, batches: Sequence[Batch], more: More = nothing_more) -> list[list[Event]]:
        """Make all batches durable in one transaction; events come back per batch.

        `more` is asked once, when the store has its turn; what it gives goes along.
        """
        ...

    def read(
        self, after: int, limit: int, query: Query = EVERYTHING, *, newest_first: bool = False
    ) -> list[Event]:
        """Read at most `limit` events with a sequence above `after` that match the query."""
        ...

    def last(self) -> Event | None:
        """Read the newest event."""
        ...

    def links(self, after: int, until: int | None = None) -> Iterator[Link]:
        """Read what verification needs, in order, whatever state the events are in."""
        ...

    def watch(self) -> Watch:
        """Start to watch for appends."""
        ...

    def offsets(self) -> dict[str, int]:
        """Read how far every consumer has come."""
        ...

    def claim(
        self, limit: int, now_us: int, lease_us: int, kinds: Collection[str]
    ) -> list[PendingEffect]:
        """Take due effects, the oldest first; nobody else gets them before the lease ends."""
        ...

    def effects(self, state: EffectState, limit: int) -> list[PendingEffect]:
        """Read effects in one state, the oldest first."""
        ...

    def lease(self, name: str) -> LeaseRecord | None:
        """Read a lease; None when nobody ever took it."""
        ...

    def swap_lease(self, name: str, was: LeaseRecord | None, now: LeaseRecord) -> bool:
        """Put a lease's new record in place of the one that was read; False when that has changed."""
        ...

    def add_checkpoint(self, sequence: int, record: str) -> None:
        """Keep a signed checkpoint."""
        ...

    def checkpoints(self) -> list[str]:
        """Read all checkpoints, the oldest first."""
        ...

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot beside the others of its fold."""
        ...

    def snapshots(self, fold: str, version: int) -> list[Snapshot]:
        """Read the snapshots of a fold, the newest first."""
        ...

    def drop_snapshots(self, fold: str, sequences: Collection[int]) -> None:
        """Forget snapshots of a fold."""
        ...

    def drop_payloads(self, first: int, last: int, keep_kinds: Collection[str]) -> int:
        """Replace payloads by their digests in one stretch; how many were dropped."""
        ...

    def close(self) -> None:
        """Give up connections and files; durable is what was acknowledged."""
        ...
