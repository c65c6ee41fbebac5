"""A market with shocks laid over its prices, so that everything that reads it agrees.

Decides every price after a shock: a factor over time multiplies the traded price, candle by
candle in minutes, and longer candles are merged from those minutes again; mark and index follow
as far as the shock says. Replaced funding rates are told here too. Candles outside of shocks are
the market's own, to the bit. Refuses to know clocks and HTTP; it is a `market.Market` itself.

Inside a minute that a shock bends, the extremes are those of the bent path at full seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from automation.simulator.candles import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    Candles,
    Floats,
    aggregate,
    no_candles,
)
from automation.simulator.market import Funding, Instrument, Market, PriceKind, Stored
from automation.simulator.path import split, turning_points
from automation.simulator.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, Ints, Timeframe, timeframe

_MINUTE = timeframe("1m")
_SECONDS = 60
_FAR_MS = 1 << 53


@dataclass(frozen=True, slots=True)
class Shock:
    """A factor on prices: corner points (epoch ms, factor), straight in between, constant outside."""

    symbols: frozenset[str]  # empty: all
    corners: tuple[tuple[int, float], ...]
    mark_share: float = 1.0

    @property
    def begin_ms(self) -> int:
        """First instant at which the factor may differ from 1."""
        return self.corners[0][0]

    @property
    def end_ms(self) -> int:
        """Instant from which on the factor no longer changes."""
        return self.corners[-1][0]

    def concerns(self, symbol: str) -> bool:
        """Tell whether a symbol is shocked."""
        return not self.symbols or symbol in self.symbols

    def factor(self, at_ms: Ints) -> Floats:
        """Factor at instants; at two corners of one instant the later holds."""
        times = np.array([corner[0] for corner in self.corners], np.float64)
        values = np.array([corner[1] for corner in self.corners])
        # Of two corners at one instant the earlier is moved back by a moment.
        times -= np.arange(len(times))[::-1] * 1e-3
        found: Floats = np.interp(at_ms.astype(np.float64), times, values)
        return found

    def cut(self, at_ms: int) -> "Shock":
        """End it at an instant: from there on prices are the market's own again."""
        kept = [corner for corner in self.corners if corner[0] < at_ms]
        last = float(self.factor(np.array([at_ms - 1], np.int64))[0])
        return replace(self, corners=(*kept, (at_ms, last), (at_ms, 1.0)))


@dataclass(frozen=True, slots=True)
class Spike:
    """Another funding rate in a stretch of time."""

    symbols: frozenset[str]
    begin_ms: int
    end_ms: int
    rate: float


class ShockedMarket:
    """The market `inner`, bent by what `add` and `spike` lay over it."""

    def __init__(self, inner: Market) -> None:
        """Bend nothing yet."""
        self.inner = inner
        self._shocks: list[Shock] = []
        self._spikes: list[Spike] = []

    def add(self, shock: Shock) -> None:
        """Lay a shock over the prices; whoever keeps candles has to make those anew."""
        self._shocks.append(shock)

    def remove(self, shock: Shock, at_ms: int) -> None:
        """End a shock at an instant; what it did before stays."""
        place = self._shocks.index(shock)
        if at_ms <= shock.begin_ms:
            del self._shocks[place]
        else:
            self._shocks[place] = shock.cut(at_ms)

    def spike(self, spike: Spike) -> None:
        """Replace funding rates."""
        self._spikes.append(spike)

    def unspike(self, spike: Spike, at_ms: int) -> None:
        """End a spike at an instant; what was settled before stays."""
        place = self._spikes.index(spike)
        self._spikes[place] = replace(spike, end_ms=min(spike.end_ms, at_ms))

    @property
    def pairs(self) -> tuple[str, ...]:
        """Freqtrade's names of all instruments, in order."""
        return self.inner.pairs

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by Binance's symbol, in order."""
        return self.inner.instruments

    def stored(self, symbol: str, kind: PriceKind, wanted: Timeframe) -> Sequence[Stored]:
        """List the series; around a shock there are minutes of traded prices too."""
        found = list(self.inner.stored(symbol, kind, wanted))
        window = self._window(symbol)
        if kind != "trade" or window is None:
            return found
        if any(s.timeframe == _MINUTE and _covers(s, window) for s in found):
            return found
        if not wanted.is_made_of(_MINUTE) or not self._sources(symbol):
            return found
        minutes = Stored(_MINUTE, *window)
        return [minutes, *found] if wanted == _MINUTE else [*found, minutes]

    def read(
        self, symbol: str, kind: PriceKind, series: Timeframe, start_ms: int, end_ms: int
    ) -> Candles:
        """Read the rows of one series that open in [start_ms, end_ms)."""
        shocks, rows = self._on(symbol), None
        if any(s.timeframe == series for s in self.inner.stored(symbol, kind, series)):
            rows = self.inner.read(symbol, kind, series, start_ms, end_ms)
            if shocks:
                rows = self._bent(symbol, kind, series, rows, shocks)
        window = self._window(symbol)
        if kind != "trade" or series != _MINUTE or window is None:
            return no_candles() if rows is None else rows
        low = max(-(-start_ms // MINUTE_MS) * MINUTE_MS, window[0])
        opens = np.arange(low, min(end_ms, window[1]), MINUTE_MS, dtype=np.int64)
        if rows is None:
            return self._minutes(symbol, opens, shocks)
        missing = np.setdiff1d(opens, rows.open_ms, assume_unique=True)
        if not len(missing):
            return rows
        made = self._minutes(symbol, opens, shocks)
        at, place = np.unique(np.concatenate((rows.open_ms, made.open_ms)), return_index=True)
        return Candles(at, np.concatenate((rows.values, made.values))[place])

    def ratio(self, symbol: str, kind: PriceKind, at_ms: Ints) -> Floats:
        """Price of `kind` over the traded price at the instants; 1 for traded prices."""
        own = self.inner.ratio(symbol, kind, at_ms)
        if kind == "trade":
            return own
        for shock in self._on(symbol):
            if shock.mark_share < 1:
                factor = shock.factor(at_ms)
                own = own * (1 + (factor - 1) * shock.mark_share) / factor
        return own

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Rates settled in [start_ms, end_ms)."""
        found = self.inner.funding(symbol, start_ms, end_ms)
        spikes = [s for s in self._spikes if not s.symbols or symbol in s.symbols]
        if not spikes or not len(found.rate):
            return found
        rate = found.rate.copy()
        for spike in spikes:
            rate[(found.time_ms >= spike.begin_ms) & (found.time_ms < spike.end_ms)] = spike.rate
        return Funding(found.time_ms, rate)

    def funding_interval_h(self, symbol: str) -> int:
        """Hours between two settlements."""
        return self.inner.funding_interval_h(symbol)

    def _on(self, symbol: str) -> list[Shock]:
        return [shock for shock in self._shocks if shock.concerns(symbol)]

    def _window(self, symbol: str) -> tuple[int, int] | None:
        """Whole hours around everything that bends inside candles."""
        shocks = self._on(symbol)
        if not shocks:
            return None
        first = min(shock.begin_ms for shock in shocks) // HOUR_MS * HOUR_MS
        last = max(shock.end_ms for shock in shocks)
        return first, -(-(last + 1) // HOUR_MS) * HOUR_MS

    def _sources(self, symbol: str) -> list[Timeframe]:
        """Timeframes that minutes can be cut from, the finest first."""
        found = self.inner.stored(symbol, "trade", timeframe("1d"))
        names = sorted((s.timeframe for s in found), key=lambda frame: frame.length_ms)
        return [frame for frame in names if frame.length_ms <= DAY_MS]

    def _bent(
        self, symbol: str, kind: PriceKind, series: Timeframe, rows: Candles, shocks: list[Shock]
    ) -> Candles:
        """Bend rows of any length: by a number where no shock moves inside, else minute by minute."""
        values, opens = rows.values.copy(), rows.open_ms
        if not len(opens):
            return rows
        first = series.number(int(opens[0]))
        closes = (
            opens + series.length_ms
            if not series.is_month
            else np.array([series.open_ms(first + n + 1) for n in range(len(opens))], np.int64)
        )
        is_moving = np.zeros(len(opens), bool)
        for shock in shocks:
            is_moving |= (closes > shock.begin_ms) & (opens < shock.end_ms)
        factor = self._factor(kind, shocks, opens)
        values[~is_moving, :VOLUME] *= factor[~is_moving, None]
        is_bent = is_moving | (factor != 1)
        for place in np.flatnonzero(is_moving).tolist():
            ends = int(opens[place]), int(closes[place])
            values[place] = self._merged(symbol, kind, values[place], ends, shocks)
        decimals = self.inner.instruments[symbol].rules.tick_decimals
        places = decimals if kind == "trade" else 8
        values[is_bent, :VOLUME] = np.round(values[is_bent, :VOLUME], places)
        return Candles(rows.open_ms, values)

    def _merged(
        self, symbol: str, kind: PriceKind, own: Floats, ends: tuple[int, int], shocks: list[Shock]
    ) -> Floats:
        """Bend one row in which a shock moves."""
        open_ms, close_ms = ends
        first = open_ms // MINUTE_MS * MINUTE_MS
        opens = np.arange(first, close_ms, MINUTE_MS, dtype=np.int64)
        minutes = self._minutes(symbol, opens, shocks) if self._sources(symbol) else None
        if minutes is None or not len(minutes):
            return own
        row: Floats = aggregate(minutes, np.array(ends, np.int64))[0]
        if kind != "trade":
            begin, end = self.ratio(symbol, kind, np.array(ends, np.int64))
            row = row.copy()
            row[:VOLUME] *= np.array((begin, max(begin, end), min(begin, end), end))
            row[HIGH] = max(row[:VOLUME])
            row[LOW] = min(row[:VOLUME])
        row[VOLUME] = own[VOLUME]
        return row

    def _factor(self, kind: PriceKind, shocks: list[Shock], at_ms: Ints) -> Floats:
        factor = np.ones(len(at_ms))
        for shock in shocks:
            own = shock.factor(at_ms)
            factor *= own if kind == "trade" else 1 + (own - 1) * shock.mark_share
        return factor

    def _minutes(self, symbol: str, opens: Ints, shocks: list[Shock]) -> Candles:
        """Cut minutes from the finest candles there are, and bend them."""
        times, values = [np.empty(0, np.int64)], [np.empty((0, 5))]
        if len(opens):
            for piece in self._pieces(symbol, int(opens[0]), int(opens[-1]) + MINUTE_MS):
                times.append(piece.open_ms)
                values.append(piece.values)
        at, place = np.unique(np.concatenate(times), return_index=True)
        own = np.concatenate(values)[place]
        is_asked = (at >= opens[0]) & (at <= opens[-1]) if len(opens) else np.empty(0, bool)
        at, own = at[is_asked], own[is_asked].copy()
        decimals = self.inner.instruments[symbol].rules.tick_decimals
        for row, open_ms in enumerate(at.tolist()):
            bent = _bend(own[row], open_ms, lambda t: self._factor("trade", shocks, t))
            if bent is not own[row]:
                bent[:VOLUME] = np.round(bent[:VOLUME], decimals)
            own[row] = bent
        return Candles(at, own)

    def _pieces(self, symbol: str, start_ms: int, end_ms: int) -> list[Candles]:
        """Minutes as they are: from the finest series first, so that it wins where several are."""
        rules, found = self.inner.instruments[symbol].rules, list[Candles]()
        for frame in self._sources(symbol):
            first = frame.open_ms(frame.number(start_ms))
            rows = self.inner.read(symbol, "trade", frame, first, end_ms)
            parts = frame.length_ms // MINUTE_MS
            if parts == 1:
                found.append(rows)
            elif len(rows):
                values = split(rows.values, parts, rules.tick_decimals, rules.quantity_precision)
                steps = np.arange(parts) * MINUTE_MS
                found.append(Candles((rows.open_ms[:, None] + steps).ravel(), values))
            if found and len(found[-1]) * MINUTE_MS >= end_ms - start_ms:
                break
        return found


def _covers(stored: Stored, window: tuple[int, int]) -> bool:
    end_ms = stored.end_ms
    return stored.first_ms <= window[0] and (end_ms is None or end_ms >= window[1])


def _bend(row: Floats, open_ms: int, factor: Callable[[Ints], Floats]) -> Floats:
    """Bend one minute along its path."""
    if np.isnan(row[CLOSE]):
        return row
    points = turning_points(row[None, :])[0]
    seconds = np.arange(_SECONDS + 1)
    path = np.interp(seconds / _SECONDS, (0, 1 / 3, 2 / 3, 1), points)
    at_ms = open_ms + seconds * 1000
    at_ms[-1] -= 1  # what comes with the next minute is the next minute's
    factors = factor(at_ms)
    if (factors == 1).all():
        return row
    bent = path * factors
    out = row.copy()
    out[OPEN], out[CLOSE] = bent[0], bent[-1]
    out[HIGH], out[LOW] = bent.max(), bent.min()
    if np.ptp(factors) == 0:
        out[HIGH], out[LOW] = row[HIGH] * factors[0], row[LOW] * factors[0]
    return out
