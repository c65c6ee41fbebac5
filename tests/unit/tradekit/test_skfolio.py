"""Metrics and tails against skfolio, to the last digits of a sum: relative 1e-9."""

import numpy as np
import pytest
from scipy import stats
from skfolio import measures

from tradekit import metrics, tails

SAMPLE = stats.t(4).rvs(731, random_state=3) * 0.01 + 0.0004
EQUITY = np.concatenate(([1.0], np.cumprod(1.0 + SAMPLE)))
EXACT = {"rel": 1e-9}


@pytest.mark.parametrize("tail", [0.01, 0.05, 0.1])
def test_tails(tail):
    assert metrics.cvar_frac(SAMPLE, tail) == pytest.approx(
        measures.cvar(SAMPLE, 1 - tail), **EXACT
    )
    found = tails.historical_var(SAMPLE, tail)
    assert found == pytest.approx(measures.value_at_risk(SAMPLE, 1 - tail), **EXACT)


def test_sharpe_and_sortino():
    ratio = measures.mean(SAMPLE) / measures.standard_deviation(SAMPLE)
    assert metrics.sharpe(SAMPLE, 1.0) == pytest.approx(ratio, **EXACT)
    # skfolio divides the squares below zero by n − 1, the definition here by n
    below = measures.semi_deviation(SAMPLE, min_acceptable_return=0.0)
    below *= np.sqrt((len(SAMPLE) - 1) / len(SAMPLE))
    assert metrics.sortino(SAMPLE, 1.0) == pytest.approx(measures.mean(SAMPLE) / below, **EXACT)


def test_drawdown_and_ulcer():
    falls = measures.get_drawdowns(SAMPLE, compounded=True)
    assert metrics.max_drawdown_frac(EQUITY) == pytest.approx(measures.max_drawdown(falls), **EXACT)
    # skfolio's curve begins after the first return, ours before it
    ours = metrics.ulcer_frac(EQUITY) * np.sqrt(len(EQUITY) / len(falls))
    assert ours == pytest.approx(measures.ulcer_index(falls), **EXACT)


@pytest.mark.parametrize("least", [0.0, 0.03])
def test_probabilistic_sharpe(least):
    expected = measures.probabilistic_sharpe_ratio(SAMPLE, benchmark_sharpe_ratio=least)
    assert metrics.probabilistic_sharpe(SAMPLE, least) == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize("trials", [2, 50, 1_000])
def test_the_luck_of_the_best(trials):
    ratios = np.random.default_rng(trials).normal(0.0, 0.05, trials)
    variance = float(np.var(ratios, ddof=1))
    expected = measures.deflated_sharpe_ratio(SAMPLE, ratios)
    assert metrics.deflated_sharpe(SAMPLE, trials, variance) == pytest.approx(expected, rel=1e-6)
