"""The journal as a user reads it: tail, search, verify, export, report.

Opens the fleet's own journal read-only, unless another is named. Called by the command line.
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation.alerts import kinds as _alert_kinds  # noqa: F401  defines the events' sentences
from automation.app import limits as _limits  # noqa: F401  defines events, as that below
from automation.app import outcomes as _outcomes  # noqa: F401
from automation.app.storage import has_journal, open_journal
from automation.core.errors import ConfigError
from automation.core.paths import home
from automation.fleet import kinds as _fleet_kinds  # noqa: F401
from automation.fleet import panic as _panic  # noqa: F401
from automation.fleet.commands import actor
from automation.fleet.home import Home
from automation.journal import Event, Journal, Query, Verification, sentence
from automation.journal.activity import Activity
from automation.journal.checkpoints import Checkpoint, PublicKey, public_path, read_anchor
from automation.journal.folds import Rebuilt, rebuild
from automation.journal.report import Report, report

if TYPE_CHECKING:
    from automation.core.errors import Refusal
    from automation.journal.export import Exported
    from automation.journal.retention import Seal

KEPT_KINDS = (
    "trade.known", "trade.opened", "trade.closed", "equity.observed",
    "telegram.asked", "telegram.answered", "telegram.refused", "bot.wished", "fleet.live",
    "fleet.limits", "fleet.panic", "bot.panic",
)  # fmt: skip
"""Whose details no retention drops: the accounts go on from them, and people answer for them."""


@contextmanager
def reading() -> Iterator[Journal]:
    """Open the fleet's journal for reading; ConfigError when there is none yet."""
    with open_journal(_begun(), read_only=True) as journal:
        yield journal


@contextmanager
def writing() -> Iterator[Journal]:
    """Open the fleet's journal as one of its writers."""
    with open_journal(_begun()) as journal:
        yield journal


def _begun() -> Home:
    folder = Home(home())
    if not has_journal(folder):
        where, cure = str(folder.journal), "run freqfleet up"
        raise ConfigError("there is no journal yet", where=where, cure=cure)
    return folder


def search(query: Query, limit: int, *, after: int = 0) -> list[Event]:
    """Find the newest events that match, the oldest of them first; those after one, if asked."""
    with reading() as journal:
        return journal.read(after, limit, query) if after else journal.tail(limit, query)


async def follow(query: Query, after: int) -> AsyncIterator[Event]:
    """Follow the journal from a position, for ever."""
    with reading() as journal:
        async for event in journal.subscribe(after, query):
            yield event


def verify(exported: Path | None = None) -> Verification:
    """Recompute the chain of the journal, or of an export alone, with all proofs at hand."""
    public, anchor = _proofs()
    if exported is not None:
        from automation.journal.export import verify_export  # noqa: PLC0415  brings pyarrow

        return verify_export(exported, public=public, anchor=anchor)
    with reading() as journal:
        return journal.verify(public, anchor)


def write_export(path: Path, query: Query) -> "Exported":
    """Write the events that match to a file: JSON lines, or Parquet by its name."""
    from automation.journal.export import export  # noqa: PLC0415  brings pyarrow

    with reading() as journal:
        return export(journal, path, query=query)


def account(query: Query) -> Report:
    """Say who did what between two instants."""
    if query.since is None or query.until is None:
        raise ConfigError("a report needs both ends of a period", cure="give --from and --to")
    public, anchor = _proofs()
    with reading() as journal:
        found = journal.verify(public, anchor)
        return report(journal, query.since, query.until, verification=found)


def rebuilt(*, repair: bool = False) -> Rebuilt:
    """Fold the journal from zero and compare with what is stored."""
    with writing() as journal:
        return rebuild(journal, Activity(), repair=repair)


def drop_details(before: datetime, archive: Path | None = None) -> "Seal | Refusal":
    """Drop the payloads of what happened before an instant; hashes and proofs stay.

    Kept are the trades, what equity is reckoned from, and who commanded what.
    """
    from automation.alerts.fold import AlertsFold  # noqa: PLC0415  only here
    from automation.journal.retention import resume_seals, seal  # noqa: PLC0415  brings pyarrow

    with writing() as journal:
        resume_seals(journal)
        return seal(
            journal,
            before,
            actor=actor(),
            archive=archive,
            keep_kinds=KEPT_KINDS,
            folds=[Activity(), AlertsFold()],
        )


def as_document(event: Event) -> dict[str, Any]:
    """Give an event as JSON-ready values, with its sentence."""
    return {**event.as_dict(), "sentence": sentence(event)}


def anchor_of(folder: Path) -> Path:
    """Tell where the newest checkpoint is kept apart from the journal.

    `FREQFLEET_ANCHORS` names the folder, best on another disk; else the user's own state folder.
    """
    default = Path.home() / ".local" / "state" / "freqfleet"
    anchors = Path(os.environ.get("FREQFLEET_ANCHORS", default))
    return anchors / f"{sha256(str(folder).encode()).hexdigest()[:16]}.anchor"


def _proofs() -> tuple[PublicKey | None, Checkpoint | None]:
    folder = Home(home()).path
    public = public_path(folder / "keys" / "journal.key")
    anchor = anchor_of(folder)
    return (
        PublicKey.load(public) if public.exists() else None,
        read_anchor(anchor) if anchor.exists() else None,
    )
