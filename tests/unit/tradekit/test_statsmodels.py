"""Moments, tests and averages against statsmodels, to the last digits of a sum: relative 1e-9."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.stattools import jarque_bera
from statsmodels.stats.weightstats import DescrStatsW
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

from tradekit import indicators, metrics, tails

SAMPLE = stats.t(5).rvs(900, random_state=11) * 0.01 + 0.0003
CLOSE = 100.0 * np.exp(np.cumsum(SAMPLE))
EXACT = {"rel": 1e-9}


def test_sharpe_is_the_t_statistic_of_the_mean():
    t_statistic, _, _ = DescrStatsW(SAMPLE).ttest_mean(0.0)
    assert metrics.sharpe(SAMPLE, 1.0) == pytest.approx(t_statistic / math.sqrt(900), **EXACT)


def test_skewness_and_kurtosis_enter_as_statsmodels_measures_them():
    _, _, skew, kurtosis = jarque_bera(SAMPLE)
    ratio = metrics.sharpe(SAMPLE, 1.0)
    error = math.sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / 899)
    assert metrics.sharpe_score(SAMPLE) == pytest.approx(ratio / error, **EXACT)
    z, described = stats.norm.ppf(0.01), DescrStatsW(SAMPLE, ddof=1)
    corrected = (
        z
        + (z**2 - 1) * skew / 6
        + (z**3 - 3 * z) * (kurtosis - 3) / 24
        - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    expected = -described.mean - described.std * corrected
    assert tails.cornish_fisher_var(SAMPLE, 0.01) == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize("window", [9, 20, 150])
def test_the_exponential_average_is_simple_exponential_smoothing(window):
    fitted = SimpleExpSmoothing(
        CLOSE[window:], initialization_method="known", initial_level=CLOSE[:window].mean()
    ).fit(smoothing_level=2.0 / (window + 1.0), optimized=False)
    found = indicators.ema(CLOSE, window)
    np.testing.assert_allclose(found[window:], np.asarray(fitted.level), rtol=1e-9)
