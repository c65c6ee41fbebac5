"""`freqfleet init | up | down | status | doctor`: the fleet as a whole."""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automation.cli.output import err, instant, out, print_json
from automation.core.errors import ConfigError

if TYPE_CHECKING:
    from automation.core.config import Fleet
    from automation.core.model import FleetStatus
    from automation.fleet.lease import Terms
    from automation.fleet.live import LiveQuestion

_SHOWN_EVENTS = 8

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Fleet file; without it the demo's.")
]


def init(
    output: Annotated[Path, typer.Option(help="Where to write.")] = Path("fleet.yaml"),
    venue: Annotated[
        str | None, typer.Option(help="simulator, binance-dry-run or binance-live; else asked.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="conservative, moderate or aggressive; else asked.")
    ] = None,
    capital: Annotated[float | None, typer.Option(help="Capital in USDT; else asked.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Write a fleet file that works, from three answers.

    Example: [bold]freqfleet init --venue simulator --profile moderate --capital 5000[/bold]
    """
    from automation.app.fleets import write_fleet_file
    from automation.core.config import Profile
    from automation.fleet.initial import InitAnswers, VenueChoice, init_fleet

    answers = InitAnswers(
        venue=VenueChoice(_choose("venue", venue, [v.value for v in VenueChoice])),
        profile=Profile(_choose("profile", profile, [p.value for p in Profile])),
        capital_usdt=capital if capital is not None else _ask_number("capital in USDT", 10_000.0),
    )
    write_fleet_file(output, init_fleet(answers), overwrite=force)
    out.print(f"wrote {output}", highlight=False)
    live = " --live" if answers.venue is VenueChoice.BINANCE_LIVE else ""
    out.print(f"next: freqfleet doctor -c {output}, then freqfleet up -c {output}{live}")


def up(
    config: ConfigOption = None,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Bots in mode live may trade real money.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="The simulator replays this Freqtrade data folder.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Instant in the data that becomes now.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="X", help="Let market and bots live X times as fast as the clock."),
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(help="Alerts file; without it configs/alerts.yaml.")
    ] = None,
    standby: Annotated[
        bool,
        typer.Option("--standby", help="Wait for the supervisor there is, and follow it."),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="The machine that had this fleet is gone for good."),
    ] = False,
) -> None:
    """Start the fleet and keep it running; Ctrl-C takes it down in order.

    Example: [bold]freqfleet up -c fleet.yaml --detach[/bold]
    """
    from automation.app import fleets
    from automation.fleet.lease import Terms

    fleet = fleets.read_fleet(config, data=data, at=instant(at, "--at"), speed=speed)
    question = fleets.question_before_live(fleet, has_live_option=live)
    if question is not None:
        fleets.confirm(fleet, ask_live(question))
    if detach and standby:
        cure = "start it where it may stay in the foreground, as under systemd"
        raise ConfigError("--standby does not go with --detach", where="up", cure=cure)
    terms = Terms(waits=standby, takes_over=take_over)
    if standby:
        err.print("standing by: follows the supervisor there is once it dies or falls silent")
    if detach:
        pid = fleets.detach(fleet, alerts, terms)
        out.print(f"fleet {fleet.fleet} is up, supervisor pid {pid}")
        _say_next(fleet)
    elif out.is_terminal:
        _show_live(fleet, alerts, terms)
    else:
        _say_next(fleet)
        asyncio.run(fleets.supervise(fleet, _print_news, alerts, terms))


def down() -> None:
    """Take the fleet down in order: bots first, the simulator last.

    Example: [bold]freqfleet down[/bold]
    """
    from automation.app.fleets import take_down

    with err.status("stopping bots") as spinner:

        def tell(status: "FleetStatus") -> None:
            running = [bot.name for bot in status.bots if bot.pid is not None]
            spinner.update(f"stopping {', '.join(running) or 'the simulator'}")

        said = take_down(tell)
    out.print(said, highlight=False)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Tell how the fleet is; exit code 1 when it is not healthy.

    Example: [bold]freqfleet status --json[/bold]
    """
    from automation.app.fleets import recent
    from automation.core.paths import home
    from automation.fleet.commands import status as ask
    from automation.fleet.table import render_table

    found = ask(home())
    if found is None:
        raise ConfigError("there is no fleet here", where=str(home()), cure="run freqfleet up")
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        out.print(render_table(found, recent(_SHOWN_EVENTS)))
    if not found.healthy:
        raise typer.Exit(1)


def doctor(config: ConfigOption = None) -> None:
    """Check this machine and the fleet's files; exit code 1 when something must be mended.

    Example: [bold]freqfleet doctor -c fleet.yaml[/bold]
    """
    from automation.app.fleets import examine, read_fleet
    from automation.fleet.doctor import Grade

    marks = {
        Grade.GOOD: "[green]ok[/green]  ",
        Grade.WARNING: "[yellow]note[/yellow]",
        Grade.BAD: "[red]bad[/red] ",
    }
    checks = examine(read_fleet(config))
    for check in checks:
        out.print(f"{marks[check.grade]} {check.name}: {check.sentence}", highlight=False)
    if any(check.grade is Grade.BAD for check in checks):
        raise typer.Exit(1)


def _choose(what: str, given: str | None, choices: list[str]) -> str:
    if given is not None:
        if given not in choices:
            raise ConfigError(
                f"{given!r} is none of {', '.join(choices)}", where=f"--{what}", cure="choose one"
            )
        return given
    from rich.prompt import Prompt

    _require_terminal(f"--{what}")
    return Prompt.ask(what, choices=choices, default=choices[0], console=err)


def _ask_number(what: str, default: float) -> float:
    from rich.prompt import FloatPrompt

    _require_terminal("--capital")
    return FloatPrompt.ask(what, default=default, console=err)


def ask_live(question: "LiveQuestion") -> str:
    """Ask a person to type that bots may trade real money; gives what was typed."""
    _require_terminal("--live")
    for sentence in question.sentences():
        err.print(f"[bold red]real money[/bold red] {sentence}", highlight=False)
    err.print(f"To go on, type: [bold]{question.phrase}[/bold]", highlight=False)
    return input("> ")


def _require_terminal(option: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask at", where=option, cure="run it in one")


def _say_next(fleet: "Fleet") -> None:
    first = fleet.bots[0].name
    out.print("look next:", highlight=False)
    for command, what in (
        ("freqfleet status", "how every bot is"),
        (f"freqfleet bot login {first}", "address and password for FreqUI"),
        ("freqfleet journal tail --follow", "what happens, in sentences"),
        ("freqfleet down", "take everything down in order"),
    ):
        out.print(f"  {command:<34} {what}", highlight=False)


def _print_news(_status: "FleetStatus", news: Sequence[str]) -> None:
    for sentence in news:
        out.print(sentence, highlight=False, soft_wrap=True)


def _show_live(fleet: "Fleet", alerts: Path | None, terms: "Terms") -> None:
    """Draw the table each second, with the last things that happened below."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from automation.app import fleets
    from automation.fleet.table import render_table

    latest: deque[str] = deque(maxlen=_SHOWN_EVENTS)
    hint = Text(
        "Ctrl-C takes the fleet down; in another terminal: freqfleet status, freqfleet bot login ",
        "dim",
    )
    hint.append(fleet.bots[0].name)
    with Live(console=out, auto_refresh=False) as screen:

        def draw(status: "FleetStatus", news: Sequence[str]) -> None:
            latest.extend(news)
            screen.update(Group(render_table(status, tuple(latest)), Text(), hint), refresh=True)

        asyncio.run(fleets.supervise(fleet, draw, alerts, terms))
    out.print(f"fleet {fleet.fleet} is down")
