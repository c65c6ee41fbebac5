"""A fleet of real live bots on a simulator of their own, and everything that is seen of it from outside.

The exchange is asked with the accounts' own keys, bots through their API, the fleet through its
socket, processes through the kernel: what the supervisor believes is never taken for the truth.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import psutil

from automation.fleet import commands
from automation.journal import Journal
from tests.e2e.chaos import pilot

BOTS = {"one": "BTC", "two": "ETH", "three": "SOL"}
CONFIG = {
    "internals": {"process_throttle_secs": 2}, "force_entry_enable": False,
    "unfilledtimeout": {"entry": 2, "exit": 2, "exit_timeout_count": 0, "unit": "minutes"},
}  # fmt: skip
WITHIN_S = 240.0
STOP_WITHIN_S = 60.0


class World:
    """One flight of the chaos suite."""

    def __init__(self, root: Path, folder: Path, seed: int, guard: str = "") -> None:
        self.root, self.folder, self.home, self.guard = root, folder, folder / "home", guard
        self.violations: list[str] = []
        self.paused: dict[str, float] = {}
        self.supervisor: subprocess.Popen | None = None
        self._naked: dict[str, float] = {}
        self._was_flat: dict[str, bool] = {}
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._write(seed)

    # what is begun and ended

    def up(self) -> None:
        program = [sys.executable, "-m", "tests.e2e.chaos.pilot", str(self.home), str(self.root)]
        log = (self.folder / "pilot.log").open("ab")
        self.supervisor = subprocess.Popen(
            [*program, str(self.folder / "fleet.json"), *([self.guard] if self.guard else [])],
            cwd=self.root, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "COLUMNS": "10000"},
        )  # fmt: skip
        if not self._watcher.is_alive():
            self._watcher.start()

    def down(self) -> None:
        self._ended.set()
        self._watcher.join(10)
        with suppress(Exception):
            commands.stop(self.home)
        if self.supervisor is not None:
            with suppress(subprocess.TimeoutExpired):
                self.supervisor.wait(60)
        left = self.processes()
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, 5)
        if left:
            self.violations.append(f"orphans: {[p.pid for p in left]}")

    # what is seen

    def status(self):
        with suppress(Exception):
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
            time.sleep(0.3)
        return found

    def is_well(self, name: str) -> bool:
        bot = self.bot(name)
        return bool(
            bot and bot.pid and bot.health == "healthy" and bot.state in ("running", "paused")
        )

    def is_alive(self, name: str) -> bool:
        bot = self.bot(name)
        return bool(bot and bot.pid and bot.last_loop_age_s is not None)

    def check_alone(self, name: str, size: float | None) -> None:
        """While a lost trade waits for a person, its bot must not have entered another."""
        now = self.position(name)
        if size and now and now > 1.5 * size:
            self.violations.append(f"{name} entered a trade beside the one it lost")

    def until_well(self) -> None:
        self.until(lambda: all(self.is_well(name) for name in BOTS), "not all bots are well again")

    def until_trading(self, name: str) -> None:
        self.until(lambda: self.position(name), f"{name} opens no position")

    def tale(self) -> str:
        status = self.status()
        told = [f"{b.name}: {b.state} {b.health} {b.reason}" for b in status.bots] if status else []
        return "\n".join([*told, *self.violations, (self.folder / "pilot.log").read_text()[-2000:]])

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if any(str(self.home) in word for word in process.cmdline()):
                    found.append(process)
        return found

    def of_bot(self, name: str) -> list[int]:
        mark = str(self.home / "bots" / name / "config.json")
        found = []
        for process in self.processes():
            with suppress(psutil.Error):
                if mark in process.cmdline():
                    found.append(process.pid)
        return found

    def database(self, name: str) -> Path:
        (path,) = (self.home / "bots" / name).glob("trades.*.sqlite")
        return path

    def ask(self, bot: str, path: str):
        login = commands.bot_login(self.home, bot)
        basic = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        request = urllib.request.Request(
            f"{login.url}/api/v1/{path}", headers={"Authorization": f"Basic {basic}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def exchange(self, name: str, path: str, method: str = "GET", **parameters):
        """Ask the exchange in the name of an account."""
        now_ms = int(time.time() * 1000)
        query = urlencode(parameters | {"timestamp": now_ms, "recvWindow": 60_000})
        key = f"secret-of-{name}".encode()
        signature = hmac.new(key, query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"{self._simulator()}/fapi/{path}?{query}&signature={signature}",
            method=method, headers={"X-MBX-APIKEY": f"key-of-{name}"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def position(self, name: str) -> float | None:
        """Size of the account's position; None when the exchange does not answer."""
        with suppress(OSError, ValueError):
            rows = self.exchange(name, "v3/positionRisk", symbol=f"{BOTS[name]}USDT")
            return sum(float(row["positionAmt"]) for row in rows)
        return None

    def has_stop(self, name: str) -> bool:
        rows = self.exchange(name, "v1/openAlgoOrders", symbol=f"{BOTS[name]}USDT")
        return bool(rows)

    def journal(self, *kinds: str, bot: str = "") -> list:
        with Journal.open(self.home / "journal.sqlite", read_only=True) as journal:
            return journal.search(kind=kinds or "", bot=bot, limit=1_000_000)

    # the invariants

    def _watch(self) -> None:
        while not self._ended.wait(1.5):
            for name in BOTS:
                with suppress(OSError, ValueError, KeyError):
                    self._look_at(name)

    def _look_at(self, name: str) -> None:
        pids = self.of_bot(name)
        if len(pids) > 1 and len(self.of_bot(name)) > 1:
            self._violate(f"{name} runs {len(pids)} times")
        since = self.paused.get(name)
        if since is not None and time.monotonic() - since > 8.0:
            state = self.ask(name, "show_config")["state"]
            if state == "running" and name in self.paused:
                self._violate(f"{name} may enter trades though it was paused")
        size = self.position(name)
        if size is None:
            self._naked.pop(name, None)
            return
        now = time.monotonic()
        was_flat, self._was_flat[name] = self._was_flat.get(name, True), not size
        if size and was_flat and now - self.paused.get(name, now) > 8.0:
            self._violate(f"{name} entered a trade while it was paused")
        if not size or self.has_stop(name):
            self._naked.pop(name, None)
            return
        since = self._naked.setdefault(name, now)
        if now - since > STOP_WITHIN_S and not self._is_held_for_stops(name):
            self._violate(f"{name} has had a position without a stop for {now - since:.0f} s")
            self._naked[name] = now

    def _is_held_for_stops(self, name: str) -> bool:
        bot = self.bot(name)
        return bool(bot and bot.holds and any("stop" in hold for hold in bot.holds))

    def _violate(self, sentence: str) -> None:
        if sentence not in self.violations:
            self.violations.append(sentence)

    def check(self) -> list[str]:
        """Give everything that does not hold, once the fleet is quiet."""
        found = list(self.violations)
        for name in BOTS:
            if len(self.of_bot(name)) != 1:
                found.append(f"{name} runs {len(self.of_bot(name))} times")
            found += self._unknown_positions(name)
        known = {bot.pid for bot in self.status().bots} | {self.status().simulator.pid}
        for process in self.processes():
            with suppress(psutil.Error):
                parents = {p.pid for p in process.parents()}
                is_ours = process.pid == self.supervisor.pid or self.supervisor.pid in parents
                if process.pid not in known and not is_ours and not parents & known:
                    found.append(f"an orphan: {process.pid} {process.cmdline()[:4]}")
        return [*found, *self.restarts(), *self.unexplained()]

    def _unknown_positions(self, name: str) -> list[str]:
        """The position of an account must be its bot's, unless a person was told."""
        for _ in range(8):  # an order may be under way
            with suppress(OSError, ValueError):
                size = self.position(name) or 0.0
                trades = self.ask(name, "status")
                booked = sum(t["amount"] for t in trades)
                if abs(booked - size) <= 1e-6 * max(1.0, size):
                    return []
            time.sleep(2)
        bot = self.bot(name)
        if bot and any("before the restart" in hold for hold in bot.holds):
            return []
        return [f"{name} holds {size} at the exchange, the bot knows of {booked}"]

    def restarts(self) -> list[str]:
        limits = pilot.TIMING.limits
        starts = [
            event.time_us / 1e6
            for event in self.journal("action.decided")
            if event.payload["action"] == "start" and "failed" in event.payload["reason"]
            and event.payload["unit"] in BOTS
        ]  # fmt: skip
        allowed = max(limits.budget_least, round(limits.budget_per_bot * len(BOTS)))
        found = []
        for at in starts:
            window = [s for s in starts if at <= s < at + limits.budget_window_s - 5]
            minute = [s for s in starts if at <= s < at + 55]
            if len(window) > allowed or len(minute) > limits.restarts_per_minute:
                found.append(f"{len(window)} restarts for failures within the budget's window")
                break
        return found

    def unexplained(self) -> list[str]:
        """Every start, stop and action must have its cause in the journal."""
        events = self.journal()
        by_number = {event.sequence: event for event in events}
        found = []
        for event in events:
            needs = event.kind in ("bot.started", "action.done", "action.failed") or (
                event.kind == "bot.exited" and event.payload["is_expected"]
            )
            if needs and event.cause not in by_number:
                found.append(f"event {event.sequence} {event.kind} has no cause")
            if event.kind == "action.decided" and not event.payload["reason"]:
                found.append(f"event {event.sequence} has no reason")
        return found[:5]

    # preparation

    def _simulator(self) -> str:
        port = json.loads((self.home / "simulator" / "api.json").read_text())["port"]
        return f"http://127.0.0.1:{port}"

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
        document = {
            "fleet": "chaos",
            "exchange": {"simulator": {"seed": seed}, "accounts": accounts},
            "defaults": {
                "strategy": "Eager", "strategy_path": str(strategies), "mode": "live",
                "configs": [str(self.folder / "config.json")], "capital_usdt": 9000,
                "stake_usdt": 500, "max_open_trades": 1,
            },
            "bots": bots,
        }  # fmt: skip
        (self.folder / "fleet.json").write_text(json.dumps(document))

    def stop_signal(self, name: str, number: int) -> int:
        pid = self.pid(name)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def kill(self, name: str) -> int:
        return self.stop_signal(name, signal.SIGKILL)
