"""Columns of candles, and the exact arithmetic between timeframes.

Decides how candles become longer ones and how holes are filled. Refuses to know where candles
come from and how they are served. Called by the markets and by `charts`.

A `Candles` has one row per candle in order of `open_ms` (epoch ms, int64); `values` is float64 of
shape (n, 5): open, high, low, close in quote currency and volume in base currency. A missing row
is NaN throughout. Row t uses source rows inside candle t only.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automation.simulator.timeframes import Ints

Floats = npt.NDArray[np.float64]
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
_FINE, _COARSE = (
    1e8,
    1e3,
)  # units in which volumes add up exactly; Binance quotes at most 8 decimals
_FINE_LIMIT = 9e10  # above this total the fine unit would leave 64 bits


@dataclass(frozen=True, slots=True)
class Candles:
    """Rows of candles; see the module's docstring for shapes and units."""

    open_ms: Ints
    values: Floats

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.open_ms)

    def between(self, start_ms: int, end_ms: int) -> "Candles":
        """Rows that open in [start_ms, end_ms)."""
        low, high = np.searchsorted(self.open_ms, (start_ms, end_ms))
        return Candles(self.open_ms[low:high], self.values[low:high])


def no_candles() -> Candles:
    """An empty set of rows."""
    return Candles(np.empty(0, np.int64), np.empty((0, 5)))


def missing(rows: int) -> Floats:
    """Rows that hold nothing yet: NaN, shape (rows, 5)."""
    return np.full((rows, 5), np.nan)


def aggregate(source: Candles, edges: Ints) -> Floats:
    """Merge source candles into the candles that `edges` delimit.

    `edges`: n + 1 increasing instants; row i covers [edges[i], edges[i+1]).
    Open is the first, high the maximum, low the minimum, close the last, volume the sum, added up
    in whole units so that no rounding error creeps in. Rows without a source candle are NaN.
    """
    out = missing(len(edges) - 1)
    bounds = np.searchsorted(source.open_ms, edges)
    filled = np.flatnonzero(bounds[1:] > bounds[:-1])
    if not len(filled):
        return out
    first, last = bounds[:-1][filled], bounds[1:][filled] - 1
    inside = source.values[: bounds[-1]]
    out[filled, OPEN] = inside[first, OPEN]
    out[filled, HIGH] = np.maximum.reduceat(inside[:, HIGH], first)
    out[filled, LOW] = np.minimum.reduceat(inside[:, LOW], first)
    out[filled, CLOSE] = inside[last, CLOSE]
    out[filled, VOLUME] = _exact_sums(inside[:, VOLUME], first, last)
    return out


def _exact_sums(volume: Floats, first: Ints, last: Ints) -> Floats:
    single = first == last
    if single.all():
        return volume[first]
    unit = _FINE if volume.sum() < _FINE_LIMIT else _COARSE
    units = np.rint(volume * unit).astype(np.int64)
    sums: Floats = np.add.reduceat(units, first) / unit
    sums[single] = volume[first[single]]
    return sums


def fill_holes(values: Floats, close_before: float) -> Floats:
    """Fill NaN rows as Freqtrade does: flat at the previous close, no volume.

    `close_before` is the close of the row before the first; NaN leaves leading rows NaN.
    """
    holes = np.isnan(values[:, CLOSE])
    if not holes.any():
        return values
    closes = np.concatenate(([close_before], values[:, CLOSE]))
    known = np.where(np.isnan(closes), 0, np.arange(len(closes)))
    np.maximum.accumulate(known, out=known)
    flat = closes[known][1:][holes]
    values[holes, :VOLUME] = flat[:, None]
    values[holes, VOLUME] = np.where(np.isnan(flat), np.nan, 0.0)
    return values


def moved_by_ratio(traded: Floats, at_open: Floats, at_close: Floats) -> Floats:
    """Turn traded candles into mark or index candles that lie off by a ratio.

    The ratios apply at a candle's open and close; the extremes take their mean. No volume.
    Prices are rounded to eight decimals, as Binance quotes them.
    """
    middle = (at_open + at_close) / 2
    out = np.zeros_like(traded)
    out[:, OPEN] = np.round(traded[:, OPEN] * at_open, 8)
    out[:, CLOSE] = np.round(traded[:, CLOSE] * at_close, 8)
    ends = out[:, (OPEN, CLOSE)]
    out[:, HIGH] = np.maximum(np.round(traded[:, HIGH] * middle, 8), ends.max(axis=1))
    out[:, LOW] = np.minimum(np.round(traded[:, LOW] * middle, 8), ends.min(axis=1))
    out[np.isnan(traded[:, CLOSE])] = np.nan
    return out
