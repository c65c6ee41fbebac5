"""Candles as they are made: the same numbers, in the same text, as REST gives.

Decides when a candle is told: four times a second while it moves, once more when it is closed.
Refuses to know how candles come about. Called by `feeds`.
"""

from typing import Any

import orjson

from automation.simulator.book import last_number
from automation.simulator.candle_endpoints import available, moving_candle
from automation.simulator.streams.names import Wanted
from automation.simulator.timeframes import timeframe
from automation.simulator.venue import Venue

_MOST_CLOSED = 1500  # of one pause, as many as one REST answer holds


class KlineFeed:
    """One symbol's candles of one timeframe."""

    def __init__(self, venue: Venue, symbol: str, wanted: Wanted, start_ms: int) -> None:
        """Follow the candles from the one that is being made at `start_ms`."""
        self._venue, self._symbol, self._wanted = venue, symbol, wanted
        self._frame = timeframe(wanted.interval)
        self._chart = venue.chart(symbol, "trade", self._frame)
        self._number = self._frame.number(start_ms + venue.timeline.shift_ms)
        self._told = b""

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell the candles that were closed, and the moving one if its time has come."""
        number = self._frame.number(now_ms + self._venue.timeline.shift_ms)
        found = self._closed(number, now_ms) if number > self._number else []
        if number > self._number or last_ms // self._wanted.every_ms != (
            now_ms // self._wanted.every_ms
        ):
            found += self._moving(now_ms)
        self._number = number
        return found

    def _closed(self, number: int, now_ms: int) -> list[bytes]:
        window = available(self._chart.bounds, number)
        low = max(self._number, window.first, number - _MOST_CLOSED)
        texts = (self._chart.encoded(each, each + 1) for each in range(low, window.closed))
        return [self._message(b"".join(text), now_ms, is_closed=True) for text in texts]

    def _moving(self, now_ms: int) -> list[bytes]:
        text = moving_candle(self._venue, self._chart, self._symbol, "trade", now_ms)
        if not text or text == self._told:  # nothing traded
            return []
        self._told = text
        return [self._message(text, now_ms, is_closed=False)]

    def _message(self, text: bytes, now_ms: int, *, is_closed: bool) -> bytes:
        timeline = self._venue.timeline
        row = orjson.loads(text[1:])
        tape = self._venue.tape(self._symbol)
        upto_ms = min(now_ms, row[6] - timeline.shift_ms)
        first = last_number(tape, row[0] - timeline.shift_ms)
        ids = (first, last_number(tape, upto_ms)) if row[8] else (-1, -1)
        candle = _candle(row, ids, self._wanted.interval, is_closed=is_closed)
        if self._wanted.is_continuous:
            head: dict[str, Any] = {"e": "continuous_kline", "E": now_ms + timeline.shift_ms}
            return orjson.dumps(head | {"ps": self._symbol, "ct": "PERPETUAL", "k": candle})
        at_ms = now_ms + timeline.shift_ms
        named = {"t": candle["t"], "T": candle["T"], "s": self._symbol} | candle
        return orjson.dumps({"e": "kline", "E": at_ms, "s": self._symbol, "k": named})


def _candle(row: list[Any], ids: tuple[int, int], interval: str, *, is_closed: bool) -> Any:
    return {
        "t": row[0],
        "T": row[6],
        "i": interval,
        "f": ids[0],
        "L": ids[1],
        "o": row[1],
        "c": row[4],
        "h": row[2],
        "l": row[3],
        "v": row[5],
        "n": row[8],
        "x": is_closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": row[11],
    }
