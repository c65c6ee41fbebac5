"""Indicators over candles, as float64 arrays in and out.

Every function is causal: row t uses rows ≤ t. Rows without enough history are NaN, and a NaN in
the input makes the rows NaN that depend on it; nothing is filled. Knows nothing of strategies;
called by the strategies' `columns`.
Functions with a finite window forget what is older; only `ema` and `rsi` have an infinite memory,
which `startup_candle_count` must let fade.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import talib

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Columns = Mapping[str, FloatArray]


def sma(values: FloatArray, window: int) -> FloatArray:
    """Return the simple moving average of `window` rows."""
    return _run(talib.SMA, window, values)


def ema(values: FloatArray, window: int) -> FloatArray:
    """Return the exponential moving average, α = 2 / (window + 1), begun with a simple average."""
    return _run(talib.EMA, window, values)


def rsi(close: FloatArray, window: int) -> FloatArray:
    """Return Wilder's relative strength index, 0 to 100 (New Concepts, 1978)."""
    return _run(talib.RSI, window, close)


def bollinger(
    close: FloatArray, window: int, deviations: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lower, middle and upper band: simple average ± `deviations` population deviations."""
    if len(close) < window:
        empty = np.full(len(close), np.nan)
        return empty, empty.copy(), empty.copy()
    upper, middle, lower = talib.BBANDS(close, window, deviations, deviations)
    return lower, middle, upper


def prior_high(high: FloatArray, window: int) -> FloatArray:
    """Return the highest high of the `window` rows before each row, that row not included."""
    return shifted(_run(talib.MAX, window, high), 1)


def prior_low(low: FloatArray, window: int) -> FloatArray:
    """Return the lowest low of the `window` rows before each row, that row not included."""
    return shifted(_run(talib.MIN, window, low), 1)


def true_range(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Return Wilder's true range in price; the first row has no close before it: high − low."""
    before = shifted(close, 1)
    if len(before):
        before[0] = close[0]
    return np.maximum(high, before) - np.minimum(low, before)


def mean_range_frac(
    high: FloatArray, low: FloatArray, close: FloatArray, window: int
) -> FloatArray:
    """Return the mean true range of `window` rows as a fraction of the close (finite memory)."""
    return sma(true_range(high, low, close), window) / close


def volatility_frac(close: FloatArray, window: int) -> FloatArray:
    """Return the root mean square of `window` log returns, as a fraction per candle.

    The mean return is taken as zero, which at these horizons is the less noisy estimate
    (Figlewski 1997, Forecasting Volatility).
    """
    returns = np.diff(np.log(close), prepend=np.nan)
    squares = np.full(len(close), np.nan)
    squares[1:] = sma(returns[1:] ** 2, window)
    return np.asarray(np.sqrt(squares))


def efficiency_ratio(close: FloatArray, window: int) -> FloatArray:
    """Return the way made in `window` rows over the way walked, 0 (back and forth) to 1 (straight).

    Kaufman 1995, Smarter Trading. A price that did not move at all made no way: NaN.
    """
    steps = np.abs(np.diff(close, prepend=np.nan))
    walked = np.full(len(close), np.nan)
    walked[1:] = sma(steps[1:], window) * window
    return ratio(np.abs(close - shifted(close, window)), walked)


def relative_volume(volume: FloatArray, window: int) -> FloatArray:
    """Return the volume over the mean of the `window` rows before it, that row not included."""
    return ratio(volume, shifted(sma(volume, window), 1))


def ratio(values: FloatArray, by: FloatArray) -> FloatArray:
    """Return `values` / `by`; NaN where `by` is not positive."""
    quotient = np.full(len(values), np.nan)
    np.divide(values, by, out=quotient, where=by > 0.0)
    return quotient


def rolling_any(condition: BoolArray, window: int) -> BoolArray:
    """Return whether `condition` held in any of the last `window` rows, that row included."""
    held = np.concatenate(([0], np.cumsum(condition)))
    first = np.maximum(np.arange(1, len(condition) + 1) - window, 0)
    return np.asarray(held[1:] > held[first])


def crossed_above(values: FloatArray, level: FloatArray) -> BoolArray:
    """Return whether `values` came from at or below `level` to above it on this row."""
    return (values > level) & (shifted(values, 1) <= shifted(level, 1))


def crossed_below(values: FloatArray, level: FloatArray) -> BoolArray:
    """Return whether `values` came from at or above `level` to below it on this row."""
    return (values < level) & (shifted(values, 1) >= shifted(level, 1))


def shifted(values: FloatArray, rows: int) -> FloatArray:
    """Return the values of `rows` ≥ 0 rows ago; NaN where there were none."""
    earlier = np.full(len(values), np.nan)
    if rows < len(values):
        earlier[rows:] = values[: len(values) - rows]
    return earlier


def _run(function: object, window: int, values: FloatArray) -> FloatArray:
    """Call a TA-Lib function; too short an input is all NaN, where TA-Lib may raise."""
    if len(values) < window or bool(np.isnan(values).all()):
        return np.full(len(values), np.nan)
    return np.asarray(function(values, timeperiod=window), dtype=np.float64)  # type: ignore[operator]
