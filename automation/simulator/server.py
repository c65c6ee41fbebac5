"""The simulator as a running server on the loopback.

Decides where it listens and for how long: it binds 127.0.0.1 and nothing else, and is gone when
its context ends. Refuses to know what is served. Called by `app` and by tests.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from automation.core.clock import Clock, SystemClock, from_ms
from automation.core.errors import DependencyError
from automation.simulator.certificate import loopback_context
from automation.simulator.market import Market
from automation.simulator.rest import Rest
from automation.simulator.signed.desk import Desk, Trading
from automation.simulator.streams.endpoint import serve
from automation.simulator.streams.hub import Hub
from automation.simulator.streams.user_data import connect_exchange
from automation.simulator.timeline import Timeline
from automation.simulator.venue import Venue

HOST = "127.0.0.1"
_SHUTDOWN_S = 0.5


class Simulator:
    """Serves one market for as long as its context is open.

    async with Simulator(open_market("data")) as sim:
        requests go to sim.url
    """

    def __init__(
        self,
        market: Market,
        *,
        at: datetime | None = None,
        port: int = 0,
        tls_port: int | None = None,
        clock: Clock | None = None,
        trading: Trading | None = None,
    ) -> None:
        """Prepare to serve `market`; nothing listens yet.

        `at`: the instant of the market that is now at the start (to the hour below); without it
        history keeps its own dates. `port` 0 lets the system choose. With `tls_port` (0 likewise)
        the same is served with TLS too, so that ccxt tells Binance's futures errors apart.
        With `trading` its accounts trade on the market.
        """
        self.market = market
        self._at, self._port, self._tls_port = at, port, tls_port
        self._clock = clock or SystemClock()
        self._runner: web.ServerRunner | None = None
        self._venue: Venue | None = None
        self._trading = trading
        self._desk: Desk | None = None
        self._hub: Hub | None = None
        self._pumping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start listening; DependencyError if a port is taken, ConfigError for a wrong `at`."""
        self._venue = Venue(self.market, Timeline(self._clock, self._at))
        self._venue.require_trading()  # also reads what every client asks for first
        desk = self._desk = self._trading and self._trading.open(self._venue)
        self._hub = Hub(self._venue, listen_keys=desk.listen_keys if desk else None)
        if desk is not None:
            connect_exchange(self._hub, desk.exchange)
        server = web.Server(_handler(Rest(self._venue, desk), self._hub), access_log=None)
        runner = self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            self._port = await _listen(runner, self._port, None)
            if self._tls_port is not None:
                context = loopback_context(HOST)
                self._tls_port = await _listen(runner, self._tls_port, context)
        except DependencyError:
            await self.__aexit__(None, None, None)
            raise
        self._pumping = asyncio.create_task(self._hub.run())
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
        if self._pumping is not None:
            self._pumping.cancel()
            await asyncio.wait((self._pumping,))
            if not self._pumping.cancelled():
                self._pumping.result()  # tell what ended the streams
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

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
        if self._venue is None:
            raise RuntimeError("the simulator is not running")
        return from_ms(self._venue.timeline.market_now_ms())


def _handler(rest: Rest, hub: Hub) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await serve(hub, request)
        key = request.headers.get("X-MBX-APIKEY", "")
        body = await request.text() if request.body_exists else ""
        reply = rest.reply(request.method, request.raw_path, request.remote or HOST, key, body)
        if rest.desk is not None and rest.desk.is_behind:
            await rest.desk.settle()
        return web.Response(
            body=reply.body,
            status=reply.status,
            headers=reply.headers,
            content_type="application/json",
        )

    return handle


async def _listen(runner: web.ServerRunner, port: int, tls: ssl.SSLContext | None) -> int:
    """Add a port to a running server; gives its number."""
    site = web.TCPSite(runner, HOST, port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise DependencyError(
            f"cannot listen there ({error.strerror or error})",
            where=f"{HOST}:{port}",
            cure="choose another port, or 0 for any free one",
        ) from error
    address: Any = runner.addresses[-1]
    return int(address[1])


@contextmanager
def serving(
    market: Market,
    *,
    at: datetime | None = None,
    port: int = 0,
    tls_port: int | None = None,
    clock: Clock | None = None,
    trading: Trading | None = None,
) -> Iterator[Simulator]:
    """Serve a market from a thread of its own, for callers without asyncio."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()
    simulator = Simulator(market, at=at, port=port, tls_port=tls_port, clock=clock, trading=trading)

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    try:
        run(simulator.__aenter__())
        try:
            yield simulator
        finally:
            run(simulator.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
