"""The market as the exchange sees it, read from the same tape that everybody is shown.

Decides how a candle becomes seconds: the path of `path` cut at whole seconds, volume flowing evenly,
the mark price at each second's end. An hour of a symbol is computed at once, so that a second in
which nothing waits costs nothing. Refuses to know orders. Called by `exchange` through `sights.Feed`.
Instants are the served time; `Venue.timeline` says how far the market lies behind it.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from automation.simulator.book import levels
from automation.simulator.candles import CLOSE, VOLUME, Floats
from automation.simulator.ladder import ladder
from automation.simulator.market import Stored
from automation.simulator.path import turning_points
from automation.simulator.recorded_market import RecordedTape
from automation.simulator.tape import Tape
from automation.simulator.timeframes import DAY_MS, HOUR_MS, Ints, timeframe
from automation.simulator.trading.shelf import Levels
from automation.simulator.trading.sights import (
    NEVER_HIGH,
    NEVER_LOW,
    Bounds,
    Depth,
    Quote,
    Second,
    Settlement,
)
from automation.simulator.trading.units import ONE, parse
from automation.simulator.venue import Venue

_SECOND_MS = 1000
_LEVELS = 100
_HOURS_KEPT = 512
_FUNDING_SPAN_MS = 4 * DAY_MS


@dataclass(frozen=True, slots=True)
class _Hour:
    """3,600 seconds of one symbol: ticks, steps and 1e-8; `low` above `high` where none traded."""

    first: Ints
    last: Ints
    low: Ints
    high: Ints
    volume: Ints
    mark: Ints


class TapeFeed:
    """Shows a venue's market to the exchange."""

    def __init__(self, venue: Venue) -> None:
        """Nothing is read before it is asked for."""
        self._venue, self._renewals = venue, venue.renewals
        self._hours: OrderedDict[tuple[str, int], _Hour] = OrderedDict()
        self._quotes: dict[str, Quote] = {}
        self._fundings: dict[str, tuple[int, int, Ints, Ints]] = {}

    def forget(self) -> None:
        """Read everything anew: for whoever changes the market while it runs."""
        self._renewals = self._venue.renewals
        self._hours.clear()
        self._quotes.clear()
        self._fundings.clear()

    def _follow(self) -> None:
        """Read anew what a change of the market has made wrong."""
        if self._renewals != self._venue.renewals:
            self.forget()

    @property
    def _shift_ms(self) -> int:
        return self._venue.timeline.shift_ms

    def quote(self, symbol: str, at_ms: int) -> Quote:
        """Last, mark and best prices; zeros before the first trade."""
        self._follow()
        known = self._quotes.get(symbol)
        if known is None or known.at_ms != at_ms:
            known = self._quotes[symbol] = self._quote(symbol, at_ms)
        return known

    def _quote(self, symbol: str, at_ms: int) -> Quote:
        market_ms, tape = at_ms - self._shift_ms, self._venue.tape(symbol)
        price = tape.price(market_ms)
        if not price > 0:
            return Quote(symbol, at_ms, 0, 0, 0, 0)
        mark = self._venue.beside(symbol, "mark", price, market_ms)
        last = round(price * 10**tape.instrument.rules.tick_decimals)
        bids, asks = _book(tape, market_ms, 1)
        bid, ask = bids[0][0] if bids else 0, asks[0][0] if asks else 0
        return Quote(symbol, at_ms, last, round(mark * ONE), bid, ask)

    def depth(self, symbol: str, at_ms: int) -> Depth:
        """The best hundred modelled levels of each side."""
        tape, market_ms = self._venue.tape(symbol), at_ms - self._shift_ms
        if not tape.price(market_ms) > 0:
            return Depth(symbol, at_ms, (), ())
        return Depth(symbol, at_ms, *_book(tape, market_ms, _LEVELS))

    def second(self, symbol: str, at_ms: int) -> Second:
        """What was traded in the second before `at_ms`; without volume where nothing was."""
        hour, place = self._at(symbol, at_ms)
        return Second(
            symbol, at_ms, int(hour.first[place]), int(hour.last[place]), int(hour.volume[place])
        )

    def mark(self, symbol: str, at_ms: int) -> int:
        """Mark price at the end of the second before `at_ms`."""
        hour, place = self._at(symbol, at_ms)
        mark = int(hour.mark[place])
        return mark if mark != 0 else self.quote(symbol, at_ms).mark

    def _at(self, symbol: str, at_ms: int) -> tuple[_Hour, int]:
        start = at_ms - _SECOND_MS
        return self._hour(symbol, start // HOUR_MS), start % HOUR_MS // _SECOND_MS

    def next_hit(self, symbol: str, from_ms: int, to_ms: int, bounds: Bounds) -> int | None:
        """First second ending in [from_ms, to_ms] that reaches a bound."""
        start = from_ms - _SECOND_MS
        while start < to_ms:
            number = start // HOUR_MS
            hour, low = self._hour(symbol, number), start % HOUR_MS // _SECOND_MS
            high = min((to_ms - number * HOUR_MS) // _SECOND_MS, 3600)
            part = slice(low, high)
            hit = (hour.low[part] <= bounds.low) | (hour.high[part] >= bounds.high)
            mark = hour.mark[part]
            if bounds.mark_low > NEVER_LOW:
                hit |= (mark <= bounds.mark_low) & (mark != 0)
            if bounds.mark_high < NEVER_HIGH:
                hit |= mark >= bounds.mark_high
            if len(hit) and (place := int(hit.argmax())) >= 0 and hit[place]:
                return number * HOUR_MS + (low + place + 1) * _SECOND_MS
            start = (number + 1) * HOUR_MS
        return None

    def next_funding(self, symbol: str, after_ms: int, to_ms: int) -> Settlement | None:
        """First settlement in (after_ms, to_ms]; rate and the mark price of that instant."""
        self._follow()
        times, rates = self._funding(symbol, after_ms, to_ms)
        place = int(np.searchsorted(times, after_ms, "right"))
        if place >= len(times) or times[place] > to_ms:
            return None
        at_ms = int(times[place])
        mark = self.quote(symbol, at_ms // 100 * 100).mark
        return Settlement(symbol, at_ms, int(rates[place]), mark)

    def _funding(self, symbol: str, after_ms: int, to_ms: int) -> tuple[Ints, Ints]:
        known = self._fundings.get(symbol)
        if known is None or after_ms < known[0] or to_ms > known[1]:
            first, stop = after_ms, max(to_ms, after_ms) + _FUNDING_SPAN_MS
            shift = self._shift_ms
            found = self._venue.market.funding(symbol, first - shift, stop - shift + 1)
            rates = np.rint(found.rate * ONE).astype(np.int64)
            known = self._fundings[symbol] = (first, stop, found.time_ms + shift, rates)
        return known[2], known[3]

    def _hour(self, symbol: str, number: int) -> _Hour:
        self._follow()
        key = symbol, number
        hour = self._hours.get(key)
        if hour is None:
            hour = self._hours[key] = self._make(symbol, number * HOUR_MS - self._shift_ms)
            if len(self._hours) > _HOURS_KEPT:
                self._hours.popitem(last=False)
        else:
            self._hours.move_to_end(key)
        return hour

    def _make(self, symbol: str, start_ms: int) -> _Hour:
        """Cut an hour of the market's own time into seconds."""
        market, instrument = self._venue.market, self._venue.market.instruments[symbol]
        instants = start_ms + np.arange(3600, dtype=np.int64) * _SECOND_MS
        path = np.full((3600, 3), np.nan)  # first, last, volume
        for series in self._series(symbol):
            empty = np.isnan(path[:, 0])
            if empty.any():
                filled = self._cut(symbol, series, start_ms, instants)
                path[empty] = filled[empty]
        rules = instrument.rules
        traded = np.isfinite(path).all(axis=1)
        ticks = np.rint(np.nan_to_num(path[:, :2]) * 10**rules.tick_decimals).astype(np.int64)
        volume = np.rint(np.nan_to_num(path[:, 2]) * 10**rules.quantity_precision).astype(np.int64)
        ratio = market.ratio(symbol, "mark", instants + _SECOND_MS)
        mark = np.rint(np.round(np.nan_to_num(path[:, 1]) * ratio, 8) * ONE).astype(np.int64)
        low, high = ticks.min(axis=1), ticks.max(axis=1)
        none = ~traded | (volume <= 0)
        low[none], high[none] = NEVER_HIGH, NEVER_LOW
        return _Hour(ticks[:, 0], ticks[:, 1], low, high, volume, mark)

    def _series(self, symbol: str) -> list[Stored]:
        """All series that a path can be drawn from, the finest first."""
        found = self._venue.market.stored(symbol, "trade", timeframe("1d"))
        return sorted(found, key=lambda series: series.timeframe.length_ms)

    def _cut(self, symbol: str, series: Stored, start_ms: int, instants: Ints) -> Floats:
        """First price, last price and volume of each second; NaN where the series has no candle."""
        length, out = series.timeframe.length_ms, np.full((3600, 3), np.nan)
        frame = series.timeframe
        begin = frame.open_ms(frame.number(start_ms))
        rows = self._venue.market.read(symbol, "trade", frame, begin, start_ms + HOUR_MS)
        if not len(rows):
            return out
        place = np.searchsorted(rows.open_ms, instants, "right") - 1
        inside = place >= 0
        place = np.maximum(place, 0)
        offset = instants - rows.open_ms[place]
        inside &= (offset < length) & np.isfinite(rows.values[place, CLOSE])
        rules = self._venue.market.instruments[symbol].rules
        points = turning_points(rows.values)[place]
        digits = rules.quantity_precision
        volume = rows.values[place, VOLUME]
        flowed = [np.round(volume * (offset + add) / length, digits) for add in (0, _SECOND_MS)]
        out[:, 0] = _along(points, offset / length, rules.tick_decimals)
        out[:, 1] = _along(points, (offset + _SECOND_MS) / length, rules.tick_decimals)
        out[:, 2] = np.round(flowed[1] - flowed[0], digits)
        out[~inside] = np.nan
        return out


def _book(tape: Tape, market_ms: int, limit: int) -> tuple[Levels, Levels]:
    """The best levels of both sides in ticks and steps, modelled or as they were recorded."""
    if isinstance(tape, RecordedTape):
        rules, shown = tape.instrument.rules, levels(tape, market_ms, limit)
        digits = rules.tick_decimals, rules.quantity_precision
        bids, asks = (
            tuple((parse(price, digits[0]), parse(quantity, digits[1])) for price, quantity in side)
            for side in (shown.bids, shown.asks)
        )
        return bids, asks
    book = ladder(tape, market_ms, limit)
    below, above = book.bids[:limit].tolist(), book.asks[:limit].tolist()
    return (
        tuple(zip(range(book.bid, book.bid - len(below), -1), below, strict=True)),
        tuple(zip(range(book.ask, book.ask + len(above)), above, strict=True)),
    )


def _along(points: Floats, fraction: Floats, decimals: int) -> Floats:
    """Prices after fractions [0, 1] of candles, as `path.price_along` gives them one by one."""
    legs = np.minimum((fraction * 3).astype(np.int64), 2)
    rows = np.arange(len(points))
    start, end = points[rows, legs], points[rows, legs + 1]
    exact = start + (end - start) * (fraction * 3 - legs)
    price = np.round(exact, decimals)
    scaled = exact * 10**decimals
    for tie in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < 1e-6):
        price[tie] = round(float(exact[tie]), decimals)  # numpy rounds what it has multiplied
    clipped: Floats = np.clip(price, np.minimum(start, end), np.maximum(start, end))
    return clipped
