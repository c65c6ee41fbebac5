"""`freqfleet bot …`: one bot of the fleet."""

import time
from pathlib import Path
from typing import Annotated

import typer

from automation.cli.output import out, print_json

bot = typer.Typer(help="Command one bot of the fleet.", no_args_is_help=True)

BotArgument = Annotated[str, typer.Argument(metavar="BOT", help="The bot's name.")]


def _do(name: str, action: str) -> None:
    from automation.core.paths import home
    from automation.fleet.commands import bot_action

    out.print(bot_action(home(), name, action), highlight=False)


@bot.command()
def start(name: BotArgument) -> None:
    """Start a stopped bot.

    Example: [bold]freqfleet bot start trend[/bold]
    """
    _do(name, "start")


@bot.command()
def stop(name: BotArgument) -> None:
    """Stop a bot until it is started again.

    Example: [bold]freqfleet bot stop trend[/bold]
    """
    _do(name, "stop")


@bot.command()
def restart(name: BotArgument) -> None:
    """Stop a bot and start it again.

    Example: [bold]freqfleet bot restart trend[/bold]
    """
    _do(name, "restart")


@bot.command()
def pause(name: BotArgument) -> None:
    """Let a bot enter no more trades; exits go on.

    Example: [bold]freqfleet bot pause trend[/bold]
    """
    _do(name, "pause")


@bot.command()
def resume(name: BotArgument) -> None:
    """Let a paused bot trade again.

    Example: [bold]freqfleet bot resume trend[/bold]
    """
    _do(name, "resume")


@bot.command()
def drain(name: BotArgument) -> None:
    """Let a bot enter no more trades, and stop it once none is open.

    Example: [bold]freqfleet bot drain trend[/bold]
    """
    _do(name, "drain")


@bot.command()
def reload(
    name: BotArgument,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for open trades.")] = False,
) -> None:
    """Have a bot read its configuration again; what changed is rehearsed first.

    Example: [bold]freqfleet bot reload trend[/bold]
    """
    _do(name, "reload-now" if now else "reload")


@bot.command()
def show(
    name: BotArgument,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show a bot's health ladder, from the ground up; exit code 1 when it is not healthy.

    Example: [bold]freqfleet bot show trend[/bold]
    """
    from automation.core.model import Health
    from automation.core.paths import home
    from automation.fleet.commands import bot_status
    from automation.fleet.table import render_ladder

    found = bot_status(home(), name)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        out.print(render_ladder(found), highlight=False)
    if found.health is not Health.HEALTHY:
        raise typer.Exit(1)


@bot.command()
def login(
    name: BotArgument,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show where a bot's API is and how FreqUI logs in.

    Example: [bold]freqfleet bot login trend[/bold]
    """
    from automation.core.paths import home
    from automation.fleet.commands import bot_login

    found = bot_login(home(), name)
    if as_json:
        print_json(
            {
                "bot": found.bot,
                "url": found.url,
                "username": found.username,
                "password": found.password,
            }
        )
        return
    for label, value in (
        ("address", found.url),
        ("user name", found.username),
        ("password", found.password),
    ):
        out.print(f"{label:<10} {value}", highlight=False, soft_wrap=True)


@bot.command()
def logs(
    name: BotArgument,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
) -> None:
    """Show the end of a bot's log; secrets in it become ***.

    Example: [bold]freqfleet bot logs trend -f[/bold]
    """
    from automation.core.masking import mask
    from automation.core.paths import home
    from automation.fleet.commands import bot_log

    path = bot_log(home(), name)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines()[-lines:]:
        out.print(mask(line), highlight=False, markup=False, soft_wrap=True)
    if follow:
        _follow(path, len(text.encode()))


def _follow(path: Path, position: int) -> None:
    """Print the lines that are added; begin anew when the file was rotated."""
    from automation.core.masking import mask

    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < position:
            position = 0
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                added = file.read()
            added = added[: added.rfind(b"\n") + 1]  # half a line may end in half a secret
            position += len(added)
            out.print(
                mask(added.decode("utf-8", "replace")),
                end="",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
        time.sleep(0.3)
