"""Metrics against numbers worked by hand, scipy, and closed forms of the normal distribution."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from tradekit import metrics

RETURNS = np.array([0.01, -0.01, 0.02, 0.0])
returns = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-0.5, 0.5, width=32))


def test_sharpe_by_hand():
    # mean 0.5 %, deviations ±0.5 % and ±1.5 %: variance 5e-4 / 3
    assert metrics.sharpe(RETURNS, 1) == pytest.approx(0.005 / math.sqrt(5e-4 / 3))
    assert metrics.sharpe(RETURNS) == pytest.approx(0.3872983 * math.sqrt(365), rel=1e-6)


def test_sharpe_is_the_t_statistic_over_the_root_of_n():
    sample = np.random.default_rng(1).normal(0.001, 0.02, 500)
    t_statistic = stats.ttest_1samp(sample, 0.0).statistic
    assert metrics.sharpe(sample, 1) == pytest.approx(t_statistic / math.sqrt(500))


def test_sortino_by_hand():
    # one shortfall of 1 % in four: √(1e-4 / 4) = 0.5 %, equal to the mean
    assert metrics.sortino(RETURNS, 1) == pytest.approx(1.0)


def test_drawdown_by_hand():
    assert metrics.max_drawdown_frac(np.array([100.0, 120, 90, 150, 75, 160])) == 0.5
    assert metrics.max_drawdown_frac(np.array([1.0, 2.0, 3.0])) == 0.0


def test_calmar_by_hand():
    # fourfold in two years is doubling each year; deepest fall one half
    assert metrics.calmar(np.array([100.0, 200, 100, 400]), 2.0) == pytest.approx(2.0)


def test_profit_factor_and_expectancy_by_hand():
    profits = np.array([30.0, -10, 20, -15])
    assert metrics.profit_factor(profits) == pytest.approx(2.0)
    assert metrics.expectancy(profits) == pytest.approx(6.25)


def test_cvar_by_hand_with_a_part_of_a_return():
    # the worst 25 % of ten returns: two and a half of them
    sample = np.array([-10.0, -6, -4, 0, 1, 2, 3, 4, 5, 6]) / 100
    assert metrics.cvar_frac(sample, 0.25) == pytest.approx((0.10 + 0.06 + 0.04 / 2) / 2.5)


@pytest.mark.parametrize("tail", [0.01, 0.05, 0.1])
def test_cvar_of_the_normal_distribution(tail):
    grid = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    closed_form = stats.norm.pdf(stats.norm.ppf(tail)) / tail
    assert metrics.cvar_frac(grid, tail) == pytest.approx(closed_form, rel=1e-4)


def test_undefined_is_said():
    none = np.array([])
    for function in (metrics.sharpe, metrics.sortino, metrics.max_drawdown_frac):
        assert math.isnan(function(none))
    for function in (metrics.profit_factor, metrics.expectancy, metrics.cvar_frac):
        assert math.isnan(function(none))
    assert math.isnan(metrics.sharpe(np.array([0.5, 0.5])))
    assert math.isnan(metrics.sortino(np.zeros(3)))
    assert math.isnan(metrics.calmar(np.ones(3), 1.0))
    assert math.isnan(metrics.annual_return_frac(none, 1.0))
    assert math.isnan(metrics.annual_return_frac(np.ones(2), 0.0))


def test_limits_are_infinite():
    gains = np.array([1.0, 2.0])
    assert metrics.profit_factor(gains) == math.inf
    assert metrics.sortino(gains) == math.inf
    assert metrics.calmar(np.array([1.0, 2.0]), 1.0) == math.inf
    assert metrics.calmar_with_tail(np.array([1.0, 2.0]), 1.0, 3.0) == math.inf


def test_ruin_is_a_loss_of_everything():
    assert metrics.annual_return_frac(np.array([100.0, -5.0]), 0.5) == -1.0
    np.testing.assert_allclose(metrics.returns_of(np.array([100.0, 0.0, 50.0])), [-1.0, 0.0])


@pytest.mark.parametrize(
    "function", [metrics.sharpe, metrics.sortino, metrics.cvar_frac, metrics.profit_factor]
)
def test_a_nan_is_passed_on(function):
    assert math.isnan(function(np.array([0.1, math.nan, -0.1, 0.2])))


def test_profits_are_summed_by_day():
    days = np.array([0, 0, 2, 9])
    found = metrics.daily_profits(days, np.array([1.0, 2.0, -3.0, 4.0]), 4)
    np.testing.assert_array_equal(found, [3.0, 0.0, -3.0, 4.0])


@given(returns)
def test_the_tail_is_at_least_as_bad_as_the_whole(sample):
    whole = metrics.cvar_frac(sample, 1.0)
    assert whole == pytest.approx(-sample.mean(), abs=1e-9)
    assert metrics.cvar_frac(sample, 0.05) >= metrics.cvar_frac(sample, 0.5) - 1e-9 >= whole - 2e-9


@given(returns)
def test_drawdown_is_a_fraction_and_scale_free(sample):
    equity = 100.0 * np.cumprod(np.concatenate(([1.0], 1.0 + sample)))
    fall = metrics.max_drawdown_frac(equity)
    assert 0.0 <= fall <= 1.0  # sixty halvings round to all of it
    assert metrics.max_drawdown_frac(equity * 7.0) == pytest.approx(fall)


def test_more_tail_is_never_better():
    calm = np.array([100.0, 101, 99, 103, 110, 120])
    for curve in (calm, calm[::-1].copy()):
        scores = [metrics.calmar_with_tail(curve, 1.0, days) for days in (0.0, 1.0, 5.0)]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1]


def test_calmar_with_tail_by_hand():
    # one year, +50 %; deepest fall 20 %; 5 % of four days is a fifth of the worst day: −20 %
    curve = np.array([100.0, 125.0, 100.0, 125.0, 150.0])
    assert metrics.calmar_with_tail(curve, 1.0, 3.0) == pytest.approx(0.5 / (0.2 + 3 * 0.2))
