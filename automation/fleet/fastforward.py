"""A fleet whose simulator and bots live on one accelerated timeline, watched from real time.

Decides what lag is: the worst of how long ago a bot's loop was, how overdue its candles are, how
long the simulator takes to answer, and how long bots' requests take to reach it, all in market time. Changes the speed as the `Governor`
says and writes every change into the journal, with the real and the market instant. The supervisor
itself stays in real time, so what it waits for is judged in real time. Built by the supervisor.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import structlog

from automation.core.clock import Clock
from automation.core.config import Fleet, Venue
from automation.core.errors import ConfigError, DependencyError
from automation.core.model import UnitSnapshot
from automation.core.seams import BotApi
from automation.fleet import faketime
from automation.fleet.chronicle import Chronicle
from automation.fleet.home import Home, read_json, write_json
from automation.fleet.tempo import SPEED_MOST, Change, Governor, Pace, Tempo
from automation.fleet.tempo_kinds import FastForwarded

_WINDOW_MS = 60_000  # the longest that the exchange allows
_ANSWER_S = 10.0  # of real time, as ccxt waits for an answer
REAL_TIME = Tempo(0.0, 0.0, 1.0)


@dataclass(slots=True)
class FastForward:
    """The clock of one fleet's market."""

    home: Home
    chronicle: Chronicle
    clock: Clock
    at: datetime
    wanted: float
    library: Path
    run: str = ""  # names the run: databases of another hold trades of another time
    tempo: Tempo = REAL_TIME
    pace: Pace = field(default_factory=Pace)
    lags: dict[str, "Lag"] = field(default_factory=dict)
    answer_s: float = 0.0  # the simulator's slowest answer since the last judgement, real time
    request_s: float = 0.0  # the bots' slowest request since then, market time
    _start_s: float = 0.0
    _governor: Governor | None = None
    _turning: "asyncio.Task[None] | None" = None

    def open(self, *, is_alive: bool) -> None:
        """Begin at `at` in real time, or go on where living processes are."""
        written = read_json(_file(self.home))
        start = faketime.SharedStart(str(written.get("run", "")))
        if is_alive and written and start.exists():
            self._resume(written)
            return
        if is_alive:
            raise _other_time(self.home)
        forget(self.home)
        self.run = f"{self.at:%Y%m%dT%H%M}-{uuid4().hex[:8]}"
        self._start_s = faketime.SharedStart(self.run).make()
        self.tempo = Tempo(self._start_s, self.at.timestamp(), 1.0)
        self._governor = Governor(self.wanted, self.pace)
        self._write()
        self._tell("market.fast_forward", "in real time until all bots trade", self._start_s)

    @property
    def environment(self) -> dict[str, str]:
        """What simulator and bots are started with."""
        start = faketime.SharedStart(self.run)
        return faketime.environment(self.library, start, _line(self.home))

    def market_now_s(self) -> float:
        """Tell the market's time (epoch, s)."""
        return self.tempo.market(self.clock.now().timestamp())

    def in_real_time(self, bot: str, api: BotApi) -> BotApi:
        """Have a bot's API tell real instants, and note meanwhile how much it lags."""
        self.lags[bot] = Lag()
        return InRealTime(api, self, self.lags[bot])

    def patient(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """Let ccxt wait in real time as long as always: 10 s of market time are soon over.

        A request that is late counts as lag; refused or given up it would be a fault that no
        scenario asked for.
        """
        ccxt = section.get("ccxt_config", {})
        options = ccxt.get("options", {}) | {"recvWindow": _WINDOW_MS}
        waiting = {"timeout": round(_ANSWER_S * 1000 * self.wanted), "options": options}
        return dict(section) | {"ccxt_config": ccxt | waiting}

    def timed(self, api: "Told") -> "TimedPing":
        """Have note taken of how long the simulator takes to answer."""
        return TimedPing(api, self)

    def watch(self, units: Iterable[UnitSnapshot]) -> None:
        """Judge the lag, and change the speed when it is time to."""
        now_s = self.clock.monotonic()
        if self._governor is None or not self._governor.is_due(now_s):
            return
        if self._turning is not None and not self._turning.done():
            return
        alive = [unit.name for unit in units if not unit.is_simulator and unit.process.is_alive]
        lags = [self.lags.get(name, Lag()) for name in alive]
        known = [lag.lag_s for lag in lags if lag.lag_s is not None]
        # Once begun, a bot that starts again is an outage of its own, not a lag.
        is_known = bool(known) and (self._governor.has_begun or len(known) == len(lags))
        lag_s = max(known) if is_known else None
        limit_s = self.pace.lag_limit_s(min((lag.timeframe_s for lag in lags), default=0.0))
        answer_s, most_s = self.answer_s * self.tempo.speed, self.pace.answer_limit_s
        request_s, longest_s = self.request_s, self.pace.request_limit_s
        shares = (answer_s / most_s, request_s / longest_s)
        load = None if lag_s is None else max(lag_s / limit_s, *shares)
        measured = (
            f"bots lag {lag_s or 0:.0f} s (limit {limit_s:.0f}), "
            f"the simulator answers in {answer_s:.1f} s (limit {most_s:.0f}), "
            f"requests reach it in {request_s:.1f} s (limit {longest_s:.0f}), of market time"
        )
        self.answer_s = self.request_s = 0.0
        change = self._governor.judge(self.tempo.speed, load, now_s, measured)
        if change is not None:
            self._turning = asyncio.create_task(self._turn(change, lag_s), name="fast-forward")

    async def close(self) -> None:
        """Let a change that is under way end."""
        if self._turning is not None:
            self._turning.cancel()
            await asyncio.gather(self._turning, return_exceptions=True)

    async def _turn(self, change: Change, lag_s: float | None) -> None:
        before, turn_s = self.tempo, 0.0
        while self.clock.now().timestamp() >= turn_s:  # woken late on a busy machine: take the next
            wait_s, turn_s = faketime.wait_for_turn_s(self.clock.now().timestamp())
            await asyncio.sleep(wait_s)
        self.tempo = before.changed(turn_s, change.speed)
        try:
            self._write()
        except DependencyError as error:
            self.tempo = before
            structlog.get_logger("fleet").warning("speed not changed", error=str(error))
            return
        self._tell("market.speed_changed", change.reason, turn_s, lag_s)

    def _write(self) -> None:
        faketime.write_line(_line(self.home), self.tempo, self._start_s)
        document = {
            "run": self.run,
            "at": self.at.isoformat(),
            "wanted": self.wanted,
            "start_s": self._start_s,
            "real_s": self.tempo.real_s,
            "market_s": self.tempo.market_s,
            "speed": self.tempo.speed,
        }
        write_json(_file(self.home), document)

    def _resume(self, written: dict[str, object]) -> None:
        if written.get("at") != self.at.isoformat() or written.get("wanted") != self.wanted:
            raise _other_time(self.home)
        self.run, self._start_s = str(written["run"]), float(str(written["start_s"]))
        real_s, market_s, speed = (float(str(written[k])) for k in ("real_s", "market_s", "speed"))
        self.tempo = Tempo(real_s, market_s, speed)
        self._governor = Governor(self.wanted, self.pace, has_begun=True)
        reason = "a new supervisor goes on with it"
        self._tell("market.fast_forward", reason, self.clock.now().timestamp())

    def _tell(self, kind: str, reason: str, real_s: float, lag_s: float | None = None) -> None:
        facts = FastForwarded(
            speed=self.tempo.speed,
            real_instant=datetime.fromtimestamp(real_s, UTC),
            market_instant=datetime.fromtimestamp(self.tempo.market(real_s), UTC),
            wanted_speed=self.wanted,
            reason=reason,
            lag_s=None if lag_s is None else round(lag_s, 3),
        )
        self.chronicle.tell(kind, facts)


@dataclass(slots=True)
class Lag:
    """How late one bot was when it was last seen, in market time."""

    lag_s: float | None = None  # None while it starts
    timeframe_s: float = 0.0


class Told(Protocol):
    """What answers a ping and tells by it how long others' requests were on their way."""

    @property
    def oldest_s(self) -> float:
        """The slowest of them before the last ping, in market time."""
        ...

    async def ping(self) -> None:
        """Return when it answers."""
        ...


@dataclass(frozen=True, slots=True)
class TimedPing:
    """The simulator's ping, with note taken of how long it and the bots' requests take."""

    api: Told
    fast: FastForward

    async def ping(self) -> None:
        """Return when it answers; TransientError when it does not."""
        began_s = self.fast.clock.monotonic()
        await self.api.ping()
        self.fast.answer_s = max(self.fast.answer_s, self.fast.clock.monotonic() - began_s)
        self.fast.request_s = max(self.fast.request_s, self.api.oldest_s)


@dataclass(frozen=True, slots=True)
class InRealTime:
    """A bot's API whose clock is the supervisor's: instants and candles come in real time.

    So every limit of the supervision is one of real time, whatever the market's speed is.
    """

    api: BotApi
    fast: FastForward
    lag: Lag

    async def ping(self) -> None:
        """Return when it answers; TransientError when it does not."""
        await self.api.ping()

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Write to `/api/v1/<path>`; errors as `get`."""
        return await self.api.post(path, body)

    async def get(self, path: str, **params: str | int) -> Any:
        """Read `/api/v1/<path>`; TransientError when silent, LoginRefused when not let in."""
        answer = await self.api.get(path, **params)
        tempo = self.fast.tempo
        if path == "show_config":
            self.lag.timeframe_s = float(answer["timeframe_ms"]) / 1000
            return answer | {"timeframe_ms": max(1000, answer["timeframe_ms"] / tempo.speed)}
        if path == "health":
            return self._health(answer, tempo)
        if path == "pair_candles" and answer.get("length"):
            return self._candles(answer, tempo)
        if path == "status":
            return [_with_real_orders(trade, tempo) for trade in answer]
        return answer

    def _health(self, answer: dict[str, Any], tempo: Tempo) -> dict[str, Any]:
        looped_s = answer.get("last_process_ts")
        if looped_s is None:
            return answer
        self.lag.lag_s = max(0.0, self.fast.market_now_s() - looped_s)
        return answer | {"last_process_ts": tempo.real(looped_s)}

    def _candles(self, answer: dict[str, Any], tempo: Tempo) -> dict[str, Any]:
        column = answer["columns"].index("__date_ts")
        opened_s = answer["data"][-1][column] / 1000
        overdue_s = self.fast.market_now_s() - opened_s - 2 * self.lag.timeframe_s
        if self.lag.lag_s is not None:
            self.lag.lag_s = max(self.lag.lag_s, overdue_s)
        row = list(answer["data"][-1])
        row[column] = tempo.real(opened_s) * 1000
        analyzed_s = answer.get("last_analyzed_ts")
        real = {} if not analyzed_s else {"last_analyzed_ts": tempo.real(analyzed_s)}
        return answer | {"data": [*answer["data"][:-1], row]} | real


def _with_real_orders(trade: dict[str, Any], tempo: Tempo) -> dict[str, Any]:
    """Convert when orders were placed and filled; the trade's own opening tells it apart, and stays."""

    def real_ms(entry: Mapping[str, Any], key: str) -> dict[str, float]:
        market_ms = entry.get(key)
        return {} if not market_ms else {key: tempo.real(market_ms / 1000) * 1000}

    orders = [order | real_ms(order, "order_timestamp") for order in trade.get("orders") or ()]
    return trade | real_ms(trade, "open_fill_timestamp") | {"orders": orders}


def fast_forward(
    fleet: Fleet, home: Home, chronicle: Chronicle, clock: Clock
) -> FastForward | None:
    """Prepare what a fleet's `speed` asks for; None at the clock's own speed.

    Raises ConfigError when that speed or fleet cannot be, DependencyError without libfaketime.
    """
    settings = fleet.exchange.simulator
    if settings.speed == 1 or fleet.exchange.venue is not Venue.SIMULATOR:
        return None
    refuse_speed(settings.speed)
    if settings.at is None:
        cure = "name the instant at which it begins with --at"
        raise ConfigError("a fast market needs a beginning", where="--speed", cure=cure)
    foreign = [bot.name for bot in fleet.bots if bot.runner != "process"]
    if foreign:
        raise ConfigError(
            f"{', '.join(foreign)} would not follow the market's clock",
            where="--speed",
            cure="set runner: process, or leave --speed out",
        )
    library = faketime.find_library()
    return FastForward(home, chronicle, clock, settings.at, settings.speed, library)


def refuse_speed(speed: float) -> None:
    """Raise ConfigError for a speed that no bot could follow."""
    if not 1 <= speed <= SPEED_MOST:
        raise ConfigError(
            f"bots cannot follow a market at {speed:g} times the clock's speed",
            where="--speed",
            cure=f"choose from 1 to {SPEED_MOST:g}",
        )


def is_fast(home: Home) -> bool:
    """Tell whether what runs here was started on a fast market."""
    return bool(read_json(_file(home)))


def refuse_other_time(home: Home, *, is_alive: bool) -> None:
    """Raise ConfigError where living bots are in a time that this fleet is not meant to be in."""
    if is_alive and is_fast(home):
        raise _other_time(home)


def forget(home: Home) -> None:
    """Remove the clock of a fleet that is down."""
    run = read_json(_file(home)).get("run")
    if run:
        faketime.SharedStart(str(run)).remove()
    _file(home).unlink(missing_ok=True)
    _line(home).unlink(missing_ok=True)


def _other_time(home: Home) -> ConfigError:
    return ConfigError(
        "what runs here is on a market of another time or speed",
        where=str(home.path),
        cure="run freqfleet down first",
    )


def _file(home: Home) -> Path:
    return home.path / "tempo.json"


def _line(home: Home) -> Path:
    return home.path / "tempo.line"
