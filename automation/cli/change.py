"""`freqfleet reload | apply`: changed strategies, configurations and fleet files, while bots run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.output import err, out, print_json
from automation.core.errors import ConfigError

if TYPE_CHECKING:
    from automation.fleet.lifecycle.difference import Step


def reload(
    bots: Annotated[
        list[str] | None, typer.Argument(metavar="[BOT]...", help="Bots that run.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every bot that runs.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for open trades.")] = False,
    canary: Annotated[str, typer.Option(help="The bot that goes first.")] = "",
    healthy_for: Annotated[
        float, typer.Option(min=0, help="Seconds that the canary is healthy before the others.")
    ] = 60.0,
) -> None:
    """Have bots take a changed strategy or configuration, one after another, a canary first.

    What changed is rehearsed first (loading, truncation, a short backtest); if it fails, the bot
    goes on with what it runs, and why is told.

    Example: [bold]freqfleet reload --all --canary trend[/bold]
    """
    from automation.core.paths import home
    from automation.fleet.lifecycle.rolling import Pace, roll

    if bool(bots) == every:
        raise ConfigError("which bots is not clear", where="reload", cure="name some, or add --all")

    def tell(sentence: str) -> None:
        out.print(sentence, highlight=False, soft_wrap=True)

    done = roll(home(), bots or (), canary, Pace(canary_s=healthy_for, at_once=now), tell)
    out.print(f"reloaded: {', '.join(done)}", highlight=False)


def apply(
    config: Annotated[Path, typer.Option("--config", "-c", help="The changed fleet file.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Bots with open trades may be stopped; do not ask.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Bots in mode live may trade real money.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--show", help="Show the difference; apply nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Apply a changed fleet file to the fleet that runs: the difference, all of it or nothing.

    Example: [bold]freqfleet apply -c fleet.yaml[/bold]
    """
    from automation.app import fleets
    from automation.cli.fleet import ask_live
    from automation.core.paths import home
    from automation.fleet.commands import apply_fleet, propose_fleet

    fleet = fleets.read_fleet(config)
    question = None if dry else fleets.question_before_live(fleet, has_live_option=live)
    if question is not None:
        fleets.confirm(fleet, ask_live(question))
    steps = propose_fleet(home(), fleet)
    asked = [step for step in steps if step.must_be_asked]
    if not as_json:
        _show(steps)
    if dry or not steps:
        if as_json:
            print_json({"steps": [step.model_dump(mode="json") for step in steps], "said": ""})
        return
    is_agreed = yes or (bool(asked) and _agrees(asked))
    said = apply_fleet(home(), fleet, is_agreed=is_agreed)
    if as_json:
        print_json({"steps": [step.model_dump(mode="json") for step in steps], "said": said})
    else:
        out.print(said, highlight=False)


def _show(steps: "tuple[Step, ...]") -> None:
    from rich.table import Table

    if not steps:
        out.print("the fleet runs as the file says already")
        return
    table = Table("bot", "field", "from", "to", "done for it", "open trades", box=None)
    for step in steps:
        trades = str(step.open_trades) if step.must_be_asked else ""
        if not step.changes:
            table.add_row(step.who, "", "", "", str(step.effect), trades)
        for change in step.changes:
            table.add_row(step.who, change.field, change.old, change.new, str(step.effect), trades)
    out.print(table)


def _agrees(asked: "list[Step]") -> bool:
    names = ", ".join(f"{step.bot} ({step.open_trades} open trades)" for step in asked)
    if not sys.stdin.isatty():
        raise ConfigError(
            f"it would stop {names}", where="apply", cure="add --yes if that is meant"
        )
    err.print(f"This stops {names}. Their stops at the exchange stay.", highlight=False)
    if input("Go on? Type yes: ").strip() != "yes":
        raise ConfigError("nothing was applied", where="apply")
    return True
