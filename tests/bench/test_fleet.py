"""What supervision costs and how fast it is, with real Freqtrade bots on the simulator.

Run alone on a quiet machine: `pytest -m bench tests/bench/test_fleet.py -s`. Prints one JSON line
a figure; asserts nothing about times.
"""

import asyncio
import json
import os
import signal
import statistics
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from automation.core.config import Fleet
from automation.core.model import Health
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.fleet.timing import Timing
from automation.journal import Journal

pytestmark = pytest.mark.bench

BOTS = {
    "pulse": ("DemoPulseStrategy", ["configs/demo.json"]),
    "trend": ("TrendFollowingStrategy", []),
    "pullback": ("FuturesAIRiskStrategy", []),
}
KILLS = 10
MEASURED_S = 60.0


def fleet_of(count: int) -> Fleet:
    kinds = list(BOTS.values())
    bots = []
    for number in range(count):
        strategy, configs = kinds[number % len(kinds)]
        bots.append({"name": f"bot-{number}", "strategy": strategy, "configs": configs})
    return Fleet.model_validate({"fleet": "bench", "bots": bots})


def report(name: str, **figures) -> None:
    load = os.getloadavg()[0]
    print(json.dumps({"figure": name, **figures, "load_1m": round(load, 1)}), flush=True)


async def until(supervisor: Supervisor, holds, within_s: float = 300.0) -> float:
    began = time.monotonic()
    while not holds(supervisor.status()):
        assert time.monotonic() - began < within_s, supervisor.status()
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def fly(tmp_path: Path, count: int, measure, timing: Timing | None = None) -> None:
    async def run() -> None:
        with Journal.open(tmp_path / "journal.sqlite") as journal:
            around = Surroundings(timing=timing or Timing())
            supervisor = Supervisor(fleet_of(count), tmp_path / "home", journal, around)
            task = asyncio.create_task(supervisor.run(handle_signals=False))
            try:
                await until(supervisor, lambda s: s.bots)
                await measure(supervisor)
            finally:
                supervisor.go_down("the measurement is over")
                await task

    asyncio.run(run())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [3, 12])
def test_time_to_healthy(tmp_path, count):
    async def measure(supervisor: Supervisor) -> None:
        took_s = await until(supervisor, lambda s: s.healthy)
        report(f"{count} bots healthy after up", seconds=round(took_s, 1))

    fly(tmp_path, count, measure)


@pytest.mark.timeout(600)
def test_recovery_of_a_killed_bot(tmp_path):
    """Fresh restart history each time: health is forgiven at once, so no back-off builds up."""

    async def measure(supervisor: Supervisor) -> None:
        await until(supervisor, lambda s: s.healthy)
        noticed, recovered = [], []
        for number in range(KILLS):
            name = f"bot-{number % 3}"
            await asyncio.sleep(1)
            pid = _bot(supervisor, name).pid
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            await until(supervisor, lambda s, n=name, p=pid: _named(s, n).pid != p)
            noticed.append(time.monotonic() - began)
            await until(supervisor, lambda s, n=name: _named(s, n).health is Health.HEALTHY)
            recovered.append(time.monotonic() - began)
        report(
            f"bot killed with -9, median of {KILLS}",
            noticed_s=round(statistics.median(noticed), 2),
            noticed_worst_s=round(max(noticed), 2),
            healthy_s=round(statistics.median(recovered), 1),
            healthy_worst_s=round(max(recovered), 1),
        )

    fly(tmp_path, 3, measure, replace(Timing(), healthy_again_s=0.5))


def _named(status, name):
    return next(bot for bot in status.bots if bot.name == name)


def _bot(supervisor: Supervisor, name: str):
    return _named(supervisor.status(), name)


@pytest.mark.timeout(600)
def test_cost_of_supervision(root, tmp_path):
    """The supervisor as the command line runs it, in a process of its own."""
    import subprocess
    import sys

    from automation.fleet import commands

    home = tmp_path / "home"
    env = {**os.environ, "FREQFLEET_HOME": str(home), "FREQFLEET_ANCHORS": str(tmp_path / "a")}
    command = [sys.executable, "-m", "automation"]
    subprocess.run([*command, "up", "--detach"], cwd=root, env=env, check=True)
    try:
        deadline = time.monotonic() + 300
        while not (status := commands.status(home)).healthy:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        process = psutil.Process(status.supervisor_pid)
        time.sleep(10)
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(MEASURED_S)
        after, took_s = process.cpu_times(), time.monotonic() - began
        used_s = after.user + after.system - before.user - before.system
        report(
            "supervisor with three bots",
            cpu_percent_of_a_core=round(100 * used_s / took_s, 2),
            rss_mb=round(process.memory_info().rss / 1e6, 1),
        )
    finally:
        subprocess.run([*command, "down"], cwd=root, env=env, check=True)
