"""How fast a real bot's death is noticed and mended.

    python -m tests.bench.fleet_recovery [ROUNDS] [process|docker]

Five dry-run bots on the simulator, in real time, with the supervisor's own times. A round has a fresh
history of restarts: the fleet comes up, each bot in turn is killed and waited for, then, of
processes, all are stopped at once (SIGSTOP). Four rounds make twenty of each. With `docker` each bot
is a container of a real Docker Engine of this command's own, whose image borrows this machine's
programs; killed is Freqtrade inside it. Prints one JSON document with every figure in seconds,
medians and worst. `noticed` is read from the journal's own times.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from automation.fleet import commands
from automation.journal import Journal
from tests.contract.docker_engine import BORROWED, IMAGE, own_engine

BOTS = ("one", "two", "three", "four", "five")
FLEET: dict[str, Any] = {
    "fleet": "recovery",
    "exchange": {"venue": "simulator"},
    "defaults": {"strategy": "DemoPulseStrategy", "pairs": ["BTC/USDT:USDT"]},
    "bots": [{"name": name} for name in BOTS],
}
WITHIN_S = 120.0
REPOSITORY = Path(__file__).resolve().parents[2]


def main(rounds: int, runner: str) -> None:
    with ExitStack() as stack:
        if runner == "process":
            measure(rounds, FLEET)
        else:
            measure(rounds, contained(stack.enter_context(own_engine())))


def contained(engine: str) -> dict[str, Any]:
    """Describe the same fleet as containers that borrow this machine's Python."""
    docker = {
        "image": IMAGE,
        "engine": engine,
        "python": sys.executable,
        "user": "0:0",  # this machine's Python may be root's alone
        "mounts": [*BORROWED, sys.base_prefix, sys.prefix, str(REPOSITORY)],
    }
    return {**FLEET, "docker": docker, "defaults": {**FLEET["defaults"], "runner": "docker"}}


def measure(rounds: int, described: dict[str, Any]) -> None:
    kills: list[tuple[float, float]] = []
    stops: list[float] = []
    load, is_contained = os.getloadavg()[0], "docker" in described
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="freqfleet-recovery-") as name:
            home, fleet = Path(name) / "home", Path(name) / "fleet.json"
            fleet.write_text(json.dumps(described))
            apart = {"FREQFLEET_HOME": str(home), "FREQFLEET_ANCHORS": f"{name}/anchors"}
            env, program = {**os.environ, **apart}, [sys.executable, "-m", "automation"]
            up = [*program, "up", "--detach", "-c", str(fleet)]
            subprocess.run(up, env=env, check=True, capture_output=True)
            try:
                for bot in BOTS:
                    until_well(home, bot, 0)
                kills += [killed(home, bot) for bot in BOTS]
                stops += [] if is_contained else stopped(home)
            finally:
                subprocess.run([*program, "down"], env=env, check=True, capture_output=True)
        sys.stderr.write(f"{kills[-len(BOTS) :]} {stops[-len(BOTS) :]}\n")
    figures = {
        "kill_noticed_s": [noticed for noticed, _ in kills],
        "kill_healthy_s": [healthy for _, healthy in kills],
        "stop_noticed_s": stops,
    }
    told = {name: summed_up(values) for name, values in figures.items() if values}
    loads = {"load_at_start": round(load, 1), "load_at_end": round(os.getloadavg()[0], 1)}
    sys.stdout.write(json.dumps(told | loads) + "\n")


def summed_up(values: list[float]) -> dict[str, float | list[float]]:
    return {
        "median": round(statistics.median(values), 2),
        "worst": round(max(values), 2),
        "all": [round(value, 2) for value in values],
    }


def killed(home: Path, bot: str) -> tuple[float, float]:
    """Kill a bot; gives the seconds until that was noticed, and until it was healthy again."""
    pid, began = until_well(home, bot, 0), time.time()
    freqtrade_of(pid).kill()
    until_well(home, bot, pid)
    healthy_s = time.time() - began
    return first(home, bot, began, "bot.exited") - began, healthy_s


def freqtrade_of(pid: int) -> psutil.Process:
    """Find Freqtrade's own process: what the runner watches, or in a container its init's child."""
    watched = psutil.Process(pid)
    return watched if watched.name() != "docker-init" else watched.children()[0]


def stopped(home: Path) -> list[float]:
    """Stop all bots at once; gives the seconds until each was noticed."""
    pids, seen = {bot: until_well(home, bot, 0) for bot in BOTS}, {}
    began = time.time()
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        while len(seen) < len(BOTS):
            if time.time() - began > WITHIN_S:
                raise SystemExit("a bot that was stopped was not noticed")
            time.sleep(0.3)
            for bot in BOTS:
                if at := first(home, bot, began, "bot.degraded", "bot.unhealthy"):
                    seen[bot] = at - began
    finally:
        for pid in pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return list(seen.values())


def until_well(home: Path, name: str, not_pid: int) -> int:
    """Wait until a bot is healthy, in another process than `not_pid`; gives its pid."""
    deadline = time.time() + WITHIN_S
    while time.time() < deadline:
        found = commands.status(home)
        for bot in found.bots if found is not None else ():
            if bot.name == name and bot.health == "healthy" and bot.pid not in (None, not_pid):
                assert bot.pid is not None
                return bot.pid
        time.sleep(0.05)
    raise SystemExit(f"{name} does not get well")


def first(home: Path, bot: str, since: float, *kinds: str) -> float:
    """Tell the instant of a bot's first such event after an instant; 0 for none."""
    with Journal.open(home / "journal.sqlite", read_only=True) as journal:
        events = journal.search(kind=kinds, bot=bot, limit=100_000)
    return min((e.time_us / 1e6 for e in events if e.time_us / 1e6 >= since), default=0.0)


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 4,
        sys.argv[2] if len(sys.argv) > 2 else "process",
    )
