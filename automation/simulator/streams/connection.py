"""One client of the stream server: what it listens to and what waits to be sent to it.

Decides how messages reach the wire: gathered, then written at once, never waited for. A client
that reads too slowly is cut off, so that it never holds up another. Refuses to know what messages
say. Called by `hub` and `endpoint`.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from automation.simulator.streams.messages import Message, frame
from automation.simulator.streams.rules import StreamRules


class Outgoing(Protocol):
    """What becomes of a message on its way to one client: the door for faults."""

    def __call__(
        self, message: Message, connection: "Connection"
    ) -> Iterable[tuple[float, Message]]:
        """Give the messages to send instead, each with its delay in seconds (0: now)."""
        ...


class Connection:
    """A client; `number` counts connections from 1 and is the same in a repeated run."""

    def __init__(self, number: int, transport: asyncio.WriteTransport, rules: StreamRules) -> None:
        """Begin without subscriptions, with plain messages."""
        self.number = number
        self.is_combined = False
        self.account: str | None = None
        """Whose user data it gets."""
        self.listen_key = ""
        self.ponged_s = 0.0
        """When it last answered a ping, in loop time."""
        self._transport, self._rules = transport, rules
        self._streams: dict[str, None] = {}
        self._waiting: list[bytes] = []
        self._tokens, self._tokens_at_s = float(rules.request_burst), 0.0

    @property
    def streams(self) -> Iterable[str]:
        """Names it is subscribed to, in order."""
        return self._streams

    @property
    def stream_count(self) -> int:
        """How many names it is subscribed to."""
        return len(self._streams)

    def add_stream(self, name: str) -> None:
        """Note a subscription."""
        self._streams[name] = None

    def drop_stream(self, name: str) -> None:
        """Forget a subscription."""
        self._streams.pop(name, None)

    def put(self, message: Message) -> None:
        """Add a message to what `flush` will write."""
        self._waiting.append(message.combined if self.is_combined else message.plain)

    def reply(self, payload: bytes) -> None:
        """Answer a request, after everything that was put before."""
        self._waiting.append(frame(payload))
        self.flush()

    def flush(self) -> None:
        """Write what was put, in one piece; cut off a client that does not read."""
        if not self._waiting:
            return
        unsent = self._transport.get_write_buffer_size()
        data = b"".join(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
        self._waiting.clear()
        if unsent > self._rules.most_unsent_bytes:
            self.cut()
        elif not self._transport.is_closing():
            self._transport.write(data)

    @property
    def lags(self) -> bool:
        """Whether the client has left a quarter of what it may leave unread."""
        unsent = self._transport.get_write_buffer_size()
        return unsent * 4 > self._rules.most_unsent_bytes and not self._transport.is_closing()

    def cut(self) -> None:
        """End the connection at once, without a closing handshake."""
        self._transport.abort()

    def may_ask(self, now_s: float) -> bool:
        """Count one incoming message; false where there were too many."""
        gained = (now_s - self._tokens_at_s) * self._rules.requests_per_s
        self._tokens = min(self._tokens + gained, float(self._rules.request_burst)) - 1
        self._tokens_at_s = now_s
        return self._tokens >= 0
