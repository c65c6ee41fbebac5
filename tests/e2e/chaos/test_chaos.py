"""Faults in a seeded order against real live bots; after each everything must hold.

For `make prove`: once each kind of fault, then two hundred, a seed after another; what a seed came to is kept, so that a run which was broken off goes on. Seeds that
ever failed stand in `seeds.json` and are flown first.
"""

import json
import os
import random
import sys
from pathlib import Path

import pytest

from tests.e2e.chaos.faults import FAULTS, strike
from tests.e2e.chaos.world import World

KEPT = Path(__file__).with_name("seeds.json")
PROVED = int(os.environ.get("FREQFLEET_CHAOS_FAULTS", "200"))
A_SEED = 10  # faults
pytestmark = [pytest.mark.xdist_group("demo")]

GUARDS = {"position check": "database_lost"}


def fly(root, folder: Path, seed: int, names: list[str], guard: str = "") -> tuple[list, list]:
    """Strike in this order; gives what does not hold and how each fault went."""
    world, dice, seen = World(root, folder, seed, guard), random.Random(seed), []
    try:
        world.up()
        world.until_well()
        for name in names:
            seen.append(strike(world, name, dice))
            told(str(seen[-1]))
            found = world.check()
            if found:
                return [f"after {name}: {one}" for one in found], seen
    except AssertionError as error:
        world.violations.append(str(error))
    finally:
        world.down()
    return world.violations, seen


def told(sentence: str) -> None:
    """Tell how it goes, for who runs it with -s."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def keep(seed: int, faults: list[str]) -> None:
    """Write a failing seed down, for every run to come."""
    kept = json.loads(KEPT.read_text())
    if [seed, faults] not in kept:
        KEPT.write_text(json.dumps([*kept, [seed, faults]], indent=1) + "\n")


@pytest.mark.prove
@pytest.mark.timeout(1500)
def test_every_kind_of_fault_once(root, tmp_path):
    seed, names = 1, sorted(FAULTS)
    random.Random(seed).shuffle(names)
    violations, seen = fly(root, tmp_path / "flight", seed, names)
    assert violations == []
    assert len(seen) == len(FAULTS)


@pytest.mark.prove
@pytest.mark.timeout(8 * 3600)
def test_two_hundred_faults(root, tmp_path):
    kept = root / "user_data" / "chaos.json"
    done = json.loads(kept.read_text()) if kept.exists() else {}
    flights = [(seed, faults) for seed, faults in json.loads(KEPT.read_text())]
    for seed in range(100, 100 + PROVED // A_SEED):
        dice = random.Random(seed)
        flights.append((seed, [dice.choice(sorted(FAULTS)) for _ in range(A_SEED)]))
    for number, (seed, faults) in enumerate(flights):
        if str(seed) in done:
            continue
        violations, seen = fly(root, tmp_path / str(number), seed, faults)
        if violations:
            keep(seed, faults)
        assert violations == [], f"seed {seed}: {faults}"
        done[str(seed)] = [[one.fault, one.noticed_s, one.well_s] for one in seen]
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(done))


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_without_a_guard_the_suite_fails(root, tmp_path, guard):
    violations, _ = fly(root, tmp_path / "flight", 7, [GUARDS[guard]], guard)
    told(f"{guard}: {violations}")
    assert violations
