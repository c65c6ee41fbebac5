"""Reloads several bots one after another, a canary first: a bad change stops at the first.

Each must be healthy without a break for a while before the next is touched; the canary for longer.
Works from outside the supervisor, so that a roll that is broken off leaves whole bots: changed ones
and unchanged ones. Refuses to know how a bot reloads. Called by commands through `app`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from automation.core.errors import ConfigError, PermanentError
from automation.core.model import BotStatus, FleetStatus, Health
from automation.fleet import commands

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a roll goes; seconds."""

    canary_s: float = 60.0  # the canary is healthy for so long before the others
    next_s: float = 10.0  # each other one
    within_s: float = 300.0  # to become so
    at_once: bool = False  # open trades are not waited for
    look_s: float = 0.5


def roll(home: Path, bots: Sequence[str], canary: str, pace: Pace, tell: Tell) -> tuple[str, ...]:
    """Reload the bots (all that run, without any); returns those that were, the canary first.

    `canary`: which is first; "" for the first of them. Raises ConfigError for unknown bots and for a
    refused change, PermanentError when a bot does not get well: no further one is touched then.
    """
    order = _order(_status(home), bots, canary)
    done: list[str] = []
    for name in order:
        is_canary = name == order[0] and len(order) > 1
        tell(f"{name}: {commands.bot_action(home, name, _action(pace))}")
        for_s = pace.canary_s if is_canary else pace.next_s
        try:
            _until_well(home, name, for_s, pace, tell)
        except PermanentError as error:
            rest = order[len(done) + 1 :]
            untouched = f"; not touched: {', '.join(rest)}" if rest else ""
            raise PermanentError(f"{error}{untouched}", where=name) from None
        tell(f"{name}: healthy for {for_s:g} s" + (", the others follow" if is_canary else ""))
        done.append(name)
    return tuple(done)


def _order(status: FleetStatus, bots: Sequence[str], canary: str) -> list[str]:
    running = [bot.name for bot in status.bots if bot.pid is not None]
    for name in (*bots, *([canary] if canary else [])):
        if name not in {bot.name for bot in status.bots}:
            known = ", ".join(bot.name for bot in status.bots)
            raise ConfigError(f"there is no bot {name}", cure=f"this fleet has {known}")
        if name not in running:
            cure = "it takes what changed when it starts"
            raise ConfigError(f"{name} does not run", cure=cure)
    chosen = list(dict.fromkeys(bots)) or running
    if not chosen:
        raise ConfigError("no bot runs", cure="they take what changed when they start")
    well = {bot.name for bot in status.bots if bot.health is Health.HEALTHY}
    first = canary or next((name for name in chosen if name in well), chosen[0])
    return [first, *(name for name in chosen if name != first)]


def _action(pace: Pace) -> str:
    return "reload-now" if pace.at_once else "reload"


def _until_well(home: Path, name: str, for_s: float, pace: Pace, tell: Tell) -> None:
    """Wait until a bot was healthy without a break for so long, its change applied."""
    told, since, begun = "", None, time.monotonic()
    while True:
        bot, now = _bot(home, name), time.monotonic()
        if bot.changing:
            if bot.changing != told:
                told = bot.changing
                tell(f"{name}: {told}")
            since, begun = None, now  # open trades may take their time
        elif bot.health is not Health.HEALTHY:
            since = None
        else:
            since = now if since is None else since
            if now - since >= for_s:
                return
        if now - begun > pace.within_s + for_s:
            reason = f"{name} is not healthy {now - begun:.0f} s after its change: {bot.reason}"
            raise PermanentError(reason)
        time.sleep(pace.look_s)


def _status(home: Path) -> FleetStatus:
    found = commands.status(home)
    if found is None or found.supervisor_pid is None:
        raise ConfigError("no supervisor runs", where=str(home), cure="run freqfleet up")
    return found


def _bot(home: Path, name: str) -> BotStatus:
    return next(bot for bot in _status(home).bots if bot.name == name)
