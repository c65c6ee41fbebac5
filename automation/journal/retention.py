"""Old details go, the proof stays: payloads of sealed segments are dropped, hashes are kept.

Decides the order in which that happens: archive (if wanted), the seal as an event of its own, then
the payloads, in pieces that can be resumed. Refuses to touch what is not yet signed when a key is
in use, and never drops the seals themselves.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from automation.core.errors import ConfigError, Refusal
from automation.journal.catalogue import Sealed
from automation.journal.checkpoints import Checkpoint
from automation.journal.event import Event, digest_of, encode_payload
from automation.journal.export import export
from automation.journal.folds import Fold, current, last_sealed, save_snapshot
from automation.journal.journal import Journal
from automation.journal.store import Query

ALWAYS_KEPT = frozenset({"journal.sealed", "journal.broken"})


@dataclass(frozen=True, slots=True)
class Seal:
    """What retention did."""

    event: Event
    dropped: int


def seal(
    journal: Journal,
    until: int | datetime,
    *,
    actor: str,
    archive: Path | None = None,
    keep_kinds: Collection[str] = (),
    folds: Collection[Fold[Any]] = (),
) -> Seal | Refusal:
    """Drop the payloads of everything up to an event or an instant, where no seal is yet.

    The state of each fold at that point is kept first: folding starts there from then on. Refused
    where there is nothing to seal, or where signed checkpoints exist but do not reach.
    """
    first, last = last_sealed(journal) + 1, _sequence_at(journal, until)
    if last < first:
        return Refusal(f"everything up to event {last} is sealed already")
    signed = [Checkpoint.from_json(record).sequence for record in journal.store.checkpoints()]
    if signed and signed[-1] < last:
        return Refusal(f"the newest checkpoint vouches for event {signed[-1]}, not for {last}")
    kept = ALWAYS_KEPT | set(keep_kinds)
    said = Sealed(first=first, last=last, kept_kinds=tuple(sorted(kept)))
    if archive is not None:
        exported = export(journal, archive, after=first - 1, until=last)
        said = said.model_copy(update={"archive": str(archive), "archive_sha256": exported.sha256})
    for fold in folds:
        save_snapshot(journal, fold, current(journal, fold, until=last))
    event = journal.append("journal.sealed", actor=actor, source="journal.retention", payload=said)
    return Seal(event, journal.store.drop_payloads(first, last, kept))


def resume_seals(journal: Journal) -> int:
    """Finish what a seal began and a crash cut short; how many payloads were still to drop."""
    return sum(journal.store.drop_payloads(s.first, s.last, s.kept_kinds) for s in _seals(journal))


def proves(event: Event, payload_json: str | bytes) -> bool:
    """Tell whether a payload from elsewhere (an archive) is the one that was dropped."""
    return digest_of(payload_json) == event.digest


def canonical(kind: str, payload: dict[str, object]) -> bytes:
    """Give a payload in the form that `proves` compares."""
    return encode_payload(kind, payload)


def _seals(journal: Journal) -> list[Sealed]:
    events = journal.search(kind="journal.sealed", limit=1_000_000)
    return [Sealed.model_validate(event.payload) for event in events]


def _sequence_at(journal: Journal, until: int | datetime) -> int:
    newest = journal.last()
    if newest is None:
        raise ConfigError("the journal is empty", where=journal.store.name)
    if isinstance(until, int):
        if not 0 < until <= newest.sequence:
            raise ConfigError(f"there is no event {until} to seal up to")
        return until
    later = journal.read(0, 1, Query(since=until))
    return later[0].sequence - 1 if later else newest.sequence
