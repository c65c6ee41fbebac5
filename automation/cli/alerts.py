"""`freqfleet alerts …`: what fires, who takes care of it, and why somebody heard of it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from automation.cli.output import out, print_json
from automation.core.errors import ConfigError

alerts = typer.Typer(help="See, acknowledge, silence and explain alerts.", no_args_is_help=True)

FileOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Alerts file; without it configs/alerts.yaml.")
]
_DURATION = re.compile(r"(\d+)([mhd])")
_MINUTES = {"m": 1, "h": 60, "d": 1440}


@alerts.command("list")
def list_(
    pending: Annotated[
        bool, typer.Option("--pending", help="Also what may become an alert.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show what fires, the worst first, and the silences that hold.

    Example: [bold]freqfleet alerts list[/bold]
    """
    from dataclasses import asdict

    from automation.app.alerting import open_alerts

    firing, silences = open_alerts(pending=pending)
    if as_json:
        print_json(
            {"alerts": [asdict(a) for a in firing], "silences": [asdict(s) for s in silences]}
        )
        return
    for row in firing:
        care = f", {row.acked_by} takes care of it" if row.acked_by else ""
        quiet = f", silenced by {row.silenced_by}" if row.silenced_by else ""
        about = f" {row.bot}" if row.bot else ""
        said = f"{row.id}  {row.severity:<9} {row.rule}{about}, {row.status} since {row.since:%H:%M:%S}"
        out.print(said + care + quiet, highlight=False, soft_wrap=True)
    for one in silences:
        match = ", ".join(f"{name} {test}" for name, test in one.match.items())
        said = f"silence {one.id}: {match}, by {one.author} until {one.until:%Y-%m-%d %H:%M}"
        out.print(f"{said}: {one.reason}", highlight=False, soft_wrap=True)
    if not firing:
        out.print("nothing fires")


@alerts.command()
def ack(
    target: Annotated[str, typer.Argument(help="Alert id, message name, or all.")],
    note: Annotated[str, typer.Option(help="A word for the record.")] = "",
) -> None:
    """Take care of alerts: they are neither repeated nor escalated.

    Example: [bold]freqfleet alerts ack all --note 'looking into it'[/bold]
    """
    from automation.app.alerting import acknowledge

    out.print(f"acknowledged {', '.join(acknowledge(target, note))}", highlight=False)


@alerts.command()
def silence(
    match: Annotated[
        list[str], typer.Argument(metavar="LABEL=VALUE...", help="rule, severity, bot …")
    ],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    for_: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d.")] = "2h",
) -> None:
    """Keep alerts with these labels quiet for a while.

    Example: [bold]freqfleet alerts silence bot=trend --for 2h --reason maintenance[/bold]
    """
    from automation.app.alerting import silence as keep_quiet

    found = _DURATION.fullmatch(for_)
    if found is None:
        raise ConfigError(f"{for_!r} is no duration", where="--for", cure="write 30m, 2h or 1d")
    labels = dict(_label(one) for one in match)
    until = datetime.now(UTC) + timedelta(minutes=int(found[1]) * _MINUTES[found[2]])
    name = keep_quiet(labels, reason, until)
    out.print(f"silence {name} holds until {until:%Y-%m-%d %H:%M} UTC", highlight=False)


@alerts.command()
def unsilence(name: Annotated[str, typer.Argument(metavar="ID", help="The silence's id.")]) -> None:
    """End a silence before its time.

    Example: [bold]freqfleet alerts unsilence 1a2b3c4d[/bold]
    """
    from automation.app.alerting import unsilence as end

    end(name)
    out.print(f"silence {name} is over", highlight=False)


@alerts.command()
def explain(
    target: Annotated[str, typer.Argument(help="Alert id, message name, or number of an event.")],
    config: FileOption = None,
) -> None:
    """Say why an alert went where it went, or why nobody heard of it.

    Example: [bold]freqfleet alerts explain telegram-12[/bold]
    """
    from automation.app.alerting import account_for

    out.print(account_for(target, config).text, highlight=False, markup=False, soft_wrap=True)


@alerts.command("test")
def send_test(
    channels: Annotated[list[str] | None, typer.Argument(help="Channels; all without any.")] = None,
    config: FileOption = None,
) -> None:
    """Send a test message through channels; exit code 1 when one did not take it.

    Example: [bold]freqfleet alerts test telegram[/bold]
    """
    from automation.app.alerting import try_channels

    outcomes = asyncio.run(try_channels(config, tuple(channels or ())))
    for name, fault in outcomes.items():
        said = f"[red]failed[/red] {name}: {fault}" if fault else f"[green]sent[/green]   {name}"
        out.print(said, highlight=False, soft_wrap=True)
    if any(outcomes.values()):
        raise typer.Exit(1)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise ConfigError(f"{text!r} is no label", where="silence", cure="write it like bot=trend")
    return name, value
