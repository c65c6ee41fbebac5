"""The simulator as a running server on the loopback, in real time or moved by hand.

Decides where it listens and for how long, and puts the parts of one exchange together: market, faults,
the clock. It binds 127.0.0.1 and nothing else, and is gone when its context ends. Refuses to know
what is served. Called by `app` and by tests, also other people's.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from automation.core.clock import Clock, SystemClock, from_ms
from automation.core.errors import ConfigError, DependencyError
from automation.simulator.certificate import loopback_context
from automation.simulator.faults import Faults, Scenario, ShockedMarket
from automation.simulator.faults.admin import Admin
from automation.simulator.faults.floor import ExchangeFloor
from automation.simulator.faults.scenario import refuse_unknown
from automation.simulator.front import HOST, Asked, Front
from automation.simulator.listener import Listener
from automation.simulator.market import Market
from automation.simulator.rest import Reply, Rest
from automation.simulator.signed.desk import Desk, Trading
from automation.simulator.streams.connection import Connection, Outgoing
from automation.simulator.streams.hub import Hub
from automation.simulator.streams.messages import Message
from automation.simulator.streams.user_data import connect_exchange
from automation.simulator.timeline import HandClock, Timeline
from automation.simulator.venue import Venue

_BEAT_S = 1.0  # what begins and ends by itself is noticed so often, of served time
_STEP = timedelta(seconds=1)


class Simulator:
    """Serves one market for as long as its context is open.

    async with Simulator(open_market("data")) as sim:
        requests go to sim.url

    async with Simulator(open_market(7), at=parse_instant("2024-08-05"), manual=True) as sim:
        await sim.advance(timedelta(hours=1))     # time moves only when told
    """

    def __init__(
        self,
        market: Market,
        *,
        at: datetime | None = None,
        port: int = 0,
        tls_port: int | None = None,
        clock: Clock | None = None,
        manual: bool = False,
        trading: Trading | None = None,
        scenario: Scenario | None = None,
        admin_token: str | None = None,
    ) -> None:
        """Prepare to serve `market`; nothing listens yet.

        `at`: the instant of the market that is now at the start (to the hour below); without it
        history keeps its own dates. `port` 0 lets the system choose. With `tls_port` (0 likewise)
        the same is served with TLS too, so that ccxt tells Binance's futures errors apart.
        `manual`: time stands at `at` until `advance`. `trading`: the accounts that trade here.
        `scenario`: what goes wrong; `admin_token` lets whoever has it add to that while it runs.
        """
        self._is_spoilt = scenario is not None or admin_token is not None
        self.market: Market = ShockedMarket(market) if self._is_spoilt else market
        self._scenario, self._admin_token = scenario or Scenario(), admin_token
        self._at, self._port, self._tls_port = at, port, tls_port
        self._hand = _hand_clock(at, clock) if manual else None
        self._clock = self._hand or clock or SystemClock()
        self._listener: Listener | None = None
        self._venue: Venue | None = None
        self._trading = trading
        self._desk: Desk | None = None
        self._hub: Hub | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._front: Front | None = None
        self.faults: Faults | None = None

    async def __aenter__(self) -> Self:
        """Start listening; DependencyError if a port is taken, ConfigError for a wrong `at`."""
        refuse_unknown(self._scenario.faults, self.market.instruments, "scenario")
        self._venue = Venue(self.market, Timeline(self._clock, self._at))
        self._venue.require_trading()  # also reads what every client asks for first
        desk = self._desk = self._trading.open(self._venue) if self._trading else None
        self._hub = Hub(self._venue, listen_keys=desk.listen_keys if desk else None)
        if desk is not None:
            connect_exchange(self._hub, desk.exchange)
        self._front = self._make_front(self._venue, self._hub)
        listener = self._listener = Listener(self._front.handle)
        try:
            self._port = await listener.open(self._port)
            if self._tls_port is not None:
                self._tls_port = await listener.open(self._tls_port, loopback_context(HOST))
        except DependencyError:
            await self.__aexit__(None, None, None)
            raise
        if self._hand is None:
            forever = (self._keep_beating(), self._hub.run())
            self._tasks = [asyncio.create_task(each) for each in forever]
            if desk is not None:
                desk.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and drop open connections."""
        if self._desk is not None:
            await self._desk.stop()
        if self._hub is not None:
            self._hub.cut_all()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()  # tell what ended it
        if self._listener is not None:
            await self._listener.close()
        if self._desk is not None:
            self._desk.close()

    async def cut(self) -> None:
        """Cut every connection; after the end those that were just being accepted."""
        if self._listener is not None:
            await self._listener.cut()

    @property
    def desk(self) -> Desk:
        """The accounts and their exchange; there is none without `trading`."""
        if self._desk is None:
            raise RuntimeError("the simulator is not running, or was started without trading")
        return self._desk

    @property
    def hub(self) -> Hub:
        """The streams: where user data and faults are joined on."""
        if self._hub is None:
            raise RuntimeError("the simulator is not running")
        return self._hub

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Where clients send requests, without a path: `http://127.0.0.1:port`."""
        return f"http://{HOST}:{self._port}"

    @property
    def tls_url(self) -> str:
        """The same with TLS, in the form by which ccxt takes it for Binance's futures."""
        if self._tls_port is None:
            raise RuntimeError("the simulator was started without tls_port")
        return f"https://demo-fapi@{HOST}:{self._tls_port}"

    @property
    def at(self) -> datetime:
        """The instant of the market that is served as now."""
        return from_ms(self._running().timeline.market_now_ms())

    async def advance(self, duration: timedelta | float) -> None:
        """Let that much time pass (a number: seconds), on a manual clock only."""
        step = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
        await self.advance_to(self._manual().now() + step)

    async def advance_to(self, instant: datetime) -> None:
        """Let time pass up to an instant, on a manual clock only; ValueError for an earlier one.

        Whatever is due happens at its own instant, in order: faults begin and end, streams speak.
        """
        clock = self._manual()
        if instant < clock.now():
            raise ValueError(f"time does not go back from {clock.now()} to {instant}")
        while clock.now() < instant:
            clock.move_to(min(instant, self._next_stop(clock.now())))
            self._settle()
            if self._desk is not None:
                self._desk.exchange.advance(self._desk.now_ms)
            self.hub.pump()
            await self.hub.drain()

    def _next_stop(self, now: datetime) -> datetime:
        """The next instant at which somebody has to be told something."""
        if self.hub.connections:
            return now + _STEP
        edge_ms = None if self.faults is None else self.faults.next_edge_ms()
        if edge_ms is None:
            return datetime.max.replace(tzinfo=UTC)
        return from_ms(edge_ms + self._running().timeline.shift_ms)

    def _make_front(self, venue: Venue, hub: Hub) -> Front:
        desk, rest = self._desk, Rest(venue, self._desk)

        def answer(asked: Asked) -> Reply:
            body = asked.body.decode("utf-8", "replace")
            return rest.reply(asked.method, asked.target, asked.address, asked.key, body)

        front = Front(answer, hub, desk)
        if not self._is_spoilt:
            return front
        assert isinstance(self.market, ShockedMarket)
        floor = ExchangeFloor(venue, _halting(desk), [hub.cut_all])
        note = desk.log.add if desk is not None and desk.log is not None else _forget
        now_ms = venue.timeline.market_now_ms
        front.faults = self.faults = Faults(self._scenario, self.market, now_ms, floor, note)
        hub.outgoing = _outgoing(self.faults)
        self._settle()
        front.admin = Admin(self.faults, self._admin_token, tuple(self.market.instruments))
        return front

    def _settle(self) -> None:
        """Let what is due by now happen."""
        if self.faults is not None:
            self.faults.settle()
            self._running().timeline.skew_ms = self.faults.skew_ms

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            self._settle()

    def _running(self) -> Venue:
        if self._venue is None:
            raise RuntimeError("the simulator is not running")
        return self._venue

    def _manual(self) -> HandClock:
        if self._hand is None:
            raise RuntimeError("time passes by itself here; start the simulator with manual=True")
        return self._hand


def _forget(_entry: Any) -> None:
    """Keep no log."""


def _halting(desk: Desk | None) -> Callable[[str, bool], None]:
    """Make what stops and resumes a symbol's trading."""

    def halt(symbol: str, is_halted: bool) -> None:
        if desk is not None and symbol in desk.exchange.contracts:
            in_name_of = next(iter(desk.exchange.accounts))
            desk.exchange.halt(in_name_of, symbol, desk.now_ms, halted=is_halted)

    return halt


def _outgoing(faults: Faults) -> Outgoing:
    """Make what decides about each message to each client."""

    def send(message: Message, connection: Connection) -> Iterable[tuple[float, Message]]:
        account = connection.account or "" if message.stream == connection.listen_key else ""
        delays = faults.outgoing(message.stream, account, connection.number)
        if delays is None:
            connection.cut()
        return [(delay_s, message) for delay_s in delays or ()]

    return send


def _hand_clock(at: datetime | None, clock: Clock | None) -> HandClock:
    if clock is not None:
        raise ConfigError("a manual simulator has a clock of its own", where="clock")
    if at is None:
        raise ConfigError("a manual clock needs its first instant", where="at", cure="give at=...")
    return HandClock(at)


@contextmanager
def serving(market: Market, **options: Any) -> Iterator[Simulator]:
    """Serve a market from a thread of its own, for callers without asyncio; options as above."""
    with running(market, **options) as (simulator, _):
        yield simulator


@contextmanager
def running(
    market: Market, **options: Any
) -> Iterator[tuple[Simulator, Callable[[Coroutine[Any, Any, Any]], Any]]]:
    """The same, with a function that runs the simulator's coroutines in its thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    try:
        simulator = Simulator(market, **options)
        run(simulator.__aenter__())
        try:
            yield simulator, run
        finally:
            run(simulator.__aexit__(None, None, None))
            run(_end_rest(simulator))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_rest(simulator: Simulator) -> None:
    """End what still runs in this loop: connections that were being accepted at the last moment."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await simulator.cut()
