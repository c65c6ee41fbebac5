"""The moving present of one symbol: last price, the candle being made, the last 24 hours.

Decides what is known at an instant and what is not yet, always from the finest series that covers
it. Refuses to know encoding and HTTP. Called by `rest` and `quotes`; all times are the market's.
"""

from operator import itemgetter

import numpy as np

from automation.simulator.candles import (
    CLOSE,
    Candles,
    Floats,
    aggregate,
    moved_by_ratio,
    no_candles,
)
from automation.simulator.market import Instrument, Market, PriceKind, Stored
from automation.simulator.path import part, price_along, turning_points
from automation.simulator.timeframes import DAY_MS, MINUTE_MS, timeframe

_PARTS_KEPT = 64
_PAST_MS = (DAY_MS, 30 * DAY_MS, 3000 * DAY_MS)


class Tape:
    """Prices of one symbol up to an instant, and nothing after it."""

    def __init__(self, market: Market, instrument: Instrument) -> None:
        """Find the series that a path can be drawn from."""
        self._market, self.instrument = market, instrument
        self._series = self._find_series()
        self._closed: dict[tuple[int, int], Floats] = {}
        self._last_close: tuple[int, float] = (-1, float("nan"))
        self._price: tuple[int, float] = (-1, float("nan"))
        self._minute = -1
        self._points: Floats | None = None
        self._minutes_bar: tuple[Stored, int, Floats] | None = None
        self.depth_factor, self.spread_factor = 1.0, 1.0
        """What faults do to the book: sizes and spread are multiplied by these."""

    def _find_series(self) -> list[Stored]:
        found = self._market.stored(self.instrument.symbol, "trade", timeframe("1d"))
        return sorted(found, key=lambda s: s.timeframe.length_ms)

    def renew(self) -> None:
        """Look the market's series up again: prices that are still to come have changed."""
        self._series, self._minute = self._find_series(), -1
        self._closed.clear()
        self._price = self._last_close = (-1, float("nan"))

    def _covering(self, at_ms: int) -> list[Stored]:
        """Series that run at an instant, the finest first."""
        return [s for s in self._series if s.first_ms <= at_ms and _before(at_ms, s.end_ms)]

    def _bar(self, at_ms: int) -> tuple[Stored, int, Floats] | None:
        """The finest candle that holds an instant: series, opening instant, values.

        It is the same for a whole minute, the shortest candle there is.
        """
        minute = at_ms // MINUTE_MS
        if self._minute != minute:
            self._minute, self._minutes_bar = minute, self._find_bar(at_ms)
            bar = self._minutes_bar
            self._points = None if bar is None else turning_points(bar[2][None, :])[0]
        return self._minutes_bar

    def _find_bar(self, at_ms: int) -> tuple[Stored, int, Floats] | None:
        for series in self._covering(at_ms):
            frame = series.timeframe
            start = frame.open_ms(frame.number(at_ms))
            rows = self._read(series, start, start + 1)
            if len(rows):
                return series, start, rows.values[0]
        return None

    def _read(self, series: Stored, start_ms: int, end_ms: int) -> Candles:
        symbol = self.instrument.symbol
        return self._market.read(symbol, "trade", series.timeframe, start_ms, end_ms)

    def price(self, at_ms: int) -> float:
        """Last traded price at an instant; NaN before the first trade."""
        if self._price[0] != at_ms:
            self._price = (at_ms, self._compute_price(at_ms))
        return self._price[1]

    def _compute_price(self, at_ms: int) -> float:
        bar = self._bar(at_ms)
        if bar is None:
            return self._close_before(at_ms)
        series, start, _ = bar
        fraction = (at_ms - start) / series.timeframe.length_ms
        assert self._points is not None  # kept with the bar
        return price_along(self._points, fraction, self.instrument.rules.tick_decimals)

    def _close_before(self, at_ms: int) -> float:
        """Close of the last candle before an instant that no candle holds; NaN if there is none."""
        end_ms = self.instrument.end_ms
        until = at_ms if end_ms is None else min(at_ms, end_ms)
        if self._last_close[0] != until:
            self._last_close = (until, self._find_close(until))
        return self._last_close[1]

    def _find_close(self, until_ms: int) -> float:
        for past_ms in _PAST_MS:
            found = [
                (int(rows.open_ms[-1]), float(rows.values[-1, CLOSE]))
                for series in self._series
                if len(rows := self._read(series, until_ms - past_ms, until_ms))
            ]
            if found:
                return max(found, key=itemgetter(0))[1]
        return float("nan")

    def moving(self, kind: PriceKind, start_ms: int, at_ms: int) -> Floats | None:
        """Values of the candle that opened at `start_ms`, as far as it is at `at_ms`; shape (5,).

        None where the data has ended or not begun.
        """
        traded = self._moving_trade(start_ms, at_ms)
        if traded is None or kind == "trade":
            return traded
        ends = np.array([start_ms, at_ms], np.int64)
        ratio = self._market.ratio(self.instrument.symbol, kind, ends)
        moved: Floats = moved_by_ratio(traded[None, :], ratio[:1], ratio[1:])[0]
        return moved

    def _moving_trade(self, start_ms: int, at_ms: int) -> Floats | None:
        running = self._covering(at_ms)
        if not running:
            return None
        series, opened, current = self._moving_bar(running[0], start_ms, at_ms)
        if opened <= start_ms:
            return current
        closed = self._closed_part(series, start_ms, opened)
        if np.isnan(closed[CLOSE]):
            return current
        both = Candles(np.array([0, 1], np.int64), np.vstack((closed, current)))
        row: Floats = aggregate(both, np.array([0, 2], np.int64))[0]
        return row

    def _moving_bar(self, finest: Stored, start_ms: int, at_ms: int) -> tuple[Stored, int, Floats]:
        """The finest candle's part after `start_ms`, up to `at_ms`, and when that candle opened."""
        bar = self._bar(at_ms)
        if bar is None:
            price = self._close_before(at_ms)
            return finest, at_ms, np.array((price, price, price, price, 0.0))
        series, opened, values = bar
        rules, length = self.instrument.rules, series.timeframe.length_ms
        begin, end = max(start_ms - opened, 0) / length, (at_ms - opened) / length
        partial = part(values, begin, end, rules.tick_decimals, rules.quantity_precision)
        return series, opened, partial

    def _closed_part(self, series: Stored, start_ms: int, end_ms: int) -> Floats:
        """Merge what has closed between two instants; NaN if nothing has."""
        key = (start_ms, end_ms)
        if key not in self._closed:
            if len(self._closed) >= _PARTS_KEPT:
                self._closed.clear()
            pieces = self._pieces(series, start_ms, end_ms)
            times = np.concatenate([piece.open_ms for piece in pieces])
            rows = Candles(times, np.concatenate([piece.values for piece in pieces]))
            self._closed[key] = aggregate(rows, np.array(key, np.int64))[0]
        return self._closed[key]

    def _pieces(self, series: Stored, start_ms: int, end_ms: int) -> list[Candles]:
        """Rows of the finest series, and of a longer one where the finest has not begun yet."""
        running = self._covering(start_ms) if series.first_ms > start_ms else []
        if not running:
            return [self._read(series, start_ms, end_ms)]
        earlier = running[0]
        frame = earlier.timeframe
        joint = frame.open_ms(frame.number(series.first_ms - 1) + 1)
        if joint > end_ms:  # the longer candle is not over: the finest has the rest alone
            joint = frame.open_ms(frame.number(series.first_ms))
        return [self._read(earlier, start_ms, joint), self._read(series, joint, end_ms)]

    def last_day(self, at_ms: int) -> Floats:
        """Values of the 24 hours up to an instant; flat at the last price where nothing traded."""
        running, row = self._covering(at_ms), None
        if running:
            frame = running[0].timeframe
            first = frame.open_ms(frame.number(at_ms - DAY_MS - 1) + 1)
            row = self._moving_trade(first, at_ms)
        if row is None:
            price = self.price(at_ms)
            row = np.array((price, price, price, price, 0.0))
        return row

    def recent(self, at_ms: int, span_ms: int) -> tuple[Candles, int]:
        """Finest closed and running candles over a span, with their length in ms."""
        running = self._covering(at_ms)
        if not running:
            return no_candles(), 1
        frame = running[0].timeframe
        first = frame.open_ms(frame.number(at_ms - span_ms))
        return self._read(running[0], first, at_ms + 1), frame.length_ms


def _before(at_ms: int, end_ms: int | None) -> bool:
    return end_ms is None or at_ms < end_ms
