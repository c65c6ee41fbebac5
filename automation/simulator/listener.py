"""Takes connections on the loopback, and drops them without asking the clients.

Decides how a port is opened and how every connection ends. A TLS connection closes with the other
side's consent, which a hung client gives after half a minute or never; here it is cut. Refuses to
know what is served. Called by `server`.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakSet

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from automation.core.errors import DependencyError
from automation.simulator.front import HOST

_SHUTDOWN_S = 0.5
_ACCEPT_TURNS = 3  # of the loop: a task for each that was accepted, its transport, its protocol


class _Server(web.Server):
    """Remembers its connections until they are closed, which for TLS is later than their end."""

    def __init__(self, handle: Callable[[Any], Awaitable[Any]]) -> None:
        super().__init__(handle, access_log=None)
        self.transports: WeakSet[asyncio.Transport] = WeakSet()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.transports.add(transport)


class Listener:
    """Ports of one server."""

    def __init__(self, handle: Callable[[Any], Awaitable[Any]]) -> None:
        """Nothing listens yet; `handle` answers requests."""
        self._server = _Server(handle)
        self._sockets: list[socket.socket] = []
        self._runner = web.ServerRunner(self._server, shutdown_timeout=_SHUTDOWN_S)

    async def open(self, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on one more port, 0 for any free one; gives its number.

        Raises DependencyError if it is taken.
        """
        if self._runner.server is None:
            await self._runner.setup()
        try:
            opened = socket.create_server((HOST, port))
        except OSError as error:
            raise DependencyError(
                f"cannot listen there ({error.strerror or error})",
                where=f"{HOST}:{port}",
                cure="choose another port, or 0 for any free one",
            ) from error
        self._sockets.append(opened)
        await web.SockSite(self._runner, opened, ssl_context=tls).start()
        return int(opened.getsockname()[1])

    async def close(self) -> None:
        """Give requests under way half a second, and cut every connection."""
        await self._stop_accepting()
        await self._runner.cleanup()
        await self.cut()

    async def _stop_accepting(self) -> None:
        # Connections that asyncio has accepted in the turn in which its server is closed are lost
        # open: no more are accepted, and those get to the server before it is closed.
        while self._sockets:
            asyncio.get_running_loop().remove_reader(self._sockets.pop())
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)

    async def cut(self) -> None:
        """Cut connections that were accepted while it closed, too."""
        for transport in list(self._server.transports):
            transport.abort()
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn
