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


def test_the_published_probabilistic_and_deflated_sharpe():
    # Bailey and López de Prado 2014, numerical example: annual Sharpe 2.5 of 1,250 daily returns
    # (250 a year), skewness −3, kurtosis 10, best of 100 trials with annual variance ½: 0.9004
    benchmark = metrics.expected_best_sharpe(100, 0.5 / 250)
    assert benchmark == pytest.approx(0.1132, abs=1e-4)
    # p (1 − p) = 1/13 gives skewness −3 and kurtosis 10
    returns = two_points(1_250, 2.5 / math.sqrt(250), 0.5 - math.sqrt(0.25 - 1 / 13))
    assert stats.skew(returns) == pytest.approx(-3.0, abs=0.01)
    assert stats.kurtosis(returns, fisher=False) == pytest.approx(10.0, abs=0.05)
    found = metrics.deflated_sharpe(returns, 100, 0.5 / 250)
    assert found == pytest.approx(0.9004, abs=1e-3)


def two_points(count, ratio, rare_frac):
    """Make returns on two points, the low one rare, with the Sharpe ratio `ratio`."""
    rare = round(count * rare_frac)
    values = np.concatenate((np.full(rare, -1.0), np.zeros(count - rare)))
    return (values - values.mean()) / values.std(ddof=1) + ratio


def test_probabilistic_sharpe_of_normal_returns_is_the_plain_test():
    returns = np.random.default_rng(5).normal(0.05, 1.0, 4_000)
    ratio = metrics.sharpe(returns, 1.0)
    expected = stats.norm.cdf(ratio * math.sqrt(3_999) / math.sqrt(1 + ratio**2 / 2))
    assert metrics.probabilistic_sharpe(returns) == pytest.approx(expected, abs=2e-3)


def test_luck_grows_with_trials():
    lucks = [metrics.expected_best_sharpe(n, 0.01) for n in (1, 2, 10, 100, 10_000)]
    assert lucks[0] == 0.0
    assert lucks == sorted(lucks)
    # the expected maximum of 1,000 standard normals, by simulation
    draws = np.random.default_rng(1).standard_normal((2_000, 1_000)).max(axis=1)
    assert metrics.expected_best_sharpe(1_000, 1.0) == pytest.approx(draws.mean(), abs=0.03)


def test_ulcer_worked_by_hand():
    # drawdowns 0, 10 %, 20 %, 0
    found = metrics.ulcer_frac(np.array([100.0, 90.0, 80.0, 110.0]))
    assert found == pytest.approx(math.sqrt((0.01 + 0.04) / 4))


def test_exposure_counts_overlapping_time_once():
    opened, closed = np.array([0, 5, 20, 95]), np.array([10, 8, 30, 200])
    assert metrics.exposure_frac(opened, closed, 0, 100) == pytest.approx(0.25)
    assert metrics.exposure_frac(opened[:0], closed[:0], 0, 100) == 0.0
    assert math.isnan(metrics.exposure_frac(opened, closed, 5, 5))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=8))
def test_exposure_is_the_union_of_intervals(spans):
    opened = np.array([min(span) for span in spans], dtype=np.int64)
    closed = np.array([max(span) for span in spans], dtype=np.int64)
    seconds = {second for a, b in zip(opened, closed, strict=True) for second in range(a, b)}
    assert metrics.exposure_frac(opened, closed, 0, 50) == pytest.approx(len(seconds) / 50)


def test_turnover_counts_both_sides():
    assert metrics.turnover(np.array([1_000.0, 1_100.0]), 1_000.0, 0.5) == pytest.approx(4.2)
