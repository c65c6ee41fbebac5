"""Between the socket and the exchange: where requests are spoilt, if a fault says so.

Decides nothing but how a verdict is carried out: a delay, an error, a connection that closes in
silence. Refuses to know endpoints and faults' reasons. Called by `server` for every request.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from aiohttp import web

from automation.simulator.faults.admin import PREFIX, Admin
from automation.simulator.faults.engine import Faults
from automation.simulator.faults.rest_faults import Verdict
from automation.simulator.faults.triggers import Case
from automation.simulator.parameters import RequestError
from automation.simulator.rest import Reply
from automation.simulator.signed.desk import Desk
from automation.simulator.streams.endpoint import serve
from automation.simulator.streams.hub import Hub

HOST = "127.0.0.1"
KEY_HEADER = "X-MBX-APIKEY"
_LARGEST_BODY = 1_000_000


@dataclass(slots=True)
class Asked:
    """One request, read whole."""

    method: str
    target: str
    body: bytes
    key: str
    address: str


Answering = Callable[[Asked], Reply]


@dataclass(slots=True)
class Front:
    """Takes requests from sockets and brings back answers, or does not."""

    answer: Answering
    hub: Hub
    desk: Desk | None = None
    faults: Faults | None = None
    admin: Admin | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if "Upgrade" in request.headers:
            return await self._open_stream(request)
        asked = Asked(
            request.method,
            request.raw_path,
            await request.read() if request.can_read_body else b"",
            request.headers.get(KEY_HEADER, ""),
            request.remote or HOST,
        )
        if asked.target.startswith(PREFIX):
            return self._administer(request, asked)
        if self.faults is None:
            return _response(await self._process(asked))
        return await self._spoilt(request, asked, self.faults.judge(self._case(asked)))

    async def _spoilt(
        self, request: web.BaseRequest, asked: Asked, verdict: Verdict
    ) -> web.StreamResponse:
        """Carry out a verdict. Latency lies before the exchange, as the way there does."""
        if verdict.delay_s:
            await asyncio.sleep(verdict.delay_s)
        reply = await self._process(asked) if verdict.is_processed else None
        if not verdict.is_answered:
            if verdict.hang_s:
                await asyncio.sleep(verdict.hang_s)
            return _cut(request)
        if reply is not None:
            return _response(reply)
        return _response(Reply(verdict.status, verdict.body, verdict.headers))

    async def _process(self, asked: Asked) -> Reply:
        """Have the exchange answer; not before its log is on the disk, where it has one."""
        reply = self.answer(asked)
        if self.desk is not None and self.desk.is_behind:
            await self.desk.settle()
        return reply

    async def _open_stream(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.faults is not None and self.faults.is_closed:
            return _cut(request)
        return await serve(self.hub, request)

    def _administer(self, request: web.BaseRequest, asked: Asked) -> web.StreamResponse:
        path, authorization = asked.target.partition("?")[0], request.headers.get("Authorization")
        if self.admin is None:
            return _response(Reply(403, b'{"msg":"there are no faults here to administer"}'))
        replied = self.admin.reply(
            asked.method, path, asked.address, authorization or "", asked.body
        )
        return _response(Reply(*replied))

    def _case(self, asked: Asked) -> Case:
        path, _, query = asked.target.partition("?")
        given = parse_qs(f"{query}&{asked.body.decode('utf-8', 'replace')}")
        symbol = given.get("symbol", [""])[0]
        return Case(asked.method, path, symbol, self._account_of(asked.key))

    def _account_of(self, key: str) -> str:
        """Tell whose key it is; "" for nobody's."""
        if self.desk is None or not key:
            return ""
        try:
            return self.desk.keys.owner(key)[0]
        except RequestError:
            return ""


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _response(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.body,
        status=reply.status,
        headers=reply.headers,
        content_type="application/json",
    )
