"""A recording of an exchange's own streams: every message, the trades and the book in it.

Decides how a recording is read (gzip or plain text; per line when it was received in ns and the
message; a depth snapshot stands without a stream's name) and what the book was at an instant, by
Binance's documented procedure. Refuses to know candles and connections. Called by
`recorded_market`, `book` and the streams.

Instants are the exchange's event times (ms), never going back in the order of the recording.
"""

import gzip
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from automation.core.errors import ConfigError

_CURE = 'give a recording: lines of `<ns> {"stream":…,"data":…}`, plain or gzipped'
Rows = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded message of a stream: its place in the recording, when, and its text."""

    number: int
    at_ms: int
    stream: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class RecordedTrade:
    """One recorded trade."""

    number: int
    at_ms: int
    price: str
    quantity: str
    buyer_is_maker: bool


class Recording:
    """All messages of one symbol, in the order in which they were received."""

    def __init__(self, path: str | Path) -> None:
        """Read a recording; ConfigError where it is none."""
        self.path = Path(path)
        self.messages: list[Recorded] = []
        self.trades: list[RecordedTrade] = []
        self._snapshots: list[tuple[int, dict[str, Any]]] = []
        self._updates: list[tuple[int, dict[str, Any]]] = []
        self._read()
        if not self.trades:
            raise ConfigError("the recording has no trades", where=str(path), cure=_CURE)
        self.symbol = self.messages[0].stream.partition("@")[0].upper()
        self._trade_times = [trade.at_ms for trade in self.trades]
        self._book: RecordedBook | None = None

    def _read(self) -> None:
        opened = gzip.open if self.path.suffix == ".gz" else open
        at_ms = 0
        try:
            with opened(self.path, "rb") as lines:
                for number, line in enumerate(lines):
                    text = line.partition(b" ")[2].strip()
                    body = orjson.loads(text)
                    data = body.get("data", body)
                    at_ms = max(at_ms, int(data["E"]))
                    self._sort(number, at_ms, body, text)
        except (OSError, EOFError, orjson.JSONDecodeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"cannot be read as a recording ({error})", where=str(self.path), cure=_CURE
            ) from None

    def _sort(self, number: int, at_ms: int, body: dict[str, Any], text: bytes) -> None:
        if "stream" not in body:
            self._snapshots.append((at_ms, body))
            return
        data = body["data"]
        payload = text[text.index(b'"data":') + 7 : -1]
        self.messages.append(Recorded(number, at_ms, body["stream"], payload))
        if data["e"] == "depthUpdate":
            self._updates.append((at_ms, data))
        elif data["e"] == "trade":
            self.trades.append(RecordedTrade(data["t"], data["T"], data["p"], data["q"], data["m"]))

    @property
    def first_ms(self) -> int:
        """When the first message was sent."""
        return self.messages[0].at_ms

    @property
    def last_ms(self) -> int:
        """When the last message was sent."""
        return self.messages[-1].at_ms

    def trades_between(self, start_ms: int, end_ms: int) -> list[RecordedTrade]:
        """Trades in [start_ms, end_ms], oldest first."""
        low = bisect_right(self._trade_times, start_ms - 1)
        return self.trades[low : bisect_right(self._trade_times, end_ms)]

    def trades_until(self, at_ms: int, count: int) -> list[RecordedTrade]:
        """The last `count` trades up to an instant, oldest first."""
        high = bisect_right(self._trade_times, at_ms)
        return self.trades[max(high - count, 0) : high]

    def trades_numbered(self, number: int, at_ms: int, count: int) -> list[RecordedTrade]:
        """At most `count` trades from a number on, up to an instant."""
        low = max(number - self.trades[0].number, 0)
        high = bisect_right(self._trade_times, at_ms)
        return self.trades[low : min(low + count, high)]

    def levels(self, at_ms: int, limit: int) -> tuple[int, Rows, Rows]:
        """Show the book at an instant: number of its last update, bids and asks, best first.

        Before the recorded snapshot it is the snapshot; without one it is empty.
        """
        if self._book is None or at_ms < self._book.at_ms:
            self._book = RecordedBook(self._snapshots, self._updates)
        self._book.advance(at_ms)
        return self._book.levels(limit)


class RecordedBook:
    """The recorded book as it moves forward."""

    def __init__(
        self, snapshots: list[tuple[int, dict[str, Any]]], updates: list[tuple[int, dict[str, Any]]]
    ) -> None:
        """Begin with the first snapshot."""
        self.at_ms, self._updates, self._next = 0, updates, 0
        self._last, self._bids, self._asks = 0, dict[str, str](), dict[str, str]()
        if snapshots:
            snapshot = snapshots[0][1]
            self._last = snapshot["lastUpdateId"]
            self._bids, self._asks = dict(snapshot["bids"]), dict(snapshot["asks"])
        while self._next < len(updates) and updates[self._next][1]["u"] < self._last:
            self._next += 1  # told before the snapshot

    def advance(self, at_ms: int) -> None:
        """Apply what was told up to an instant."""
        self.at_ms = at_ms
        while self._next < len(self._updates) and self._updates[self._next][0] <= at_ms:
            update = self._updates[self._next][1]
            _apply(self._bids, update["b"])
            _apply(self._asks, update["a"])
            self._last, self._next = update["u"], self._next + 1

    def levels(self, limit: int) -> tuple[int, Rows, Rows]:
        """Show the best levels of both sides and the number of the last update."""
        bids = sorted(self._bids.items(), key=_price, reverse=True)[:limit]
        return self._last, bids, sorted(self._asks.items(), key=_price)[:limit]


def _price(level: tuple[str, str]) -> float:
    return float(level[0])


def _apply(side: dict[str, str], changes: list[list[str]]) -> None:
    for price, quantity in changes:
        if float(quantity):
            side[price] = quantity
        else:
            side.pop(price, None)
