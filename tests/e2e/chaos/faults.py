"""What goes wrong: each fault does its harm, and returns once the fleet should be able to recover.

`after` is what a person has to do then, where a machine must not go on alone. Returns the seconds
until the fault was noticed and until all bots were well, as far as they can be told.
"""

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from automation.core.errors import FreqfleetError
from automation.fleet import commands
from tests.e2e.chaos.world import BOTS, World


@dataclass(frozen=True)
class Seen:
    """How a fault went."""

    fault: str
    noticed_s: float | None
    well_s: float


def one_of(dice: random.Random) -> str:
    return dice.choice(sorted(BOTS))


def killed(world: World, dice: random.Random) -> None:
    world.kill(one_of(dice))


def stopped(world: World, dice: random.Random) -> None:
    world.stop_signal(one_of(dice), signal.SIGSTOP)


def api_hangs(world: World, dice: random.Random) -> None:
    (world.home / "bots" / one_of(dice) / "hang-api").touch()


def database_lost(world: World, dice: random.Random) -> None:
    """Another database is found after a crash, while a position is open."""
    name = one_of(dice)
    world.until_trading(name)
    world.until(lambda: world.ask(name, "status"), f"{name} books no trade")
    time.sleep(4)  # the supervisor writes down what is open
    path = world.database(name)
    kept = world.folder / f"{name}.kept"
    size = world.position(name)
    world.kill(name)
    shutil.copyfile(path, kept)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    _until_reported(world, name)
    world.check_alone(name, size)
    commands.bot_action(world.home, name, "stop")
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    shutil.copyfile(kept, path)
    commands.bot_action(world.home, name, "start")
    world.until(lambda: world.is_alive(name), f"{name} does not come back with its database")
    _resume(world, name)


def _until_reported(world: World, name: str) -> bool:
    def told() -> bool:
        return bool(world.journal("bot.trades_differ", bot=name))

    try:
        world.until(told, "nobody told of the lost trade", 90)
    except AssertionError:
        world.violations.append(f"{name} lost its open trade and nobody was told")
        return False
    return True


def _resume(world: World, name: str) -> None:
    for _ in range(20):
        try:
            commands.bot_action(world.home, name, "resume")
        except FreqfleetError:
            time.sleep(1)
        else:
            return


def file_broken(world: World, dice: random.Random) -> None:
    """The strategy is broken while it is edited, and the bot dies in that moment."""
    path = world.folder / "strategies" / "Eager.py"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2] + "\n    def broken(")
    try:
        world.kill(one_of(dice))
        time.sleep(3)
        world.until_well()
    finally:
        path.write_text(whole)


def killed_while_paused(world: World, dice: random.Random) -> None:
    """A paused bot dies, and must come back paused."""
    name = one_of(dice)
    commands.bot_action(world.home, name, "pause")
    world.paused[name] = time.monotonic()
    time.sleep(8)
    world.kill(name)
    time.sleep(2)
    world.until(lambda: world.is_well(name), f"{name} is not well")
    time.sleep(20)  # it is flat after a minute, and would enter again
    world.until(lambda: not world.position(name), f"{name} does not close its trade", 120)
    time.sleep(12)
    world.paused.pop(name)
    _resume(world, name)


FAULTS: dict[str, Callable[[World, random.Random], None]] = {
    fault.__name__: fault
    for fault in (killed, stopped, api_hangs, file_broken, killed_while_paused)
}
BY_A_PERSON = {"database_lost": database_lost}
"""What a person has to end; for the table of guards."""
NOTICED_WITHIN_S = 40.0


def notices(world: World, after: int, since_us: float) -> list[float]:
    """Tell when the fleet wrote down that something is wrong, in seconds from an instant."""
    return [
        (event.time_us - since_us) / 1e6
        for event in world.journal(*_NOTICES)
        if event.sequence > after
    ]


def strike(world: World, name: str, dice: random.Random) -> Seen:
    """Do one fault and wait until the fleet is well again."""
    last = world.journal()[-1].sequence
    began_s, began_us = time.monotonic(), time.time() * 1e6
    (FAULTS | BY_A_PERSON)[name](world, dice)
    noticed = notices(world, last, began_us)
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while not noticed and time.monotonic() < deadline:
        time.sleep(0.3)
        noticed = notices(world, last, began_us)
    if not noticed:
        world.violations.append(f"{name} was not noticed within {NOTICED_WITHIN_S:g} s")
    world.until_well()
    well_s = time.monotonic() - began_s
    return Seen(name, round(noticed[0], 1) if noticed else None, round(well_s, 1))


_NOTICES = (
    "bot.exited", "bot.degraded", "bot.unhealthy", "dependency.fails", "fleet.up",
    "bot.trades_differ", "bot.held",
)  # fmt: skip
