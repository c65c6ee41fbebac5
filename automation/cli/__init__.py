"""The command line: parse, call `automation.app`, print, exit. One module a group of commands.

Modules of the rooms are imported inside the commands, so that `freqfleet --help` answers at once.
"""

import typer

from automation.cli import backtest, change, fleet, simulate
from automation.cli.alerts import alerts
from automation.cli.bot import bot
from automation.cli.gate import program as gate
from automation.cli.journal import journal
from automation.cli.panic import panic
from automation.cli.rehearse import rehearse
from automation.cli.train import program as train
from automation.cli.tune import program as tune

program = typer.Typer(
    name="freqfleet",
    help="Run a fleet of Freqtrade futures bots the way a trading desk would.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (fleet.init, fleet.up, fleet.down, fleet.status, fleet.doctor):
    program.command()(command)
program.command()(panic)
program.command()(change.reload)
program.command()(change.apply)
program.command(hidden=True)(rehearse)
program.add_typer(bot, name="bot")
program.command()(simulate.simulate)
program.command()(backtest.backtest)
program.add_typer(gate, name="gate")
program.add_typer(journal, name="journal")
program.add_typer(alerts, name="alerts")
program.add_typer(train, name="train")
program.add_typer(tune, name="tune")


@program.callback()
def _root() -> None:
    """Keep `freqfleet COMMAND` a group even while there is a single command."""


__all__ = ["program"]
