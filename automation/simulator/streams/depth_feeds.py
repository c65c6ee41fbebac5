"""The book as it is told over time: whole top levels, or every level that changed.

Decides which levels changed between two instants and the numbers U, u and pu that join updates
without a gap. Numbers are instants of the market (ms), as `lastUpdateId` of the REST snapshot is,
so the documented procedure rebuilds the book from a snapshot of any instant. Refuses to know
connections. Called by `feeds`.
"""

import numpy as np
import orjson

from automation.simulator.book import levels, printed
from automation.simulator.ladder import Ladder, ladder
from automation.simulator.streams.names import Wanted
from automation.simulator.tape import Tape
from automation.simulator.timeframes import Ints

_STEP_MS = 100  # the market's own step: between two of them no snapshot differs
_MOST_STEPS = 50  # a longer pause is told as a book that changed throughout


class PartialDepth:
    """The best levels of one symbol, whole, at a fixed pace."""

    def __init__(self, tape: Tape, wanted: Wanted, shift_ms: int, start_ms: int) -> None:
        """Start anywhere: the levels of each message stand for themselves."""
        self._tape, self._wanted, self._shift_ms = tape, wanted, shift_ms
        self._told_ms = start_ms

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell the levels if their time has come."""
        if last_ms // self._wanted.every_ms == now_ms // self._wanted.every_ms:
            return []
        found = levels(self._tape, now_ms, self._wanted.levels)
        numbers = (self._told_ms + 1, now_ms, self._told_ms)
        self._told_ms = now_ms
        return [_update(self._tape, numbers, self._shift_ms, (found.bids, found.asks))]


class DiffDepth:
    """Every level of one symbol that changed, at a fixed pace, without a gap."""

    def __init__(self, tape: Tape, wanted: Wanted, shift_ms: int, start_ms: int) -> None:
        """Begin with the book at `start_ms`; the first update joins it."""
        self._tape, self._every_ms, self._shift_ms = tape, wanted.every_ms, shift_ms
        self._book, self._told_ms = ladder(tape, start_ms), start_ms
        self._bids: set[int] = set()
        self._asks: set[int] = set()

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Collect what changed, and tell it if its time has come."""
        if now_ms - last_ms > _MOST_STEPS * _STEP_MS:
            self._bids.update(_ticks(self._book)[0].tolist())
            self._asks.update(_ticks(self._book)[1].tolist())
            last_ms = now_ms - _STEP_MS
        for at_ms in range(last_ms + _STEP_MS, now_ms + 1, _STEP_MS):
            self._walk(ladder(self._tape, at_ms))
        if self._told_ms // self._every_ms == now_ms // self._every_ms:
            return []
        return [self._tell(now_ms)]

    def _walk(self, book: Ladder) -> None:
        before, self._book = self._book, book
        self._bids.update(_changed(before.bid, before.bids, book.bid, book.bids).tolist())
        asks = _changed(-before.ask, before.asks, -book.ask, book.asks)
        self._asks.update((-asks).tolist())

    def _tell(self, now_ms: int) -> bytes:
        book, rules = self._book, self._tape.instrument.rules
        bids, asks = sorted(self._bids), sorted(self._asks)
        sides = (
            printed(rules, bids, [_at(book.bids, book.bid - tick) for tick in bids]),
            printed(rules, asks, [_at(book.asks, tick - book.ask) for tick in asks]),
        )
        numbers = (self._told_ms + 1, now_ms, self._told_ms)
        self._told_ms = now_ms
        self._bids.clear()
        self._asks.clear()
        return _update(self._tape, numbers, self._shift_ms, sides)


def _ticks(book: Ladder) -> tuple[Ints, Ints]:
    return (
        book.bid - np.arange(len(book.bids), dtype=np.int64),
        book.ask + np.arange(len(book.asks), dtype=np.int64),
    )


def _at(side: Ints, place: int) -> int:
    """Quantity at a distance from the touch; 0 where there is no level."""
    return int(side[place]) if 0 <= place < len(side) else 0


def _changed(best: int, sizes: Ints, new_best: int, new_sizes: Ints) -> Ints:
    """Ticks whose quantity differs; both sides count downwards from their best."""
    top = max(best, new_best)
    bottom = min(best - len(sizes), new_best - len(new_sizes))
    if top - bottom > 2 * (len(sizes) + len(new_sizes)):  # far apart: all of both
        old = best - np.arange(len(sizes), dtype=np.int64)
        new = new_best - np.arange(len(new_sizes), dtype=np.int64)
        return np.concatenate((old, new))
    before, after = np.zeros((2, top - bottom), np.int64)
    before[top - best : top - best + len(sizes)] = sizes
    after[top - new_best : top - new_best + len(new_sizes)] = new_sizes
    places: Ints = np.flatnonzero(before != after)
    return top - places


def _update(
    tape: Tape,
    numbers: tuple[int, int, int],
    shift_ms: int,
    sides: tuple[list[tuple[str, str]], list[tuple[str, str]]],
) -> bytes:
    first, last, before = numbers
    at_ms = last + shift_ms
    return orjson.dumps(
        {
            "e": "depthUpdate",
            "E": at_ms,
            "T": at_ms,
            "s": tape.instrument.symbol,
            "U": first,
            "u": last,
            "pu": before,
            "b": sides[0],
            "a": sides[1],
        }
    )
