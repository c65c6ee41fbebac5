"""Candles of one price in one timeframe, as a client sees them: shifted, filled, encoded.

Decides which stored series make a candle, fills holes as Freqtrade does, keeps encoded blocks
within a bound of memory, and cuts the bytes of a request out of them. Refuses to know HTTP and
the exchange's parameters. Called by `rest`; the moving candle comes from `tape`.

Times at the surface are served times; the market's own time lies `shift_ms` behind.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from automation.simulator import kline
from automation.simulator.candles import (
    CLOSE,
    Candles,
    Floats,
    aggregate,
    fill_holes,
    missing,
    moved_by_ratio,
)
from automation.simulator.market import Instrument, Market, PriceKind, Stored
from automation.simulator.path import split
from automation.simulator.timeframes import LENGTHS_MS, Ints, Timeframe, timeframe

_SOURCE_ROWS = 65_536  # source rows that one block may need, so that no request waits for long
_MOST_ROWS, _FEWEST_ROWS = 1024, 32
_CACHE_BYTES = 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Encoded rows: `text` holds `,[…]` per row, row i in text[ends[i]:ends[i+1]]."""

    text: bytes
    ends: list[int]


class BlockCache:
    """The blocks encoded last, over all charts, within a bound of memory."""

    def __init__(self, most_bytes: int = _CACHE_BYTES) -> None:
        """Keep at most `most_bytes` of encoded rows."""
        self._most_bytes, self._bytes = most_bytes, 0
        self._blocks: OrderedDict[tuple[object, int], Block] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """Bytes of encoded rows that are kept now."""
        return self._bytes

    def clear(self) -> None:
        """Forget every block."""
        self._blocks.clear()
        self._bytes = 0

    def get(self, chart: "Chart", number: int) -> Block:
        """Find a block or have it made."""
        key = (chart.key, number)
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
            return block
        block = self._blocks[key] = chart.encode_block(number)
        self._bytes += len(block.text)
        while self._bytes > self._most_bytes and len(self._blocks) > 1:
            self._bytes -= len(self._blocks.popitem(last=False)[1].text)
        return block


class Chart:
    """All closed candles of one symbol, price and timeframe, numbered by the timeframe."""

    def __init__(
        self,
        market: Market,
        instrument: Instrument,
        kind: kline.Kind,
        frame: Timeframe,
        shift_ms: int = 0,
        *,
        interpolates: bool = False,
        cache: BlockCache | None = None,
    ) -> None:
        """`interpolates` cuts longer candles where the data has none as short as asked for."""
        self.key = (instrument.symbol, kind, frame.name)
        self.frame, self.shift_ms = frame, shift_ms
        self._market, self._instrument, self._kind = market, instrument, kind
        self._interpolates = interpolates
        self._cache = cache or BlockCache()
        self.moving: tuple[int, bytes] | None = None
        """The candle being made, as last encoded, with its instant."""

    def renew(self) -> None:
        """Look the market's series up again."""
        self.moving = None
        for name in ("_trade_series", "_longer_series", "bounds", "_block_rows"):
            self.__dict__.pop(name, None)

    @cached_property
    def _trade_series(self) -> list[Stored]:
        return self._usable("trade")

    def _usable(self, kind: PriceKind) -> list[Stored]:
        symbol = self._instrument.symbol
        found = self._market.stored(symbol, kind, self.frame)
        return [series for series in found if series.timeframe.fits(self.shift_ms)]

    @cached_property
    def _longer_series(self) -> list[Stored]:
        """Series to cut where nothing shorter is there, the shortest first."""
        if not self._interpolates:
            return []
        symbol, found = self._instrument.symbol, []
        for name in LENGTHS_MS:
            other = timeframe(name)
            if other.length_ms > self.frame.length_ms and other.is_made_of(self.frame):
                stored = self._market.stored(symbol, "trade", other)
                found += [s for s in stored if s.timeframe == other and other.fits(self.shift_ms)]
        return found

    @cached_property
    def bounds(self) -> tuple[int, int | None]:
        """Numbers of the first candle and of the one after the last; None if there is no last."""
        series = [*self._trade_series, *self._longer_series]
        if self._kind == "mark":
            series += self._usable("mark")
        if not series:
            return 0, 0
        first = min(s.first_ms for s in series) + self.shift_ms
        ends = [s.end_ms for s in series]
        last = None if None in ends else max(end for end in ends if end is not None)
        stop = None if last is None else self.frame.number(last + self.shift_ms - 1) + 1
        return self.frame.number(first), stop

    def values(self, first: int, stop: int) -> Floats:
        """Compute the candles `first` to `stop` - 1, holes filled; shape (stop - first, 5)."""
        edges = self.frame.opens(first, stop + 1) - self.shift_ms
        if self._kind == "trade":
            return self._traded(edges)
        if self._kind == "premium":
            return self._premium(edges)
        return self._beside(self._kind, edges)

    def _traded(self, edges: Ints) -> Floats:
        out = self._merge("trade", edges, self._trade_series)
        if self._longer_series and np.isnan(out[:, CLOSE]).any():
            _fill(out, self._cut(edges))
        if np.isnan(out[:, CLOSE]).any():
            fill_holes(out, self._close_before("trade", int(edges[0])))
        return out

    def _merge(self, kind: PriceKind, edges: Ints, series: Sequence[Stored]) -> Floats:
        out = missing(len(edges) - 1)
        for whole in (True, False):  # candles that a series covers in part are the last resort
            self._add(out, kind, edges, series, whole=whole)
        return out

    def _add(
        self, out: Floats, kind: PriceKind, edges: Ints, series: Sequence[Stored], *, whole: bool
    ) -> None:
        for stored in series:
            holes = np.flatnonzero(np.isnan(out[:, CLOSE]))
            if not len(holes):
                return
            _fill(out, self._part(kind, stored, edges, holes, whole=whole))

    def _part(
        self, kind: PriceKind, stored: Stored, edges: Ints, holes: Ints, *, whole: bool
    ) -> Floats:
        start, end = int(edges[holes[0]]), int(edges[holes[-1] + 1])
        last = end if stored.end_ms is None else stored.end_ms
        out = missing(len(edges) - 1)
        if start >= last or end <= stored.first_ms:
            return out
        symbol = self._instrument.symbol
        rows = self._market.read(symbol, kind, stored.timeframe, start, end)
        window = slice(int(holes[0]), int(holes[-1]) + 1)
        out[window] = aggregate(rows, edges[window.start : window.stop + 1])
        if whole:
            out[(edges[:-1] < stored.first_ms) | (edges[1:] > last)] = np.nan
        if whole and kind != "trade":  # a mark file may hold one row of eight hours in eight
            counts = np.diff(np.searchsorted(rows.open_ms, edges))
            out[counts * stored.timeframe.length_ms < np.diff(edges)] = np.nan
        return out

    def _cut(self, edges: Ints) -> Floats:
        rules = self._instrument.rules
        out = missing(len(edges) - 1)
        for stored in self._longer_series:
            frame = stored.timeframe
            lows = frame.number(int(edges[0]))
            highs = frame.number(int(edges[-1]) - 1) + 1
            opens = frame.opens(lows, highs + 1)
            rows = self._market.read(
                self._instrument.symbol, "trade", frame, int(opens[0]), int(opens[-1])
            )
            parts = frame.length_ms // self.frame.length_ms
            pieces = split(rows.values, parts, rules.tick_decimals, rules.quantity_precision)
            steps = np.arange(parts) * self.frame.length_ms
            times = (rows.open_ms[:, None] + steps).ravel()
            _fill(out, aggregate(Candles(times, pieces), edges))
        return out

    def _close_before(self, kind: PriceKind, at_ms: int) -> float:
        """Close of the last candle that any series has before an instant; NaN if none has."""
        best_ms, close = -1, float("nan")
        for stored in self._usable(kind):
            if stored.first_ms >= at_ms:
                continue
            reach = stored.timeframe.length_ms
            while True:
                start = max(at_ms - reach, stored.first_ms)
                rows = self._market.read(
                    self._instrument.symbol, kind, stored.timeframe, start, at_ms
                )
                if len(rows) or start == stored.first_ms:
                    break
                reach *= 8
            if len(rows) and rows.open_ms[-1] > best_ms:
                best_ms, close = int(rows.open_ms[-1]), float(rows.values[-1, CLOSE])
        return close

    def _beside(self, kind: PriceKind, edges: Ints) -> Floats:
        """Mark or index candles: stored ones, else traded ones moved by the known ratio."""
        out, series = missing(len(edges) - 1), self._usable(kind)
        self._add(out, kind, edges, series, whole=True)
        if np.isnan(out[:, CLOSE]).any():
            ratio = self._market.ratio(self._instrument.symbol, kind, edges)
            _fill(out, moved_by_ratio(self._traded(edges), ratio[:-1], ratio[1:]))
        self._add(out, kind, edges, series, whole=False)
        if np.isnan(out[:, CLOSE]).any():
            fill_holes(out, self._close_before(kind, int(edges[0])))
        return out

    def _premium(self, edges: Ints) -> Floats:
        symbol = self._instrument.symbol
        mark = self._market.ratio(symbol, "mark", edges)
        premium = np.round(mark / self._market.ratio(symbol, "index", edges) - 1, 8)
        begin, end = premium[:-1], premium[1:]
        flat = np.zeros(len(begin))
        top, bottom = np.maximum(begin, end), np.minimum(begin, end)
        return np.column_stack((begin, top, bottom, end, flat))

    @cached_property
    def _block_rows(self) -> int:
        lengths = [s.timeframe.length_ms for s in self._trade_series] or [self.frame.length_ms]
        per_row = self.frame.length_ms // min(lengths)
        return min(max(_SOURCE_ROWS // max(per_row, 1), _FEWEST_ROWS), _MOST_ROWS)

    def encode_block(self, number: int) -> Block:
        """Compute and encode block `number`; rows before the first candle are left out."""
        first, stop = self._block_span(number)
        values = self.values(first, stop)
        opens = self.frame.opens(first, stop + 1)
        text, ends = kline.encode(self._kind, self._instrument.rules, opens, values)
        return Block(text, ends.tolist())

    def _block_span(self, number: int) -> tuple[int, int]:
        first, stop = self.bounds
        low = max(number * self._block_rows, first)
        high = (number + 1) * self._block_rows
        return low, high if stop is None else min(high, stop)

    def encoded(self, first: int, stop: int) -> list[bytes]:
        """Bytes of the closed candles `first` to `stop` - 1, each row as `,[…]`."""
        pieces, rows = [], self._block_rows
        while first < stop:
            number = first // rows
            block = self._cache.get(self, number)
            start, _ = self._block_span(number)
            upto = min(stop, (number + 1) * rows)
            pieces.append(block.text[block.ends[first - start] : block.ends[upto - start]])
            first = upto
        return pieces


def _fill(out: Floats, more: Floats) -> None:
    """Copy rows from `more` to where `out` has none."""
    holes = np.isnan(out[:, CLOSE])
    out[holes] = more[holes]
