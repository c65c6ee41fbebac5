"""How soon a second supervisor acts after the first was killed or stopped, with fake bots.

`pytest -m bench tests/bench/test_succession.py -s`. Prints one JSON line a figure; asserts nothing
about times. It *acts* once it answers `status` as supervisor with every bot adopted.
"""

import importlib.util
import json
import os
import signal
import statistics
import time
from contextlib import suppress
from pathlib import Path

import pytest

from automation.core.errors import DependencyError
from automation.fleet import commands

TESTS = Path(__file__).resolve().parents[1] / "integration" / "fleet"
KILLS, STOPS = 20, 5


def _module(name):
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


flight = _module("conftest").flight
succession = _module("test_succession")
guard = succession.guard

pytestmark = pytest.mark.bench


def acts(guard, pid):
    with suppress(DependencyError):
        status = commands.status(guard.flight.home)
        is_it = status is not None and status.supervisor_pid == pid
        return is_it and all(bot.adopted for bot in status.bots)
    return False


def follow(guard, number):
    """End the leader with a signal; tell how long it took until the next one acted."""
    leader = guard.leader()
    follower = guard.send()
    time.sleep(4.0)
    began = time.monotonic()
    os.kill(leader.pid, number)
    while not acts(guard, follower.pid):
        assert time.monotonic() - began < 60.0
        time.sleep(0.02)
    took_s = time.monotonic() - began
    if number is signal.SIGSTOP:
        os.kill(leader.pid, signal.SIGCONT)
    leader.wait()
    return took_s


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("number", "times"),
    [(signal.SIGKILL, KILLS), (signal.SIGSTOP, STOPS)],
    ids=["SIGKILL", "SIGSTOP"],
)
def test_time_until_the_successor_acts(guard, number, times):
    first = guard.send()
    succession.until(lambda: guard.healthy(first.pid))
    took = [follow(guard, number) for _ in range(times)]
    figures = {
        "figure": f"successor acts after {number.name}, median of {times}",
        "seconds": round(statistics.median(took), 2),
        "worst_s": round(max(took), 2),
        "load_1m": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(figures), flush=True)
