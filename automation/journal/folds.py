"""State from events: folds, their snapshots, and the proof that both agree.

Decides when a snapshot may be trusted (it stands at an event of this very chain, in the fold's own
version) and how many are kept. A fold is a pure function that its room writes; state is never kept
anywhere else. Refuses to know what a state means.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import orjson

from automation.journal.event import Event
from automation.journal.journal import Journal
from automation.journal.store import Query, Snapshot

PAGE = 5_000
SNAPSHOTS_KEPT = 3
SNAPSHOT_AFTER = 5_000
"""After folding so many events a new snapshot is worth its place."""

State = TypeVar("State")


class Fold(Protocol[State]):
    """How a state follows from events. Raise `version` whenever the result would change."""

    @property
    def name(self) -> str:
        """Name the fold."""
        ...

    @property
    def version(self) -> int:
        """Number the form of the state and the rules behind it."""
        ...

    @property
    def query(self) -> Query:
        """Say which events matter."""
        ...

    def initial(self) -> State:
        """Give the state before the first event."""
        ...

    def apply(self, state: State, event: Event) -> State:
        """Give the state after an event; may change the old one in place."""
        ...

    def dump(self, state: State) -> Any:
        """Give the state as JSON-ready values."""
        ...

    def load(self, dumped: Any) -> State:
        """Take back what `dump` gave."""
        ...


@dataclass(frozen=True, slots=True)
class Folded(Generic[State]):
    """A state and the event up to which it holds."""

    state: State
    sequence: int
    folded: int
    """How many events were folded to get there; few when a snapshot helped."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What folding from zero gave, beside what the snapshots gave."""

    fold: str
    sequence: int
    events: int
    agrees: bool
    from_sequence: int
    """0, or the snapshot from which folding started because retention dropped details before it."""
    lacks_details: bool = False
    """Whether details were dropped and no snapshot from before stands in for them."""

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        said = "agrees with" if self.agrees else "DIFFERS from"
        start = f"event {self.from_sequence}" if self.from_sequence else "zero"
        lacks = " (without the details that retention dropped)" if self.lacks_details else ""
        return (
            f"{self.fold}: {self.events} events folded from {start}{lacks},"
            f" the state {said} the stored one"
        )


def current(journal: Journal, fold: Fold[State], *, until: int | None = None) -> Folded[State]:
    """Give the state after the newest event (or `until`), from the best snapshot on.

    Leaves a new snapshot behind when much had to be folded.
    """
    end = _end(journal, until)
    start = next((s for s in _trusted(journal, fold) if s.sequence <= end), None)
    folded = _continue(journal, fold, start, end)
    if folded.folded >= SNAPSHOT_AFTER:
        save_snapshot(journal, fold, folded)
    return folded


def save_snapshot(journal: Journal, fold: Fold[State], folded: Folded[State]) -> None:
    """Keep a state for the next start and forget the oldest ones, never the first after a seal."""
    at = journal.read(folded.sequence - 1, 1) if folded.sequence else []
    if not at:
        return
    journal.store.add_snapshot(
        Snapshot(fold.name, fold.version, at[0].sequence, at[0].hash, _dump(fold, folded.state))
    )
    sequences = [s.sequence for s in journal.store.snapshots(fold.name, fold.version)]
    sealed = last_sealed(journal)
    base = min((n for n in sequences if n >= sealed), default=0) if sealed else 0
    old = [n for n in sequences[SNAPSHOTS_KEPT:] if n != base]
    journal.store.drop_snapshots(fold.name, old)


def rebuild(journal: Journal, fold: Fold[State], *, repair: bool = False) -> Rebuilt:
    """Fold everything from zero and compare with every snapshot that is kept.

    Where retention dropped details, the first snapshot after them stands for the beginning. With
    `repair` snapshots that differ are forgotten and a new one is made.
    """
    sealed = last_sealed(journal)
    snapshots = _trusted(journal, fold)[::-1]
    base = next((s for s in snapshots if s.sequence >= sealed), None) if sealed else None
    state = _load(fold, base)
    at = base.sequence if base else 0
    events, wrong = 0, []
    for snapshot in [s for s in snapshots if s.sequence > at]:
        folded = _fold_on(journal, fold, Folded(state, at, 0), snapshot.sequence)
        state, at, events = folded.state, folded.sequence, events + folded.folded
        if _dump(fold, state) != snapshot.state:
            wrong.append(snapshot.sequence)
        state = fold.load(orjson.loads(_dump(fold, state)))
    end = _end(journal, None)
    folded = _fold_on(journal, fold, Folded(state, at, 0), end)
    stored = current(journal, fold, until=end)
    agrees = not wrong and _dump(fold, folded.state) == _dump(fold, stored.state)
    if repair and not agrees:
        journal.store.drop_snapshots(fold.name, wrong)
        save_snapshot(journal, fold, folded)
    start = base.sequence if base else 0
    lacks_details = sealed > 0 and base is None
    return Rebuilt(fold.name, end, events + folded.folded, agrees, start, lacks_details)


def last_sealed(journal: Journal) -> int:
    """Give the newest event whose details retention dropped; 0 when there is none."""
    seals = journal.search(kind="journal.sealed", limit=1_000_000)
    return max((int(event.payload["last"]) for event in seals), default=0)


def _continue(
    journal: Journal, fold: Fold[State], start: Snapshot | None, end: int
) -> Folded[State]:
    at = start.sequence if start else 0
    return _fold_on(journal, fold, Folded(_load(fold, start), at, 0), end)


def _fold_on(journal: Journal, fold: Fold[State], folded: Folded[State], end: int) -> Folded[State]:
    state, count = folded.state, 0
    for event in _events(journal, fold.query, folded.sequence, end):
        state = fold.apply(state, event)
        count += 1
    return Folded(state, end, count)


def _events(journal: Journal, query: Query, after: int, end: int) -> Iterator[Event]:
    while page := journal.read(after, PAGE, query):
        for event in page:
            if event.sequence > end:
                return
            yield event
        after = page[-1].sequence


def _trusted(journal: Journal, fold: Fold[State]) -> list[Snapshot]:
    """Give the snapshots, newest first, that stand at an event of this very chain."""
    trusted = []
    for snapshot in journal.store.snapshots(fold.name, fold.version):
        at = journal.read(snapshot.sequence - 1, 1)
        if at and at[0].hash == snapshot.hash:
            trusted.append(snapshot)
    return trusted


def _load(fold: Fold[State], snapshot: Snapshot | None) -> State:
    return fold.initial() if snapshot is None else fold.load(orjson.loads(snapshot.state))


def _dump(fold: Fold[State], state: State) -> bytes:
    return orjson.dumps(fold.dump(state), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def _end(journal: Journal, until: int | None) -> int:
    newest = journal.last()
    last = newest.sequence if newest else 0
    return last if until is None else min(until, last)
