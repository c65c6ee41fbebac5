"""Fakes for the seams, shipped so that other people's tests can use them too."""

import asyncio
import signal
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientConnectionError, WSMsgType, web

from automation.core.clock import Clock
from automation.core.errors import DependencyError
from automation.core.files import write_whole
from automation.core.model import Identity, ProcessFacts
from automation.core.seams import Launch, Patience


class ManualClock:
    """A `Clock` that moves only when told."""

    def __init__(self, start: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
        """Start at `start`; the monotonic side starts at 0."""
        self._now, self._monotonic = start, 0.0

    def now(self) -> datetime:
        """Tell the instant it was moved to."""
        return self._now

    def monotonic(self) -> float:
        """Tell the seconds it was advanced by."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both sides forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, as a step of NTP or of an operator does."""
        self._now += timedelta(seconds=seconds)


class FakeRunner:
    """A `Runner` whose units are entries of a table: started at once, dying when told."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Run nothing yet; `survivors` carries units over to the next runner."""
        self._clock = clock or ManualClock()
        self._pids = count(1000)
        self._wake: Callable[[], None] = lambda: None
        self.units: dict[str, ProcessFacts] = {}
        self.launches: list[Launch] = []
        self.refuses: str = ""
        """A sentence that every start fails with, as long as it stands here."""

    def when_one_ends(self, wake: Callable[[], None]) -> None:
        """Have `wake` called as soon as a unit ends."""
        self._wake = wake

    async def adopt(self, launch: Launch) -> ProcessFacts:
        """Find what an earlier runner left in `units`."""
        facts = self.units.get(launch.unit, ProcessFacts())
        if facts.is_alive:
            facts = replace(facts, is_adopted=True, seen_s=self._clock.monotonic())
            self.units[launch.unit] = facts
        return facts

    async def start(self, launch: Launch) -> ProcessFacts:
        """Start the unit; DependencyError when it runs already, or `refuses` says so."""
        if self.refuses:
            raise DependencyError(self.refuses, where=launch.unit)
        if self.units.get(launch.unit, ProcessFacts()).is_alive:
            raise DependencyError("it runs already", where=launch.unit)
        identity = Identity(next(self._pids), 1, "fake")
        now_s = self._clock.monotonic()
        facts = ProcessFacts(identity, True, False, now_s, now_s)
        self.units[launch.unit] = facts
        self.launches.append(launch)
        return facts

    async def look(self, unit: str) -> ProcessFacts:
        """Tell whether the unit lives."""
        return self.units.get(unit, ProcessFacts())

    async def stop(self, unit: str, patience: Patience) -> ProcessFacts:
        """End the unit at once."""
        del patience
        if self.units.get(unit, ProcessFacts()).is_alive:
            self._end(unit, 0)
        return await self.look(unit)

    def kill(self, unit: str, code: int = -9) -> None:
        """Have a unit die by itself."""
        self._end(unit, code)
        self._wake()

    async def close(self) -> None:
        """Let go; the units stay in the table."""

    def _end(self, unit: str, code: int) -> None:
        now_s = self._clock.monotonic()
        self.units[unit] = replace(self.units[unit], is_alive=False, since_s=now_s, exit_code=code)


@dataclass
class FakeBotApi:
    """Answers Freqtrade's REST API over real HTTP, as a bot in this state would.

    Change the fields while it serves. `serve` listens on the loopback; port 0 lets the system pick.
    """

    username: str = "freqfleet"
    password: str = "secret"  # noqa: S105  a fake's
    state: str = "running"
    strategy: str = "FakeStrategy"
    timeframe_s: int = 300
    pairs: list[str] = field(default_factory=lambda: ["BTC/USDT:USDT"])
    loops: bool = True
    loop_age_s: float = 0.0
    candle_age_s: float = 0.0
    open_trades: list[dict[str, Any]] = field(default_factory=list)
    closed_trades: list[dict[str, Any]] = field(default_factory=list)
    profit_usdt: float = 0.0
    hangs: bool = False
    answers: int = 200
    """Any other status than 200 is answered to everything."""
    stops_on_exchange: bool = False
    positions: dict[str, float] | None = None
    """What the account holds; without it, it is not told."""
    ws_token: str = ""
    """What the message websocket lets in; empty lets nobody in."""
    is_mute: bool = False
    """Whether the websocket stays open and silent, pings included, as a stalled bot's does."""
    asked: list[str] = field(default_factory=list)
    """Every request, like `GET show_config`."""
    listeners: "dict[web.WebSocketResponse, set[str]]" = field(default_factory=dict)
    """Who listens to messages, and to which."""

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Listen; gives the address."""
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        try:
            bound = runner.addresses[0][1]
            yield f"http://127.0.0.1:{bound}"
        finally:
            await runner.cleanup()

    async def say(self, message: Mapping[str, Any]) -> None:
        """Send a message to all who subscribed to its type."""
        for listener, topics in list(self.listeners.items()):
            if message["type"] in topics and not self.is_mute and not listener.closed:
                with suppress(ClientConnectionError):
                    await listener.send_str(orjson.dumps(message).decode())

    def cut(self) -> None:
        """Cut every listener off, as a broken connection does."""
        for listener in list(self.listeners):
            transport = listener._req.transport if listener._req else None  # noqa: SLF001
            if transport is not None:
                transport.abort()

    async def _listen(self, request: web.BaseRequest) -> web.StreamResponse:
        listener = web.WebSocketResponse(autoping=False)
        await listener.prepare(request)
        if not self.ws_token or request.query.get("token") != self.ws_token:
            await listener.close(code=1008)
            return listener
        self.listeners[listener] = set()
        try:
            await self._serve(listener)
        except ClientConnectionError:
            pass  # it was cut off while it was answered
        finally:
            del self.listeners[listener]
        return listener

    async def _serve(self, listener: web.WebSocketResponse) -> None:
        async for message in listener:
            while self.is_mute:  # noqa: ASYNC110  a test turns it
                await asyncio.sleep(0.01)
            if message.type is WSMsgType.PING:
                await listener.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                asked = orjson.loads(message.data)
                if asked["type"] == "subscribe":
                    self.listeners[listener] = set(asked["data"])
                else:
                    await listener.send_json({"type": "whitelist", "data": self.pairs})

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1/")
        self.asked.append(f"{request.method} {path}")
        if self.hangs:
            await asyncio.sleep(3600)
        if path == "message/ws":
            return await self._listen(request)
        if self.answers != 200:
            return web.json_response({"error": "told to"}, status=self.answers)
        if path == "ping":
            return web.json_response({"status": "pong"})
        login = f"{self.username}:{self.password}".encode()
        if request.headers.get("Authorization") != f"Basic {b64encode(login).decode()}":
            return web.json_response({"detail": "Unauthorized"}, status=401)
        if request.method == "DELETE":
            known = self._delete(path)
        else:
            known = self._post(path) if request.method == "POST" else self._get(path, request.query)
        if known is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        return web.json_response(known)

    def _delete(self, path: str) -> Any:
        """Cancel the open order of a trade."""
        number = path.removeprefix("trades/").removesuffix("/open-order")
        for trade in self.open_trades:
            if str(trade["trade_id"]) == number:
                trade["orders"] = [o | {"is_open": False} for o in trade.get("orders", ())]
                return trade
        return None

    def _force_exit(self) -> dict[str, str]:
        closed = (fake_trade(trade["trade_id"], closed=True) for trade in self.open_trades[:1])
        self.closed_trades = [*closed, *self.closed_trades]
        self.open_trades = self.open_trades[1:]
        return {"result": "Created exit orders"}

    def _post(self, path: str) -> Any:
        states = {"pause": "paused", "stopentry": "paused", "start": "running", "stop": "stopped"}
        if path == "forceexit":
            return self._force_exit()
        if path == "reload_config":
            return {"status": "Reloading config ..."}
        if path not in states:
            return None
        self.state = states[path]
        return {"status": f"now {self.state}"}

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        now_s = time.time()
        answers: dict[str, Callable[[], Any]] = {
            "show_config": lambda: {
                "version": "2026.9",
                "state": self.state,
                "strategy": self.strategy,
                "timeframe": f"{self.timeframe_s // 60}m",
                "timeframe_ms": self.timeframe_s * 1000,
                "stoploss_on_exchange": self.stops_on_exchange,
            },
            "health": lambda: {
                "last_process_ts": int(now_s - self.loop_age_s) if self.loops else None
            },
            "status": lambda: self.open_trades,
            "trades": lambda: {
                "trades": self.closed_trades[int(query.get("offset", 0)) :][
                    : int(query.get("limit", 500))
                ],
                "total_trades": len(self.closed_trades),
            },
            "whitelist": lambda: {"whitelist": self.pairs, "length": len(self.pairs)},
            "profit": lambda: {
                "profit_all_coin": self.profit_usdt,
                "closed_trade_count": len(self.closed_trades),
            },
            "balance": self._balance,
            "pair_candles": lambda: self._candles(now_s),
        }
        answer = answers.get(path)
        return None if answer is None else answer()

    def _balance(self) -> dict[str, Any]:
        told = {"total": 1000.0 + self.profit_usdt, "starting_capital": 1000.0}
        if self.positions is None:
            return told
        rows = [
            {
                "currency": pair,
                "position": abs(amount),
                "side": "short" if amount < 0 else "long",
                "is_position": True,
            }
            for pair, amount in self.positions.items()
        ]
        return told | {"currencies": rows}

    def _candles(self, now_s: float) -> dict[str, Any]:
        closed_s = (now_s - self.candle_age_s) // self.timeframe_s * self.timeframe_s
        opened_ms = int(closed_s - self.timeframe_s) * 1000
        return {
            "columns": ["date", "close", "__date_ts"],
            "data": [["", 1.0, opened_ms]],
            "length": 1,
        }


def fake_trade(
    trade_id: int, *, closed: bool = False, pair: str = "BTC/USDT:USDT"
) -> dict[str, Any]:
    """Make a trade as Freqtrade's API tells it; opened at a minute that its number gives."""
    opened_ms = 1_700_000_000_000 + trade_id * 60_000
    trade: dict[str, Any] = {
        "trade_id": trade_id,
        "open_timestamp": opened_ms,
        "pair": pair,
        "is_short": False,
        "amount": 0.01,
        "open_rate": 100.0,
        "stake_amount": 50.0,
        "leverage": 2.0,
        "enter_tag": "fake",
        "is_open": not closed,
    }
    if closed:
        trade |= {
            "close_timestamp": opened_ms + 30_000,
            "close_rate": 101.0,
            "close_profit": 0.02,
            "close_profit_abs": 1.0,
            "exit_reason": "roi",
        }
    return trade


def write_fake_python(folder: Path) -> Path:
    """Write a program that stands for `python` and runs fakes where Freqfleet starts real units.

    `-m freqtrade trade …` becomes a bot that answers Freqtrade's API as its rendered configuration
    says, `-m automation simulate …` an exchange that answers pings. The strategy's name tells what
    the bot does: `DiesAtStart`, `DiesSoon`, `NeverComesUp`, `IgnoresSignals`; any other behaves.
    A file `….fake.json` beside its database holds further fields of its `FakeBotApi`.
    """
    program = folder / "fake-python"
    program.write_text(f"#!{sys.executable}\nfrom automation.testing import main\nmain()\n")
    program.chmod(0o755)
    return program


def main() -> None:
    """Be a fake unit, for `write_fake_python`."""
    argv = sys.argv
    if "simulate" in argv:
        config = Path(argv[argv.index("--write-config") + 1])
        asyncio.run(_be_simulator(int(argv[argv.index("--port") + 1]), config))
        return
    strategy = argv[argv.index("--strategy") + 1]
    config = orjson.loads(Path(next(a for a in argv if a.endswith("/config.json"))).read_bytes())
    if strategy == "DiesAtStart":
        sys.exit("ImportError: told to die")
    if strategy == "NeverComesUp":
        time.sleep(3600)
    if strategy == "IgnoresSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    database = Path(argv[argv.index("--db-url") + 1].removeprefix("sqlite:///"))
    asyncio.run(_be_bot(strategy, config, _facts_beside(database)))


def _facts_beside(database: Path) -> dict[str, Any]:
    """Read what a test put in place of a database's trades: fields of `FakeBotApi`."""
    facts = database.with_suffix(".fake.json")
    return dict(orjson.loads(facts.read_bytes())) if facts.exists() else {}


async def _be_bot(strategy: str, config: dict[str, Any], facts: Mapping[str, Any]) -> None:
    api = config["api_server"]
    bot = FakeBotApi(
        api["username"],
        api["password"],
        config["initial_state"],
        strategy,
        ws_token=api["ws_token"],
        **facts,
    )
    async with bot.serve(api["listen_port"]):
        if strategy == "DiesSoon":
            await asyncio.sleep(0.3)
            sys.exit(3)
        await _told_to_stop(strategy != "IgnoresSignals")


async def _be_simulator(port: int, config: Path) -> None:
    async def pong(_request: web.BaseRequest) -> web.Response:
        return web.json_response({})

    runner = web.ServerRunner(web.Server(pong), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    write_whole(config, orjson.dumps({"exchange": {"name": "binance"}}))
    await _told_to_stop(True)
    await runner.cleanup()


async def _told_to_stop(listens: bool) -> None:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    if listens:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told.set)
    await told.wait()
