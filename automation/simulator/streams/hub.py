"""Every message of the streams, made once, to everyone who listens.

Decides who gets what and in which order: each stream is asked once per instant for what is new,
the message is encoded once and handed to all its listeners; user data goes out when the exchange
tells it. Refuses to know sockets beyond `Connection`. `endpoint` brings connections, the server
keeps `run` going, `advance()` and tests call `pump` after moving the clock.
"""

import asyncio
import heapq
from collections.abc import Iterable
from itertools import count
from operator import itemgetter

from automation.core.errors import ConfigError
from automation.simulator.streams import requests
from automation.simulator.streams.connection import Connection, Outgoing
from automation.simulator.streams.feeds import Feed, Silence, feed_for
from automation.simulator.streams.listenkeys import ListenKeys
from automation.simulator.streams.messages import Message
from automation.simulator.streams.recorded_feeds import Numbered
from automation.simulator.streams.rules import StreamRules
from automation.simulator.streams.user_messages import key_expired
from automation.simulator.venue import Venue

_STEP_MS = 100  # the market moves ten times a second


class Channel:
    """One stream with its listeners."""

    def __init__(self, name: str, feed: Feed, polled_ms: int) -> None:
        """Begin after `polled_ms` of the market's time."""
        self.name, self.feed, self.polled_ms = name, feed, polled_ms
        self.listeners: dict[Connection, None] = {}


class Hub:
    """The stream side of one exchange."""

    def __init__(
        self,
        venue: Venue,
        listen_keys: ListenKeys | None = None,
        rules: StreamRules | None = None,
    ) -> None:
        """Serve a venue's market; user data for the keys of `listen_keys`."""
        self.rules = rules or StreamRules()
        self.listen_keys = listen_keys or ListenKeys(venue.timeline.now_ms)
        self.outgoing: Outgoing | None = None
        """Where faults are put; None sends every message as it is."""
        self._venue = venue
        self._channels: dict[str, Channel] = {}
        self._connections: dict[Connection, None] = {}
        self._users: dict[str, dict[Connection, None]] = {}
        self._numbers, self._delays = count(1), count()
        self._delayed: list[tuple[int, int, Connection, Message]] = []

    @property
    def connections(self) -> list[Connection]:
        """Everyone who is connected, the oldest first."""
        return list(self._connections)

    def now_ms(self) -> int:
        """Tell served time."""
        return self._venue.timeline.now_ms()

    def connect(self, transport: asyncio.WriteTransport) -> Connection:
        """Take on a client."""
        connection = Connection(next(self._numbers), transport, self.rules)
        self._connections[connection] = None
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forget a client."""
        self.unsubscribe(connection, list(connection.streams))
        self._connections.pop(connection, None)
        for listeners in self._users.values():
            listeners.pop(connection, None)
        self._delayed = [each for each in self._delayed if each[2] is not connection]
        heapq.heapify(self._delayed)

    def ask(self, connection: Connection, text: bytes | str) -> None:
        """Answer what a client asks."""
        payload = requests.answer(
            text,
            connection,
            lambda names: self.subscribe(connection, names),
            lambda names: self.unsubscribe(connection, names),
        )
        connection.reply(payload)

    def subscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Let a client listen; a listen key among the names brings its account's user data."""
        new = dict.fromkeys(name for name in names if name not in connection.streams)
        if connection.stream_count + len(new) > self.rules.most_streams:
            raise requests.RequestRefused(
                2, f"Invalid request: more than {self.rules.most_streams} streams"
            )
        for name in new:
            connection.add_stream(name)
            account = self.listen_keys.account(name)
            if account is not None:
                self.listen(connection, name, account)
            else:
                self._channel(name).listeners[connection] = None

    def _channel(self, name: str) -> Channel:
        channel = self._channels.get(name)
        if channel is None:
            now_ms = self._venue.timeline.market_now_ms()
            feed = feed_for(self._venue, name, now_ms)
            channel = self._channels[name] = Channel(name, feed, now_ms)
        return channel

    def listen(self, connection: Connection, key: str, account: str) -> None:
        """Let a client hear an account's user data."""
        connection.account, connection.listen_key = account, key
        self._users.setdefault(account, {})[connection] = None

    def unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Let a client listen no longer."""
        for name in names:
            connection.drop_stream(name)
            channel = self._channels.get(name)
            if channel is not None:
                channel.listeners.pop(connection, None)
                if not channel.listeners:
                    del self._channels[name]
            elif name and name == connection.listen_key:
                self._users.get(connection.account or "", {}).pop(connection, None)

    def pump(self) -> None:
        """Send everything that is due by now."""
        now_ms = self._venue.timeline.market_now_ms()
        recorded: list[tuple[int, Message, Channel]] = []
        for channel in list(self._channels.values()):
            last_ms = channel.polled_ms
            if now_ms > last_ms:
                channel.polled_ms = now_ms
                for payload in _polled(channel, last_ms, now_ms):
                    message = Message(channel.name, payload)
                    if isinstance(payload, Numbered):
                        recorded.append((payload.number, message, channel))
                    else:
                        self._send(message, channel.listeners)
        for _, message, channel in sorted(recorded, key=itemgetter(0)):
            self._send(message, channel.listeners)
        self._expire_keys()
        self._release()
        for connection in list(self._connections):
            connection.flush()

    def has_listener(self, account: str) -> bool:
        """Tell whether anybody listens to an account: nothing need be written for nobody."""
        return bool(self._users.get(account))

    def tell(self, account: str, payload: bytes) -> None:
        """Send a message of user data at once to all who listen to the account."""
        for connection in list(self._users.get(account, ())):
            self._send(Message(connection.listen_key, payload), (connection,))
            connection.flush()

    def tell_public(self, names: Iterable[str], payload: bytes) -> None:
        """Send a message on public streams that the exchange itself feeds."""
        for name in names:
            channel = self._channels.get(name)
            if channel is not None:
                self._send(Message(name, payload), channel.listeners)

    def _send(self, message: Message, listeners: Iterable[Connection]) -> None:
        if self.outgoing is None:
            for connection in listeners:
                connection.put(message)
            return
        for connection in list(listeners):
            for delay_s, each in self.outgoing(message, connection):
                if delay_s <= 0:
                    connection.put(each)
                else:
                    due_ms = self.now_ms() + round(delay_s * 1000)
                    entry = (due_ms, next(self._delays), connection, each)
                    heapq.heappush(self._delayed, entry)

    def _release(self) -> None:
        now_ms = self.now_ms()
        while self._delayed and self._delayed[0][0] <= now_ms:
            _, _, connection, message = heapq.heappop(self._delayed)
            connection.put(message)

    def _expire_keys(self) -> None:
        for key, account in self.listen_keys.take_expired():
            payload = key_expired(key, self.now_ms())
            for connection in self._users.pop(account, {}):
                self._send(Message(key, payload), (connection,))

    async def run(self) -> None:
        """Send what is due, ten times a second of the served clock, until cancelled.

        Whatever ends it ends the connections too: nobody waits for streams that have stopped.
        """
        try:
            while True:
                now_ms = self.now_ms()
                due_ms = (now_ms // _STEP_MS + 1) * _STEP_MS
                if self._delayed:
                    due_ms = min(due_ms, max(self._delayed[0][0], now_ms + 1))
                await asyncio.sleep((due_ms - now_ms) / 1000)
                self.pump()
        finally:
            self.cut_all()

    async def drain(self, within_s: float = 5.0) -> None:
        """Let clients read what was sent: where a clock is moved by hand, time outruns them."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        await asyncio.sleep(0)
        while loop.time() < end_s:
            if not any(each.lags for each in self._connections):
                return
            await asyncio.sleep(0.001)

    def cut_all(self) -> None:
        """End every connection at once."""
        for connection in list(self._connections):
            connection.cut()


def _polled(channel: Channel, last_ms: int, now_ms: int) -> list[bytes]:
    """Ask a feed; a stream whose data turns out to be damaged falls silent."""
    try:
        return channel.feed.poll(last_ms, now_ms)
    except ConfigError:
        channel.feed = Silence()
        return []
