"""Indicators against plain definitions in pandas and loops, and their causality."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tradekit import indicators as ind

RNG = np.random.default_rng(5)
CLOSE = 100.0 * np.exp(np.cumsum(RNG.normal(0, 0.01, 300)))
HIGH, LOW = CLOSE * (1 + RNG.uniform(0, 0.01, 300)), CLOSE * (1 - RNG.uniform(0, 0.01, 300))
SERIES = pd.Series(CLOSE)


def test_averages_and_bands_are_those_of_pandas():
    np.testing.assert_allclose(ind.sma(CLOSE, 20), SERIES.rolling(20).mean())
    lower, middle, upper = ind.bollinger(CLOSE, 20, 2.0)
    deviation = SERIES.rolling(20).std(ddof=0)
    np.testing.assert_allclose(middle, SERIES.rolling(20).mean())
    np.testing.assert_allclose(lower, middle - 2 * deviation)
    np.testing.assert_allclose(upper, middle + 2 * deviation)


def test_ema_is_the_recursion_from_a_simple_average():
    expected = CLOSE[:10].mean()
    for price in CLOSE[10:]:
        expected += 2 / 11 * (price - expected)
    assert ind.ema(CLOSE, 10)[-1] == pytest.approx(expected)


def test_rsi_is_wilders():
    # Wilder's smoothing: average gain and loss, begun with simple averages of 14 changes
    changes = np.diff(CLOSE)
    gain, loss = np.maximum(changes, 0), np.maximum(-changes, 0)
    up, down = gain[:14].mean(), loss[:14].mean()
    for index in range(14, len(changes)):
        up, down = (13 * up + gain[index]) / 14, (13 * down + loss[index]) / 14
    assert ind.rsi(CLOSE, 14)[-1] == pytest.approx(100 - 100 / (1 + up / down))


def test_the_channel_does_not_include_its_own_row():
    np.testing.assert_allclose(ind.prior_high(HIGH, 5), pd.Series(HIGH).rolling(5).max().shift(1))
    np.testing.assert_allclose(ind.prior_low(LOW, 5), pd.Series(LOW).rolling(5).min().shift(1))


def test_true_range_by_hand():
    high, low, close = np.array([10.0, 12, 9]), np.array([8.0, 11, 7]), np.array([9.0, 11, 8])
    # 10−8; 12−9 (gap up from 9); 11−7 (gap down from 11)
    np.testing.assert_array_equal(ind.true_range(high, low, close), [2.0, 3.0, 4.0])
    np.testing.assert_allclose(
        ind.mean_range_frac(high, low, close, 2), [np.nan, 2.5 / 11, 3.5 / 8]
    )


def test_volatility_of_a_constant_step_is_the_step():
    close = np.exp(0.01 * np.array([0, 1, 0, 1, 0, 1, 2, 3]))
    found = ind.volatility_frac(close, 4)
    assert np.isnan(found[:4]).all()
    np.testing.assert_allclose(found[4:], 0.01)


@given(hnp.arrays(bool, st.integers(0, 50)), st.integers(1, 60))
def test_rolling_any_is_any_of_the_slice(condition, window):
    expected = [condition[max(0, i - window + 1) : i + 1].any() for i in range(len(condition))]
    np.testing.assert_array_equal(ind.rolling_any(condition, window), expected)


def test_crossings_happen_on_the_row_that_crosses():
    values, level = np.array([1.0, 2, 3, 3, 1]), np.full(5, 2.0)
    np.testing.assert_array_equal(ind.crossed_above(values, level), [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(ind.crossed_below(values, level), [0, 0, 0, 0, 1])


FUNCTIONS = [
    lambda candles: ind.sma(candles[2], 20),
    lambda candles: ind.ema(candles[2], 20),
    lambda candles: ind.rsi(candles[2], 14),
    lambda candles: ind.bollinger(candles[2], 20, 2.0)[0],
    lambda candles: ind.prior_high(candles[0], 20),
    lambda candles: ind.prior_low(candles[1], 20),
    lambda candles: ind.mean_range_frac(*candles, 20),
    lambda candles: ind.volatility_frac(candles[2], 20),
    lambda candles: ind.shifted(candles[2], 3),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("rows", [0, 1, 2, 19, 20, 21, 150])
def test_cutting_the_future_changes_nothing(function, rows):
    whole = function((HIGH, LOW, CLOSE))
    cut = function((HIGH[:rows], LOW[:rows], CLOSE[:rows]))
    np.testing.assert_array_equal(cut, whole[:rows])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_but_nan_gives_nan(function):
    nothing = np.full(50, np.nan)
    assert np.isnan(function((nothing, nothing, nothing))).all()
