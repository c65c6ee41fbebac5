"""What outlives a supervisor beside the journal: wishes of the operator, back-off of failing units.

A bot that is paused stays paused through everything, for a restarted Freqtrade would trade again;
that a bot was stopped is forgotten once the fleet is taken down in order. Refuses to decide.
Called by supervisor and control.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

from automation.core.config import Fleet
from automation.core.model import RestartMemory, Wish
from automation.fleet.home import Home, read_json, write_json

_LASTING = (Wish.PAUSE, Wish.DRAIN)


def read_wishes(home: Home, fleet: Fleet) -> dict[str, Wish]:
    """Read what is wished of each bot; what nobody wished is what the fleet file says."""
    written = read_json(home.wishes)
    wishes = {}
    for bot in fleet.bots:
        default = Wish.RUN if bot.starts else Wish.STOP
        text = written.get(bot.name)
        wishes[bot.name] = Wish(text) if text in tuple(Wish) else default
    return wishes


def write_wishes(home: Home, wishes: Mapping[str, Wish]) -> None:
    """Write what is wished of each bot."""
    write_json(home.wishes, {name: str(wish) for name, wish in wishes.items()})


def forget_stops(home: Home) -> None:
    """Keep what says that a bot enters no trades."""
    written = read_json(home.wishes)
    write_json(home.wishes, {name: wish for name, wish in written.items() if wish in _LASTING})


def read_memory(home: Home, unit: str, now_s: float, cap_s: float) -> RestartMemory:
    """Read the back-off of a unit onto this supervisor's clock."""
    written = read_json(home.unit(unit) / "memory.json")
    try:
        wait_s = float(written["not_before_epoch_s"]) - time.time()
        restarts, streak = int(written["restarts"]), int(written["streak"])
    except (KeyError, TypeError, ValueError):
        return RestartMemory()
    # A clock that was set back must not keep a bot down for days.
    return RestartMemory(restarts, streak, now_s + min(max(wait_s, 0.0), cap_s))


def write_memory(home: Home, unit: str, memory: RestartMemory, now_s: float) -> None:
    """Write the back-off of a unit."""
    not_before_epoch_s = time.time() + memory.not_before_s - now_s
    document = {
        "restarts": memory.restarts,
        "streak": memory.streak,
        "not_before_epoch_s": not_before_epoch_s,
    }
    write_json(home.unit(unit) / "memory.json", document)


def forget_failures(home: Home, unit: str) -> None:
    """Let the next fleet begin without a history."""
    (home.unit(unit) / "memory.json").unlink(missing_ok=True)


def pardoned(memory: RestartMemory) -> RestartMemory:
    """Forget the streak: an operator asked for the start."""
    return replace(memory, streak=0, not_before_s=0.0)
