"""Value at risk and CVaR against scipy, numerical integration and plain definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from tradekit import tails

SAMPLE = stats.t(5).rvs(2_000, random_state=7) * 0.01 + 0.0005
TAILS = (0.01, 0.05)


@pytest.mark.parametrize("tail", TAILS)
def test_historical_var_is_scipys_quantile(tail):
    expected = -stats.mstats.mquantiles(SAMPLE, tail, alphap=0, betap=1)[0]
    assert tails.historical_var(SAMPLE, tail) == pytest.approx(expected, rel=1e-9)
    worst = np.sort(SAMPLE)[: int(tail * len(SAMPLE))]
    assert tails.historical_cvar(SAMPLE, tail) == pytest.approx(-worst.mean())


@pytest.mark.parametrize("tail", TAILS)
def test_the_normal_ones_are_scipys(tail):
    fitted = stats.norm(SAMPLE.mean(), SAMPLE.std(ddof=1))
    assert tails.parametric_var(SAMPLE, tail) == pytest.approx(-fitted.ppf(tail))
    mean, _ = integrate.quad(lambda u: -fitted.ppf(u), 0, tail)
    assert tails.parametric_cvar(SAMPLE, tail) == pytest.approx(mean / tail, rel=1e-6)


@pytest.mark.parametrize("tail", TAILS)
def test_cornish_fisher_by_scipys_moments_and_by_integration(tail):
    skewed = stats.gamma(4).rvs(5_000, random_state=2) * -0.01
    s, k = stats.skew(skewed), stats.kurtosis(skewed)

    def quantile(u):
        z = stats.norm.ppf(u)
        corrected = (
            z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
        )
        return -skewed.mean() - skewed.std(ddof=1) * corrected

    assert tails.cornish_fisher_var(skewed, tail) == pytest.approx(quantile(tail))
    mean, _ = integrate.quad(quantile, 0, tail)
    assert tails.cornish_fisher_cvar(skewed, tail) == pytest.approx(mean / tail, rel=1e-5)


def test_cornish_fisher_is_nearer_the_truth_than_the_normal():
    skewed = stats.gamma(4).rvs(200_000, random_state=2) * -0.01
    truth = tails.historical_var(skewed, 0.01)
    plain = abs(tails.parametric_var(skewed, 0.01) - truth)
    assert abs(tails.cornish_fisher_var(skewed, 0.01) - truth) < 0.2 * plain


def test_ewma_is_the_weighted_sum():
    returns = SAMPLE[:50].copy()
    weights = 0.94 ** np.arange(49, -1, -1)
    expected = math.sqrt(np.sum(weights * returns**2) / weights.sum())
    assert tails.ewma_volatility(returns, 0.94)[-1] == pytest.approx(expected)
    z = stats.norm.ppf(0.05)
    assert tails.ewma_var(returns, 0.05, 0.94)[-1] == pytest.approx(-z * expected)
    density = stats.norm.pdf(z) / 0.05
    assert tails.ewma_cvar(returns, 0.05, 0.94)[-1] == pytest.approx(density * expected)


def test_ewma_is_causal_and_leaves_a_gap_out():
    returns = SAMPLE[:100].copy()
    whole = tails.ewma_volatility(returns, 0.9)
    np.testing.assert_allclose(tails.ewma_volatility(returns[:60], 0.9), whole[:60], rtol=1e-12)
    returns[30] = np.nan
    gap = tails.ewma_volatility(returns, 0.9)
    assert np.isnan(gap[30])
    assert np.isfinite(gap[31:]).all()


@given(st.lists(st.floats(-0.3, 0.3), min_size=5, max_size=80), st.sampled_from(TAILS))
def test_the_mean_beyond_is_at_least_the_edge(values, tail):
    returns = np.array(values)
    assert tails.historical_cvar(returns, tail) >= tails.historical_var(returns, tail) - 1e-12
    assert tails.parametric_cvar(returns, tail) >= tails.parametric_var(returns, tail) - 1e-12


@pytest.mark.parametrize(
    "measure",
    [tails.historical_var, tails.historical_cvar, tails.parametric_var, tails.parametric_cvar,
     tails.cornish_fisher_var, tails.cornish_fisher_cvar],
)  # fmt: skip
def test_what_is_not_known_is_nan(measure):
    assert math.isnan(measure(np.array([]), 0.05))
    assert math.isnan(measure(np.array([0.01, np.nan, 0.02, 0.01, 0.0]), 0.05))
    assert math.isnan(measure(SAMPLE, 0.0))
