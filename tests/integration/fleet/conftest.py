"""A supervisor over real processes that stand for Freqtrade and the simulator, in a fast clock."""

import asyncio
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from automation.core.config import Fleet
from automation.core.model import FleetStatus
from automation.core.seams import Patience
from automation.fleet.hostload import Reading
from automation.fleet.ladder.limits import Limits
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.fleet.timing import Timing
from automation.journal import Journal, sentence
from automation.testing import write_fake_python

FAST = Timing(
    tick_s=0.2,
    poll_s=0.2,
    eager_poll_s=0.1,
    detail_s=0.5,
    request_s=2.0,
    startup_s=3.0,
    slow_s=0.8,
    silent_s=1.2,
    hung_s=2.0,
    limits=Limits(stagger_s=0.0, warmup_s=0.5, budget_least=100, restarts_per_minute=100),
    restart_base_s=0.4,
    restart_cap_s=1.6,
    healthy_again_s=600.0,
    patience=Patience(3.0, 1.0, 3.0),
    hasty=Patience(0.2, 0.1, 3.0),
)
STRATEGIES = ("FakeStrategy", "DiesAtStart", "DiesSoon", "NeverComesUp", "IgnoresSignals")


def idle() -> Reading:
    """Tell of a machine that is never busy, for the one that runs tests often is."""
    return Reading(0.0, 0.0, 0.1)


class Flight:
    """A fleet under supervision, and what a test asks of it."""

    def __init__(self, root: Path, home: Path, journal: Journal, timing: Timing) -> None:
        self.root, self.home, self.journal, self.timing = root, home, journal, timing
        self.python = str(write_fake_python(root))

    def fleet(self, *strategies: str, venue: str = "simulator", **more) -> Fleet:
        bots = [
            {"name": f"bot-{chr(97 + n)}", "strategy": strategy, **more}
            for n, strategy in enumerate(strategies or ("FakeStrategy",))
        ]
        raw = {"fleet": "test", "exchange": {"venue": venue}, "bots": bots}
        return Fleet.model_validate(raw)

    def supervisor(self, fleet: Fleet | None = None, **more) -> Supervisor:
        around = Surroundings(
            root=self.root, python=self.python, timing=self.timing, measure=idle, **more
        )
        return Supervisor(fleet or self.fleet(), self.home, self.journal, around)

    @asynccontextmanager
    async def up(self, fleet: Fleet | None = None):
        """Supervise while the block runs, then take the fleet down in order."""
        supervisor = self.supervisor(fleet)
        task = asyncio.create_task(supervisor.run(handle_signals=False))
        try:
            yield supervisor
            supervisor.go_down("the test is over")
            await asyncio.wait_for(task, 30)
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def lose(self, supervisor: Supervisor, task: "asyncio.Task[None]") -> None:
        """End a supervisor as a kill does: its units live on, its files stay."""
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def until(
        self,
        supervisor: Supervisor,
        holds: Callable[[FleetStatus], bool],
        within_s: float = 60.0,
    ) -> FleetStatus:
        deadline = time.monotonic() + within_s
        while True:
            status = supervisor.status()
            if status.bots and holds(status):
                return status
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within_s} s: {status}\n{self.story()}")
            await asyncio.sleep(0.02)

    async def until_healthy(self, supervisor: Supervisor) -> FleetStatus:
        return await self.until(supervisor, lambda status: status.healthy)

    def events(self, *kinds: str, bot: str = "") -> list:
        self.journal.append("test.flush", actor="test", source="test")
        return self.journal.search(kind=kinds or "", bot=bot)

    def story(self) -> str:
        return "\n".join(sentence(event) for event in self.events())

    def processes(self) -> list[psutil.Process]:
        """Everything alive that belongs to this fleet."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_zombie = process.status() == psutil.STATUS_ZOMBIE
                if not is_zombie and any(str(self.home) in word for word in process.cmdline()):
                    found.append(process)
        return found


@pytest.fixture
def flight(tmp_path):
    root = tmp_path / "root"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "base.json").write_text("{}")
    pairs = '{"exchange": {"pair_whitelist": ["BTC/USDT:USDT"]}}'
    (root / "configs" / "futures.json").write_text(pairs)
    (root / "strategies").mkdir()
    source = "\n".join(f"class {name}(IStrategy):\n    pass" for name in STRATEGIES)
    (root / "strategies" / "Fakes.py").write_text(source)
    home = tmp_path / "home"
    home.mkdir()
    with Journal.open(home / "journal.sqlite") as journal:
        made = Flight(root, home, journal, FAST)
        yield made
        # One that has been told to end may still be on its way out.
        _, left = psutil.wait_procs(made.processes(), 2)
        for process in left:
            process.kill()
        psutil.wait_procs(left, 5)
    assert left == [], "processes were left behind"
