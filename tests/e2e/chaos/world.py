"""A fleet of real live bots on a simulator of their own: begun, harmed, asked and ended from outside.

Bots are asked through their API, the fleet through its socket, processes through the kernel, the
exchange with the accounts' own keys: what the supervisor believes is never taken for the truth.
"""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

from automation.core.errors import FreqfleetError
from automation.fleet import commands
from automation.journal import Journal
from tests.e2e.chaos.exchange import BOTS, Exchange
from tests.e2e.chaos.pilot import NONE

AT = "2024-08-05T00:00:00Z"
CONFIG = {
    "internals": {"process_throttle_secs": 2}, "force_entry_enable": False,
    "unfilledtimeout": {"entry": 2, "exit": 2, "exit_timeout_count": 0, "unit": "minutes"},
    "order_types": {
        "entry": "market", "exit": "market", "stoploss": "market", "emergency_exit": "market",
        "stoploss_on_exchange": True, "stoploss_on_exchange_interval": 5,
    },
    "entry_pricing": {"price_side": "other"}, "exit_pricing": {"price_side": "other"},
}  # fmt: skip
WITHIN_S = 150.0


class World:
    """One flight of the chaos suite."""

    def __init__(
        self, root: Path, folder: Path, seed: int, guard: str = NONE, speed: float = 1.0
    ) -> None:
        self.root, self.folder, self.home = root, folder, folder / "home"
        self.guard, self.speed = guard, speed
        self.exchange = Exchange(self.home, speed)
        self.violations: list[str] = []
        self.paused: dict[str, float] = {}
        self.supervisor: subprocess.Popen | None = None
        self.supervisors: list[subprocess.Popen] = []
        self.harmed_s, self.harmed_us = time.monotonic(), time.time() * 1e6
        self._write(seed)

    # what is begun and ended

    def up(self, *, stands_by: bool = False) -> subprocess.Popen:
        """Start a supervisor; one that stands by becomes the fleet's own later."""
        with (self.folder / "pilot.log").open("ab") as log:
            begun = subprocess.Popen(
                [
                    sys.executable, "-m", "tests.e2e.chaos.pilot", str(self.home), str(self.root),
                    str(self.folder / "fleet.json"), self.guard, *(["standby"] * stands_by),
                ],
                cwd=self.root, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "COLUMNS": "10000"},
            )  # fmt: skip
        self.supervisors.append(begun)
        if not stands_by:
            self.supervisor = begun
        return begun

    def down(self) -> None:
        """End everything, however the flight went."""
        with suppress(FreqfleetError, OSError):
            commands.stop(self.home)
        for supervisor in self.supervisors:
            with suppress(ProcessLookupError):
                supervisor.send_signal(signal.SIGCONT)
            try:
                supervisor.wait(20)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                supervisor.wait()
        left = [process for found in self.processes().values() for process in found]
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, 5)
        if left:
            self.violations.append(f"orphans: {[process.pid for process in left]}")

    def harm(self) -> None:
        """Note that the harm is done now: from here on seconds count."""
        self.harmed_s, self.harmed_us = time.monotonic(), time.time() * 1e6

    def kill_supervisor(self) -> None:
        assert self.supervisor is not None
        self.supervisor.kill()
        self.supervisor.wait()

    def stop_signal(self, name: str, number: int) -> int:
        pid = self.pid(name)
        self.harm()
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def kill(self, name: str) -> int:
        return self.stop_signal(name, signal.SIGKILL)

    def act(self, name: str, action: str) -> None:
        """Ask for something as a person would, again if it is refused at the moment."""
        for _ in range(20):
            try:
                commands.bot_action(self.home, name, action)
            except FreqfleetError:
                time.sleep(1)
            else:
                return
        self.violations.append(f"{name}: {action} is refused")

    # what is seen

    def status(self):
        with suppress(FreqfleetError, OSError):
            return commands.status(self.home)
        return None

    def bot(self, name: str):
        status = self.status()
        return next((b for b in status.bots if b.name == name), None) if status else None

    def pid(self, name: str) -> int:
        return self.until(lambda: (b := self.bot(name)) and b.pid, f"{name} has no process")

    def until(self, holds, why: str, within_s: float = WITHIN_S):
        deadline = time.monotonic() + within_s
        while not (found := holds()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{why}, not within {within_s:g} s\n{self.tale()}")
            time.sleep(0.2)
        return found

    def is_well(self, name: str) -> bool:
        bot = self.bot(name)
        return bool(
            bot and bot.pid and bot.health == "healthy" and bot.state in ("running", "paused")
        )

    def until_well(self) -> None:
        self.until(lambda: all(self.is_well(name) for name in BOTS), "not all bots are well again")

    def until_trading(self, name: str) -> None:
        """Wait until a position is open, and the bot has it in its book."""

        def is_booked() -> bool:
            with suppress(OSError, ValueError):
                return bool(self.exchange.position(name)) and bool(self.ask(name, "status"))
            return False

        self.until(is_booked, f"{name} opens no position")

    def until_told(self, name: str, *kinds: str, within_s: float = WITHIN_S) -> bool:
        """Wait until the journal tells something of a bot since the harm; False when it does not."""

        def told() -> bool:
            return any(e.time_us >= self.harmed_us for e in self.journal(*kinds, bot=name))

        with suppress(AssertionError):
            return self.until(told, f"nobody told of {name}", within_s)
        return False

    def tale(self) -> str:
        status = self.status()
        told = [f"{b.name}: {b.state} {b.health} {b.reason}" for b in status.bots] if status else []
        log = (self.folder / "pilot.log").read_text()[-2000:]
        return "\n".join([*told, *self.violations, log])

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Find what runs of this flight, by unit; what is no unit's under ""."""
        marks = {str(self.home / "bots" / name / "config.json"): name for name in BOTS}
        found: dict[str, list[psutil.Process]] = {"": [], **{name: [] for name in BOTS}}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if not any(str(self.home) in word for word in words):
                    continue
                if process.status() != psutil.STATUS_ZOMBIE:
                    found[next((marks[w] for w in words if w in marks), "")].append(process)
        return found

    def database(self, name: str) -> Path:
        (path,) = (self.home / "bots" / name).glob("trades.*.sqlite")
        return path

    def connect(self, name: str) -> sqlite3.Connection:
        return sqlite3.connect(self.database(name), timeout=5, isolation_level=None)

    def ask(self, bot: str, path: str, method: str = "GET"):
        """Ask a bot's own API; OSError when it does not answer, or refuses."""
        login = commands.bot_login(self.home, bot)
        basic = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        request = urllib.request.Request(
            f"{login.url}/api/v1/{path}", method=method, headers={"Authorization": f"Basic {basic}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def journal(self, *kinds: str, bot: str = "") -> list:
        with Journal.open(self.home / "journal.sqlite", read_only=True) as journal:
            return journal.search(kind=kinds or "", bot=bot, limit=1_000_000)

    def _write(self, seed: int) -> None:
        strategies = self.folder / "strategies"
        strategies.mkdir(parents=True)
        source = Path(__file__).with_name("Eager.py").read_text()
        (strategies / "Eager.py").write_text(source)
        (self.folder / "config.json").write_text(json.dumps(CONFIG))
        accounts, bots = {}, []
        for name, base in BOTS.items():
            for kind in ("key", "secret"):
                (self.folder / f"{name}.{kind}").write_text(f"{kind}-of-{name}")
            accounts[name] = {
                "key": f"file:{self.folder / name}.key",
                "secret": f"file:{self.folder / name}.secret",
                "capital_usdt": 10_000,
            }
            bots.append({"name": name, "account": name, "pairs": [f"{base}/USDT:USDT"]})
        fast = {} if self.speed == 1 else {"at": AT, "speed": self.speed}
        document = {
            "fleet": "chaos",
            "exchange": {"simulator": {"seed": seed, **fast}, "accounts": accounts},
            "defaults": {
                "strategy": "Eager", "strategy_path": str(strategies), "mode": "live",
                "configs": [str(self.folder / "config.json")], "capital_usdt": 9000,
                "stake_usdt": 500, "max_open_trades": 1,
            },
            "bots": bots,
        }  # fmt: skip
        (self.folder / "fleet.json").write_text(json.dumps(document))
