"""A filter before the Docker socket, as a program: only what the Docker runner asks goes through.

Whoever may speak to a Docker Engine is root of its machine. The sidecar therefore speaks to this,
on a socket of its own in a folder that no bot sees; `rules` says what passes. Refused requests are
answered 403 with the reason. Decides nothing itself. Started by docker-compose.yml:

    python -m automation.fleet.containers.socketfilter --listen /run/freqfleet/docker.sock
        --image freqfleet/bot:local --network container:freqfleet-pod --readable DIR --writable DIR
"""

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from automation.core.errors import Refusal
from automation.fleet.containers.rules import Rules, is_ours, passage, rebuild

MOST_BYTES = 1 << 20
_ENGINE = "http://engine"


class Filter:
    """Forwards what the rules let pass."""

    def __init__(self, rules: Rules, session: ClientSession) -> None:
        """Judge by `rules`; `session` speaks to the engine."""
        self._rules, self._session = rules, session

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request: 403 when it may not pass, 502 when the engine does not answer."""
        asked = passage(self._rules, request.method, request.rel_url.raw_path, request.query)
        if isinstance(asked, Refusal):
            return _refuse(request, asked)
        try:
            if asked.container and not await self._is_ours(asked.container):
                return _refuse(request, Refusal(f"{asked.container} is no container of a fleet"))
            body = None
            if asked.creates:
                made = rebuild(self._rules, await request.read())
                if isinstance(made, Refusal):
                    return _refuse(request, made)
                body = made
            return await self._forward(request, body)
        except (ClientError, OSError) as error:
            return _answer(502, f"the Docker Engine does not answer ({error})")

    async def _is_ours(self, container: str) -> bool:
        """Tell whether a container is ours; one that does not exist is nobody's, and may be asked for."""
        async with self._session.get(f"/containers/{container}/json") as answer:
            return answer.status == 404 or (answer.status == 200 and is_ours(await answer.json()))

    async def _forward(self, request: web.Request, body: bytes | None) -> web.StreamResponse:
        # Other bodies are left behind: no request of ours has one.
        headers = {} if body is None else {"Content-Type": "application/json"}
        async with self._session.request(
            request.method, request.rel_url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            said = web.StreamResponse(status=answer.status)
            if kind := answer.headers.get("Content-Type"):
                said.headers["Content-Type"] = kind
            await said.prepare(request)
            async for piece in answer.content.iter_any():
                await said.write(piece)
            await said.write_eof()
            return said


@asynccontextmanager
async def serving(rules: Rules, engine: Path, listen: Path) -> AsyncIterator[None]:
    """Filter what comes on the socket `listen` to the engine's socket, until the context ends."""
    connector = UnixConnector(str(engine))
    # The stream of events says nothing for as long as nobody dies.
    patience = ClientTimeout(total=None)
    async with ClientSession(_ENGINE, connector=connector, timeout=patience) as session:
        application = web.Application(client_max_size=MOST_BYTES)
        application.router.add_route("*", "/{tail:.*}", Filter(rules, session).handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await asyncio.to_thread(listen.unlink, missing_ok=True)
        mask = os.umask(0o117)  # its owner and group alone
        try:
            await web.UnixSite(runner, str(listen)).start()
        finally:
            os.umask(mask)
        try:
            yield
        finally:
            await runner.cleanup()
            await asyncio.to_thread(listen.unlink, missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="Filter requests to a Docker Engine.")
    parser.add_argument("--engine", type=Path, default=Path("/var/run/docker.sock"))
    parser.add_argument("--listen", type=Path, required=True)
    parser.add_argument("--image", action="append", required=True)
    parser.add_argument("--network", action="append", required=True)
    parser.add_argument("--readable", action="append", type=Path, default=[])
    parser.add_argument("--writable", action="append", type=Path, default=[])
    given = parser.parse_args(arguments)
    rules = Rules(
        frozenset(given.image),
        frozenset(given.network),
        tuple(place.resolve() for place in given.readable),
        tuple(place.resolve() for place in given.writable),
    )
    asyncio.run(_serve(rules, given.engine, given.listen))


async def _serve(rules: Rules, engine: Path, listen: Path) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(rules, engine, listen):
        await stop.wait()


def _refuse(request: web.Request, refusal: Refusal) -> web.Response:
    structlog.get_logger("socketfilter").warning(
        "refused", method=request.method, path=request.path, reason=refusal.reason
    )
    return _answer(403, f"the socket filter refuses: {refusal.reason}")


def _answer(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


if __name__ == "__main__":
    main()
