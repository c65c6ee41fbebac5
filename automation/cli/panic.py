"""`freqfleet panic`: everything stops, with one line for each bot."""

import sys
from typing import Annotated

import typer

from automation.cli.output import err, out, print_json
from automation.core.errors import ConfigError


def panic(
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Close every position at market as well; asks first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before closing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Stop all entries and cancel all open orders; exit code 1 when a bot did not obey.

    Entries stay stopped until [bold]freqfleet bot resume BOT[/bold]. Stops that lie on the exchange
    stay, unless the position goes as well.

    Example: [bold]freqfleet panic[/bold], or [bold]freqfleet panic --flatten[/bold]
    """
    from automation.app.panic import stop_everything

    if flatten and not yes:
        _confirm()
    outcomes = stop_everything(flatten=flatten)
    if as_json:
        print_json([{"bot": one.bot, **one.facts.model_dump(mode="json")} for one in outcomes])
    elif not outcomes:
        out.print("no bot runs")
    else:
        for one in outcomes:
            style = "" if one.is_whole else "red"
            out.print(one.sentence, style=style, highlight=False, markup=False, soft_wrap=True)
    if any(not one.is_whole for one in outcomes):
        raise typer.Exit(1)


def _confirm() -> None:
    """Let a person type the word; without a terminal `--yes` must be said."""
    if not sys.stdin.isatty():
        cure = "say --yes, or leave --flatten out"
        raise ConfigError("nobody is there to confirm", where="--flatten", cure=cure)
    err.print("every position of every bot is closed at market; type flatten to go on")
    if typer.prompt("", prompt_suffix="> ", err=True).strip() != "flatten":
        raise ConfigError("nothing was done", where="--flatten", cure="type flatten to confirm")
