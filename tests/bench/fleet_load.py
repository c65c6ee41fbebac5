"""What three hundred bots cost a supervisor: python tests/bench/fleet_load.py [BOTS] [HANGING]

The bots are fakes in one process, each a server of its own that answers Freqtrade's API over real
HTTP; the supervisor is a process of its own with its real times, and finds them running. Measured
are its CPU time and memory, and its lag: by how much a bot waits longer than five seconds for its
next check (health, open trades, candle age and what is due besides), as the bots see it. Then some
of them hang, and the lag of the others is measured again. Prints one JSON line a figure.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from automation.core.clock import SystemClock
from automation.core.config import Fleet
from automation.core.model import Identity, ProcessFacts
from automation.fleet.credentials import ensure_access
from automation.fleet.home import Home
from automation.fleet.identity import identify
from automation.fleet.ports import find_free
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.journal import Journal
from automation.testing import FakeBotApi, FakeRunner, fake_trade

WARM_S, MEASURED_S = 30.0, 60.0
HANGING_S = 45.0  # less than it takes until a bot that hangs is restarted
POLL_S = 5.0


@dataclass
class Watched(FakeBotApi):
    """A bot that notes when each check of it begins."""

    checks: list[float] = field(default_factory=list)

    def _get(self, path, query):
        if path == "show_config":
            self.checks.append(time.monotonic())
            self.asked.clear()
        return super()._get(path, query)


def names(count: int) -> list[str]:
    return [f"bot-{number}" for number in range(count)]


def lags(bots: list[Watched], since_s: float) -> list[float]:
    """Tell how much later than five seconds after the one before each check began."""
    found = []
    for bot in bots:
        times = [at for at in bot.checks if at >= since_s]
        found += [later - earlier - POLL_S for earlier, later in pairwise(times)]
    return sorted(found)


def at(values: list[float], frac: float) -> float:
    return round(values[min(len(values) - 1, int(frac * len(values)))], 3)


async def serve(home: Path, count: int, hanging: int, supervisor: list[str]) -> None:
    """Be the bots, start the supervisor, measure."""
    async with AsyncExitStack() as served:
        bots = await be_bots(served, home, count)
        process = await asyncio.create_subprocess_exec(*supervisor, str(os.getpid()))
        try:
            await measure(bots, hanging, psutil.Process(process.pid))
        finally:
            process.kill()
            await process.wait()


async def be_bots(served: AsyncExitStack, home: Path, count: int) -> list[Watched]:
    bots, taken = [], frozenset()
    for name in names(count):
        port = find_free(taken)
        taken |= {port}
        access = ensure_access(Home(home).unit(name), port)
        bots.append(
            Watched(
                access.username, access.password, ws_token=access.ws_token,
                open_trades=[fake_trade(1), fake_trade(2)],
                closed_trades=[fake_trade(n, closed=True) for n in range(3, 53)],
            )
        )  # fmt: skip
        await served.enter_async_context(bots[-1].serve(access.port))
    return bots


async def measure(bots: list[Watched], hanging: int, told: psutil.Process) -> None:
    count = len(bots)
    while not all(len(bot.checks) > 2 for bot in bots):
        assert told.is_running(), "the supervisor has ended"
        await asyncio.sleep(0.5)
    await asyncio.sleep(WARM_S)
    cpu, began_s = told.cpu_times(), time.monotonic()
    await asyncio.sleep(MEASURED_S)
    now, took_s = told.cpu_times(), time.monotonic() - began_s
    used_s = now.user + now.system - cpu.user - cpu.system
    seen = lags(bots, began_s)
    report(
        f"{count} bots",
        cpu_frac_of_a_core=round(used_s / took_s, 3),
        rss_mb=round(told.memory_info().rss / 1e6, 1),
        checks=len(seen),
        lag_p50_s=at(seen, 0.5), lag_p99_s=at(seen, 0.99), lag_worst_s=at(seen, 1.0),
    )  # fmt: skip
    for bot in bots[:hanging]:
        bot.hangs = True
    began_s = time.monotonic()
    await asyncio.sleep(HANGING_S)
    seen = lags(bots[hanging:], began_s)
    report(
        f"{hanging} of {count} bots hang: the others",
        checks=len(seen),
        lag_p99_s=at(seen, 0.99), lag_worst_s=at(seen, 1.0),
    )  # fmt: skip


def report(name: str, **figures) -> None:
    print(
        json.dumps({"figure": name, **figures, "load_1m": round(os.getloadavg()[0], 1)}), flush=True
    )


async def supervise(home: Path, count: int, pid: int) -> None:
    """Supervise bots that all are one living process to the kernel."""
    identity = identify(pid) or Identity(pid, 0, "")
    runner = FakeRunner(SystemClock())
    for name in names(count):
        runner.units[name] = ProcessFacts(identity, is_alive=True, since_s=time.monotonic())
    bots = [
        {
            "name": name,
            "strategy": "FakeStrategy",
            "pairs": ["BTC/USDT:USDT"],
            "api_port": json.loads(api.read_text())["port"],
        }
        for name in names(count)
        if (api := Home(home).unit(name) / "api.json").exists()
    ]
    root = home.parent / "root"
    (root / "configs").mkdir(parents=True)
    for name in ("base", "futures"):
        (root / "configs" / f"{name}.json").write_text("{}")
    (root / "strategies").mkdir()
    (root / "strategies" / "F.py").write_text("class FakeStrategy(IStrategy):\n    pass\n")
    fleet = Fleet.model_validate({"fleet": "load", "exchange": {"venue": "binance"}, "bots": bots})
    with Journal.open(home / "journal.sqlite") as journal:
        around = Surroundings(root=root, runner=runner)
        await Supervisor(fleet, home, journal, around).run()


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))
    if sys.argv[1:2] == ["supervise"]:
        asyncio.run(supervise(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    hanging = int(sys.argv[2]) if len(sys.argv) > 2 else count // 3
    with tempfile.TemporaryDirectory(prefix="freqfleet-load-") as folder:
        home = Path(folder) / "home"
        supervisor = [sys.executable, __file__, "supervise", str(home), str(count)]
        asyncio.run(serve(home, count, hanging, supervisor))


if __name__ == "__main__":
    main()
