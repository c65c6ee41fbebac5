"""Stand-ins of Telegram, Slack, Discord and a dead man's switch on loopback, for tests and drills.

They answer as the real ones do: results with ids, 429 with the wait where each writes it, refusals
of unknown tokens, of markup that does not parse and of texts that are too long. They keep what they
were told.
"""

import asyncio
import itertools
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # noqa: S105  the one in Telegram's documentation
_HTML = re.compile(r"<(/?)([a-z-]+)>")
_MARKDOWN = re.compile(r"\\.|[_*\[\]()~`>#+\-=|{}.!]")


@dataclass(slots=True)
class Taken:
    """One message that a receiver took."""

    service: str
    text: str
    body: dict[str, Any]
    at_s: float


@dataclass(slots=True)
class Receivers:
    """All stand-ins on one port; `start` them and close them."""

    taken: list[Taken] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Every call of Telegram's, also those that were refused."""
    attempts: int = 0
    beats: int = 0
    answers: deque[tuple[int, float]] = field(default_factory=deque)
    """What the next attempts get instead of success: a status, and the wait of a 429."""
    hang_s: float = 0.0
    is_down: bool = False
    updates: deque[dict[str, Any]] = field(default_factory=deque)
    url: str = ""
    _runner: web.AppRunner | None = None
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _update: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self.close()

    async def start(self, port: int = 0) -> None:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", self._telegram)
        app.router.add_post("/services/{secret}", self._slack)
        app.router.add_post("/api/webhooks/{id}/{secret}", self._discord)
        app.router.add_get("/beat", self._beat)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def texts(self) -> list[str]:
        """What was said, in order."""
        return [one.text for one in self.taken]

    def of(self, service: str) -> list[Taken]:
        """List what one service took."""
        return [one for one in self.taken if one.service == service]

    def type_in(
        self, text: str, *, chat: int = 7, user: int = 7, name: str = "Ann", ago_s: float = 0.0
    ) -> None:
        """Have a person write to the Telegram bot, perhaps some time ago."""
        message = {
            "message_id": next(self._ids),
            "from": {"id": user, "is_bot": False, "first_name": name},
            "chat": {"id": chat, "type": "private" if chat > 0 else "group"},
            "date": int(time.time() - ago_s),
            "text": text,
        }
        self._put({"message": message})

    def press(self, data: str, *, chat: int = 7, user: int = 7, name: str = "Ann") -> None:
        """Have a person press a button below a message of the bot."""
        query = {
            "id": str(next(self._ids)),
            "from": {"id": user, "is_bot": False, "first_name": name},
            "message": {"message_id": next(self._ids), "chat": {"id": chat}, "text": "shown"},
            "data": data,
        }
        self._put({"callback_query": query})

    def _put(self, update: dict[str, Any]) -> None:
        self.updates.append({"update_id": next(self._ids) + 1000, **update})
        self._update.set()

    async def _trouble(self) -> tuple[int, float]:
        self.attempts += 1
        if self.hang_s:
            await asyncio.sleep(self.hang_s)
        if self.is_down:
            return 503, 0.0
        return self.answers.popleft() if self.answers else (200, 0.0)

    def _take(self, service: str, text: str, body: dict[str, Any]) -> None:
        self.taken.append(Taken(service, text, body, time.monotonic()))

    async def _telegram(self, request: web.Request) -> web.Response:
        method, body = request.match_info["method"], await request.json()
        self.calls.append((method, body))
        if request.match_info["token"] != TOKEN:
            return _not_ok(401, "Unauthorized")
        if method == "getUpdates":
            return await self._get_updates(body)
        if method == "sendMessage":
            return await self._send_message(body)
        return web.json_response({"ok": True, "result": True})

    async def _send_message(self, body: dict[str, Any]) -> web.Response:
        status, wait_s = await self._trouble()
        if status == 429:
            extra = {"parameters": {"retry_after": wait_s}}
            return _not_ok(429, f"Too Many Requests: retry after {wait_s:g}", **extra)
        if status >= 300:
            return _not_ok(status, "Internal Server Error")
        text = body.get("text", "")
        if not text or len(text) > 4096:
            return _not_ok(400, "Bad Request: message is too long" if text else "Bad Request")
        if not _parses(text, body.get("parse_mode", "")):
            return _not_ok(400, "Bad Request: can't parse entities")
        self._take("telegram", text, body)
        result = {"message_id": next(self._ids), "chat": {"id": body["chat_id"]}}
        return web.json_response({"ok": True, "result": result})

    async def _get_updates(self, body: dict[str, Any]) -> web.Response:
        offset = body.get("offset", 0)
        while self.updates and self.updates[0]["update_id"] < offset:
            self.updates.popleft()
        if not self.updates:
            self._update.clear()
            try:
                await asyncio.wait_for(self._update.wait(), min(1.0, body.get("timeout", 0)))
            except TimeoutError:
                return web.json_response({"ok": True, "result": []})
        return web.json_response({"ok": True, "result": list(self.updates)})

    async def _slack(self, request: web.Request) -> web.Response:
        body = await request.json()
        status, wait_s = await self._trouble()
        if status == 429:
            return web.Response(
                status=429, text="rate_limited", headers={"Retry-After": f"{wait_s:g}"}
            )
        if status >= 300:
            return web.Response(status=status, text="no_service")
        self._take("slack", body["text"], body)
        return web.Response(text="ok")

    async def _discord(self, request: web.Request) -> web.Response:
        body = await request.json()
        status, wait_s = await self._trouble()
        if status == 429:
            answer = {"message": "You are being rate limited.", "retry_after": wait_s}
            return web.json_response({**answer, "global": False}, status=429)
        if status >= 300:
            return web.json_response({"message": "no"}, status=status)
        if not body["content"] or len(body["content"]) > 2000:
            return web.json_response({"content": ["Must be 2000 or fewer in length."]}, status=400)
        self._take("discord", body["content"], body)
        return web.json_response({"id": str(next(self._ids))})

    async def _beat(self, _request: web.Request) -> web.Response:
        if self.is_down:
            return web.Response(status=503)
        self.beats += 1
        return web.Response(text="OK")


def _not_ok(status: int, description: str, **extra: Any) -> web.Response:
    answer = {"ok": False, "error_code": status, "description": description, **extra}
    return web.json_response(answer, status=status)


def _parses(text: str, mode: str) -> bool:
    """Judge markup as strictly as Telegram: tags must be known and closed, marks be escaped."""
    if mode == "HTML":
        stripped = re.sub(r"&(lt|gt|amp|quot);", "", _HTML.sub("", text))
        tags = [(bool(close), name) for close, name in _HTML.findall(text)]
        is_paired = [n for c, n in tags if not c] == [n for c, n in tags if c]
        return is_paired and "<" not in stripped and "&" not in stripped
    if mode == "MarkdownV2":
        marks = [mark for mark in _MARKDOWN.findall(text) if not mark.startswith("\\")]
        return set(marks) <= {"*"} and len(marks) % 2 == 0
    return True
