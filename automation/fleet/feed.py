"""Listens to what a bot says through Freqtrade's message websocket.

Decides when a connection is taken for dead (no answer to a ping), when the next is tried, and that
each new one asks for a look at the bot, for what was said meanwhile is lost. Refuses to know what
messages mean (`hearing`). The poll of the REST API goes on beside it and sees what a gap hid.
One feed for one bot's process; run by `observe`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import orjson
import structlog

from automation.fleet.credentials import ApiAccess

TOPICS = (
    "status", "warning", "exception", "startup",
    "entry", "entry_fill", "entry_cancel", "exit", "exit_fill", "exit_cancel",
    "protection_trigger", "protection_trigger_global", "liquidation_warning", "strategy_msg",
)  # fmt: skip
"""What is subscribed to: all that Freqtrade says but candles and pair lists."""

PING_S = 10.0
"""A connection that does not answer a ping within half of this is given up."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
LARGEST_MESSAGE_BYTES = 1_000_000

Hear = Callable[[Mapping[str, Any]], None]


class MessageFeed:
    """One bot's messages, for as long as it lives."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        access: ApiAccess,
        hear: Hear,
        connected: Callable[[], None],
        *,
        ping_s: float = PING_S,
    ) -> None:
        """Give each message to `hear`; call `connected` when messages can be heard from now on."""
        self._session, self._access = session, access
        self._hear, self._connected, self._ping_s = hear, connected, ping_s
        self.is_open = False
        self.connections = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            before = self.connections
            try:
                await self._listen()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                structlog.get_logger("fleet").debug("no messages", reason=_brief(error))
            finally:
                self.is_open = False
            was_open = self.connections > before
            pause_s = FIRST_PAUSE_S if was_open else min(LONGEST_PAUSE_S, pause_s * 2)
            await asyncio.sleep(pause_s)

    async def _listen(self) -> None:
        url = f"{self._access.url}/api/v1/message/ws"
        async with self._session.ws_connect(
            url,
            params={"token": self._access.ws_token},
            heartbeat=self._ping_s,
            timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            max_msg_size=LARGEST_MESSAGE_BYTES,
        ) as socket:
            await socket.send_json({"type": "subscribe", "data": list(TOPICS)})
            await self._until_subscribed(socket)
            self.is_open, self.connections = True, self.connections + 1
            self._connected()
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)

    async def _until_subscribed(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        # Freqtrade does not answer a subscription, but it answers what is asked after it, in order.
        await socket.send_json({"type": "whitelist", "data": None})
        async with asyncio.timeout(self._ping_s):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and self._take(message.data):
                    return
        raise aiohttp.ClientConnectionError("the bot closed the connection")

    def _take(self, text: str) -> bool:
        """Hear one message; True when it is the answer about the whitelist."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(message, dict):
            return False
        if message.get("type") == "whitelist":
            return True
        self._hear(message)
        return False


def _brief(error: BaseException) -> str:
    # Not str(error): it names the address, and that the token.
    status = getattr(error, "status", None)
    return f"{type(error).__name__}{f' {status}' if status else ''}"
