"""Faults in a seeded order against real live bots; after each everything must hold.

`make test-long` strikes fifteen times, with as many kinds of faults. `make prove` strikes two
hundred times, twenty seeds with ten faults each, every fifth seed on a fast market. What a seed came
to is kept under `user_data/chaos` for the code that flew (`kept`), so that a run which was broken off
goes on, and several processes (`-n 3`) share the work. Seeds that ever failed stand in `seeds.json`
and are flown first.
"""

import json
import os
import random
from pathlib import Path

import pytest

from automation.core.errors import DependencyError
from automation.fleet.faketime import find_library
from tests.e2e.chaos import kept
from tests.e2e.chaos.faults import FAULTS, LONG_ONES
from tests.e2e.chaos.flight import Course, fly, told
from tests.e2e.chaos.pilot import GUARDS

FAILED = Path(__file__).with_name("seeds.json")
PROVED = int(os.environ.get("FREQFLEET_CHAOS_FAULTS", "200"))
A_SEED = 10  # faults
FAST_SEEDS, FAST_SPEED = 5, 4.0  # every fifth seed
FIRST_SEED = 100

SAMPLE = (
    ("killed", "database_lost", "supervisor_stopped", "network_cut", "killed_while_paused"),
    ("stopped", "file_broken", "banned", "database_locked", "two_at_once"),
    ("api_hangs", "clock_skewed", "state_broken", "stop_unacknowledged", "supervisor_killed"),
)
"""What is flown in `make test-long`, a flight for each line."""

WITHOUT = {
    "budget": ("killed_again_and_again", "restarts for failures within the budget's window"),
    "lease": ("supervisor_stopped", "a supervisor goes on though another took the fleet over"),
    "pause memory": ("killed_while_paused", "though it was paused"),
    "position check": ("database_lost", "lost its open trade and nobody was told"),
    "stop rung": ("stops_refused", "had a position without a stop for 60 s"),
    "breaker": ("banned", "a bot was restarted while the exchange banned the address"),
}
"""The fault that each guard is there for, and what then does not hold without it."""


def courses() -> list[Course]:
    """Every flight of the full count, those that ever failed first."""
    failed = [
        Course(seed, tuple(faults), speed) for seed, speed, faults in json.loads(FAILED.read_text())
    ]
    known = {course.seed for course in failed}
    seeds = range(FIRST_SEED, FIRST_SEED + PROVED // A_SEED)
    return failed + [course_of(seed) for seed in seeds if seed not in known]


def course_of(seed: int) -> Course:
    """Draw the faults of a seed; long ones once a flight at most."""
    dice, drawn = random.Random(seed), []
    while len(drawn) < A_SEED:
        fault = dice.choice(sorted(FAULTS))
        if fault not in LONG_ONES or not LONG_ONES & set(drawn):
            drawn.append(fault)
    return Course(seed, tuple(drawn), 1.0 if seed % FAST_SEEDS else FAST_SPEED)


def remember(course: Course) -> None:
    """Write a failing seed down, for every run to come."""
    failed = json.loads(FAILED.read_text())
    entry = [course.seed, course.speed, list(course.faults)]
    if entry not in failed:
        FAILED.write_text(json.dumps([*failed, entry], indent=1) + "\n")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize("number", range(len(SAMPLE)))
def test_fifteen_faults(root, tmp_path, number):
    seed, faults = number + 1, list(SAMPLE[number])
    random.Random(seed).shuffle(faults)
    violations, seen = fly(root, tmp_path / "flight", Course(seed, tuple(faults)))
    assert violations == []
    assert len(seen) == len(faults)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("course", courses(), ids=lambda course: str(course.seed))
def test_two_hundred_faults(root, tmp_path, course):
    if kept.holds(root, course):
        return
    if course.speed != 1:
        try:
            find_library()
        except DependencyError as error:
            pytest.skip(str(error))
    place = kept.folder(root)
    violations, seen = fly(root, tmp_path / "flight", course)
    if violations:
        remember(course)
    assert violations == [], f"seed {course.seed}: {course.faults}"
    assert kept.folder(root) == place, "the code was changed while it flew; fly again"
    kept.write(place, course, seen)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_the_suite_fails(root, tmp_path, guard):
    fault, broken = WITHOUT[guard]
    violations, _ = fly(root, tmp_path / "flight", Course(7, (fault,), guard=guard))
    told(f"{guard}: {violations}")
    assert any(broken in one for one in violations), violations
