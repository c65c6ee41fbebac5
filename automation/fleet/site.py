"""What rendering needs to know around one unit: the fleet, the folders, the environment.

Refuses to know what is rendered. Used by `render`, `market` and `crew`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.core.config import Bot, Fleet
from automation.fleet.fastforward import FastForward
from automation.fleet.home import Home

ExchangeSection = Callable[[Bot, str], Mapping[str, Any]]
"""Makes Freqtrade's `exchange` section for a bot on the simulator at this address."""


@dataclass(frozen=True, slots=True)
class Site:
    """What rendering needs to know of the machine and the fleet around a bot."""

    fleet: Fleet
    home: Home
    root: Path
    python: str
    exchange_section: ExchangeSection | None = None
    simulator_url: str = ""
    ports: tuple[int, ...] = ()  # of all bots, for CORS
    fast: FastForward | None = None  # the clock of a fast market

    @property
    def strategies(self) -> Path:
        """The pack's strategies."""
        return self.root / "strategies"


def environment(site: Site) -> dict[str, str]:
    """Make the environment of a unit: ours without what would leak into a bot.

    A stray FREQTRADE__DRY_RUN=false would make every bot live, and one bot has no business with
    the secrets of another.
    """
    secret_names = {
        reference.removeprefix("env:")
        for reference in all_references(site.fleet)
        if reference.startswith("env:")
    }
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FREQTRADE__") and name not in secret_names
    }
    if site.fast is not None:
        env |= site.fast.environment
    inherited = env.get("PYTHONPATH")
    env["COLUMNS"] = "10000"  # else Freqtrade wraps what it says, and its last words with it
    env["PYTHONPATH"] = os.pathsep.join([str(site.strategies), *([inherited] if inherited else [])])
    return env


def all_references(fleet: Fleet) -> Iterable[str]:
    """List where all secrets of a fleet are."""
    for account in fleet.exchange.accounts.values():
        named = (account.key, account.secret, account.read_key, account.read_secret)
        yield from (reference for reference in named if reference is not None)
    for bot in fleet.bots:
        if bot.telegram:
            yield from (bot.telegram.token, bot.telegram.chat_id)
