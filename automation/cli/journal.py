"""`freqfleet journal …`: the account of everything that happened."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.output import instant, note, out, print_json

if TYPE_CHECKING:
    from automation.journal import Event, Query

journal = typer.Typer(help="Read the account of everything that happened.", no_args_is_help=True)

BotOption = Annotated[str, typer.Option("--bot", help="Only about this bot.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Only what this one wanted.")]
KindOption = Annotated[str, typer.Option("--kind", help="Only this kind; bot.* for all of bots.")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="INSTANT", help="From then on.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="INSTANT", help="Until then.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many events.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


def _query(
    bot: str = "",
    actor: str = "",
    kind: str = "",
    since: str | None = None,
    until: str | None = None,
    text: str = "",
    cause: int | None = None,
    address: str = "",
) -> "Query":
    from automation.journal import Query

    first, last = instant(since, "--from"), instant(until, "--to")
    return Query(
        bot=bot, actor=actor, kind=kind, since=first, until=last, text=text, cause=cause,
        address=address,
    )  # fmt: skip


def _print(event: "Event") -> None:
    from automation.journal import sentence

    when = f"{event.time:%Y-%m-%d %H:%M:%S}"
    out.print(
        f"{event.sequence:>7} {when} {sentence(event)}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


@journal.command()
def tail(
    limit: LimitOption = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    bot: BotOption = "",
    kind: KindOption = "",
) -> None:
    """Show the last things that happened.

    Example: [bold]freqfleet journal tail -f[/bold]
    """
    from automation.app import journals

    query = _query(bot, kind=kind)
    events = journals.search(query, limit)
    for event in events:
        _print(event)
    if not follow:
        return

    async def go_on() -> None:
        async for event in journals.follow(query, events[-1].sequence if events else 0):
            _print(event)

    asyncio.run(go_on())


@journal.command()
def search(
    text: Annotated[str, typer.Argument(help="A piece of the payload.")] = "",
    bot: BotOption = "",
    actor: ActorOption = "",
    kind: KindOption = "",
    address: Annotated[str, typer.Option(help="Only what was asked from this address.")] = "",
    cause: Annotated[int | None, typer.Option(help="Only what this event brought about.")] = None,
    since: FromOption = None,
    until: ToOption = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """Find events.

    Example: [bold]freqfleet journal search --bot trend --kind 'trade.*'[/bold]
    """
    from automation.app import journals

    query = _query(bot, actor, kind, since, until, text, cause, address)
    events = journals.search(query, limit)
    if as_json:
        print_json([journals.as_document(event) for event in events])
        return
    for event in events:
        _print(event)
    if not events:
        note("no event matches; docs/reference/events.md lists the kinds")


@journal.command()
def verify(
    export: Annotated[
        Path | None, typer.Argument(help="An exported file; without it the fleet's journal.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute the hash chain; exit code 1 names the first bad event.

    Example: [bold]freqfleet journal verify[/bold]
    """
    from automation.app.journals import verify as check

    found = check(export)
    if as_json:
        print_json({"whole": found.is_whole, "sentence": found.sentence, "notices": found.notices})
    else:
        out.print(found.sentence, highlight=False, soft_wrap=True)
        for notice in found.notices:
            out.print(notice, style="yellow", highlight=False, soft_wrap=True)
    if not found.is_whole:
        raise typer.Exit(1)


@journal.command()
def export(
    path: Annotated[Path, typer.Argument(help="File to write: .jsonl or .parquet.")],
    bot: BotOption = "",
    actor: ActorOption = "",
    kind: KindOption = "",
    since: FromOption = None,
    until: ToOption = None,
) -> None:
    """Write events to a file that can be verified alone.

    Example: [bold]freqfleet journal export all.jsonl[/bold]
    """
    from automation.app.journals import write_export

    written = write_export(path, _query(bot, actor, kind, since, until))
    out.print(
        f"wrote {written.events} events to {written.path}, SHA-256 {written.sha256}",
        soft_wrap=True,
        highlight=False,
    )


@journal.command()
def seal(
    before: Annotated[
        str, typer.Option("--before", metavar="INSTANT", help="What is older loses its details.")
    ],
    archive: Annotated[
        Path | None, typer.Option(help="Write what is dropped to this file first (.jsonl).")
    ] = None,
) -> None:
    """Drop the details of old events; their hashes stay and prove the archive. Trades are kept.

    Exit code 1 when there is nothing to drop, or it is not signed yet.

    Example: [bold]freqfleet journal seal --before 2026-01-01 --archive 2025.jsonl[/bold]
    """
    from automation.app.journals import drop_details
    from automation.core.errors import Refusal

    until = instant(before, "--before")
    assert until is not None
    done = drop_details(until, archive)
    if isinstance(done, Refusal):
        out.print(done.reason, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    sealed = done.event.payload
    said = f"dropped the details of {done.dropped} events, {sealed['first']} to {sealed['last']}"
    out.print(f"{said}; their hashes stay", highlight=False, soft_wrap=True)


@journal.command()
def rebuild(
    repair: Annotated[
        bool, typer.Option("--repair", help="Forget stored states that differ.")
    ] = False,
) -> None:
    """Fold the state from the first event and compare it with the stored one; exit code 1 if not equal.

    Example: [bold]freqfleet journal rebuild[/bold]
    """
    from automation.app.journals import rebuilt

    found = rebuilt(repair=repair)
    out.print(found.sentence, highlight=False, soft_wrap=True)
    if not found.agrees:
        raise typer.Exit(1)


@journal.command()
def report(
    since: FromOption = None,
    until: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who did what in a period, as Markdown; without one, the last day.

    Example: [bold]freqfleet journal report --from 2026-01-01 --to 2026-02-01[/bold]
    """
    from automation.app.journals import account
    from automation.journal import Query
    from automation.journal.report import to_markdown

    last = instant(until, "--to") or datetime.now(UTC)
    first = instant(since, "--from") or last - timedelta(days=1)
    found = account(Query(since=first, until=last))
    if as_json:
        print_json(found.as_dict())
    else:
        out.print(to_markdown(found), highlight=False, markup=False, soft_wrap=True)
