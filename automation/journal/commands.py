"""What the command `freqfleet journal …` calls: one function each, data out, nothing printed.

Decides how what a person types (instants, `2h`, names of files) becomes a question to the journal.
Refuses to know of terminals and exit codes. The command line calls it.
"""

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from automation.core.clock import parse_instant
from automation.core.errors import ConfigError
from automation.journal.checkpoints import PublicKey, read_anchor
from automation.journal.event import Event
from automation.journal.export import Exported, export, verify_export
from automation.journal.folds import Fold, Rebuilt, rebuild
from automation.journal.journal import Journal
from automation.journal.report import Report, report
from automation.journal.store import Query
from automation.journal.verification import Verification

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_EXPORTS = (".jsonl", ".parquet")


def instant(text: str, now: datetime, *, where: str) -> datetime:
    """Read an instant (`2026-11-20T10:00Z`, `2026-11-20`) or how long ago (`90m`, `2h`, `7d`).

    ConfigError names `where`, the option it came from.
    """
    span = _SPAN.fullmatch(text)
    try:
        if span is not None:
            return now - timedelta(seconds=float(span[1]) * _SECONDS[span[2]])
        return parse_instant(text)
    except (ValueError, OverflowError) as error:
        raise ConfigError(str(error), where=where, cure="or say how long ago, like 2h") from None


def question(
    now: datetime,
    *,
    actor: str = "",
    address: str = "",
    source: str = "",
    bot: str = "",
    kinds: Iterable[str] = (),
    cause: int | None = None,
    since: str = "",
    until: str = "",
    text: str = "",
) -> Query:
    """Make a query of what was typed."""
    return Query(
        actor=actor,
        address=address,
        source=source,
        bot=bot,
        kind=tuple(kinds),
        cause=cause,
        since=instant(since, now, where="--since") if since else None,
        until=instant(until, now, where="--until") if until else None,
        text=text,
    )


def tail(journal: Journal, query: Query, *, limit: int = 20) -> list[Event]:
    """Give the newest matching events, oldest of them first; `Journal.subscribe` follows on."""
    return journal.tail(limit, query)


def search(journal: Journal, query: Query, *, limit: int = 1000, after: int = 0) -> list[Event]:
    """Give matching events, oldest first."""
    return journal.read(after, limit, query)


def verify(
    target: Journal | Path, *, public_key: Path | None = None, anchor: Path | None = None
) -> Verification:
    """Verify a journal, or an export by itself."""
    public = None if public_key is None else PublicKey.load(public_key)
    signed = None if anchor is None else read_anchor(anchor)
    if isinstance(target, Journal):
        return target.verify(public, signed)
    return verify_export(target, public=public, anchor=signed)


def is_export(target: str) -> bool:
    """Tell whether what was typed names an export rather than a journal."""
    return target.endswith(_EXPORTS)


def export_to(
    journal: Journal,
    path: Path,
    *,
    after: int = 0,
    until: int | None = None,
    query: Query | None = None,
) -> Exported:
    """Export to JSON lines or Parquet; ConfigError when the name says neither."""
    if not is_export(path.name):
        raise ConfigError(
            f"the form of {path.name!r} is not known", cure="name it .jsonl or .parquet"
        )
    return export(journal, path, after=after, until=until, query=query or Query())


def rebuild_all(
    journal: Journal, folds: Collection[Fold[Any]], *, repair: bool = False
) -> list[Rebuilt]:
    """Fold every state from zero and compare with what is stored."""
    return [rebuild(journal, fold, repair=repair) for fold in folds]


def report_on(
    journal: Journal,
    since: datetime,
    until: datetime,
    *,
    public_key: Path | None = None,
    anchor: Path | None = None,
) -> Report:
    """Verify the journal and give the account of a period."""
    found = verify(journal, public_key=public_key, anchor=anchor)
    return report(journal, since, until, verification=found)
