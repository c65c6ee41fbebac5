"""Flies a fleet through faults, one after another; after each, everything must hold.

    python -m tests.e2e.chaos.flight FOLDER SEED SPEED FAULT... [--guard=GUARD]

prints how each fault went and what does not hold.
"""

import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.chaos.faults import FAULTS, SILENT
from tests.e2e.chaos.invariants import Watch
from tests.e2e.chaos.pilot import NONE
from tests.e2e.chaos.reconciling import reconcile
from tests.e2e.chaos.world import World

NOTICED_WITHIN_S = 40.0
NOTICES = (
    "bot.exited", "bot.degraded", "bot.unhealthy", "dependency.fails", "fleet.up",
    "fleet.taken_over", "bot.trades_differ", "bot.positions_differ", "bot.held",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """How a fault went, in seconds from the harm."""

    fault: str
    noticed_s: float | None
    well_s: float
    naked_s: float  # the longest that a position had no stop meanwhile
    lost_usdt: float | None  # of all accounts together, the market's own moves included


@dataclass(frozen=True)
class Course:
    """What a flight is to go through."""

    seed: int
    faults: tuple[str, ...]
    speed: float = 1.0
    guard: str = NONE


def fly(root: Path, folder: Path, course: Course) -> tuple[list[str], list[Seen]]:
    """Strike in this order; gives what does not hold and how each fault went."""
    world = World(root, folder, course.seed, course.guard, course.speed)
    dice, seen = random.Random(course.seed), []
    try:
        world.up()
        world.until_well()
        with Watch(world) as watch:
            for name in course.faults:
                seen.append(strike(world, watch, name, dice))
                told(str(seen[-1]))
                if found := watch.check():
                    return [f"after {name}: {one}" for one in found], seen
    except AssertionError as error:
        world.violations.append(str(error))
    finally:
        world.down()
    return world.violations, seen


def strike(world: World, watch: Watch, name: str, dice: random.Random) -> Seen:
    """Do one fault and wait until the fleet is well again."""
    watch.until_looked()
    worth_usdt, watch.naked_s = world.exchange.worth_usdt(), 0.0
    world.harm()
    FAULTS[name](world, dice)
    noticed_s = _noticed(world, 0.0 if name in SILENT else NOTICED_WITHIN_S)
    if noticed_s is None and name not in SILENT:
        world.violations.append(f"{name} was not noticed within {NOTICED_WITHIN_S:g} s")
    world.until_well()
    well_s = time.monotonic() - world.harmed_s
    if noticed_s is None:
        noticed_s = _noticed(world, 0.0)
    reconcile(world)
    now_usdt = world.exchange.worth_usdt()
    lost_usdt = None if None in (worth_usdt, now_usdt) else round(worth_usdt - now_usdt, 2)
    return Seen(name, noticed_s, round(well_s, 1), round(watch.naked_s, 1), lost_usdt)


def _noticed(world: World, within_s: float) -> float | None:
    """Tell when the journal first said since the harm that something is wrong."""
    deadline = time.monotonic() + within_s
    while True:
        for event in world.journal(*NOTICES):
            if event.time_us >= world.harmed_us:
                return round((event.time_us - world.harmed_us) / 1e6, 2)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.3)


def told(sentence: str) -> None:
    """Tell how it goes, for who runs it with -s."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def main(folder: str, seed: str, speed: str, *words: str) -> int:
    guard = next((w.partition("=")[2] for w in words if w.startswith("--guard=")), NONE)
    faults = tuple(word for word in words if not word.startswith("--"))
    root = Path(__file__).resolve().parents[3]
    course = Course(int(seed), faults or tuple(FAULTS), float(speed), guard)
    violations, _ = fly(root, Path(folder), course)
    told("\n".join(violations) or "all holds")
    return bool(violations)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
