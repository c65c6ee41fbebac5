"""Panic as a user commands it: stop everything, on every bot, from this machine.

Opens the journal of the fleet and hands it to the fleet's own panic, which Telegram calls too.
Called by the command line.
"""

import asyncio

from automation.app.journals import writing
from automation.core.paths import home
from automation.fleet.commands import actor
from automation.fleet.panic import Outcome, panic


def stop_everything(*, flatten: bool) -> list[Outcome]:
    """Stop entries and cancel open orders on every bot that runs; with `flatten` close positions.

    Gives one outcome a bot; ConfigError where there never was a fleet.
    """
    with writing() as journal:
        return asyncio.run(panic(home(), journal, actor=actor(), flatten=flatten))
