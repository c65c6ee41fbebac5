"""Value at risk and expected shortfall (CVaR) of returns, four ways.

Returns as fractions in float64 arrays; a loss is positive, also where it is a gain (negative). A
NaN in the input or too few returns give NaN. `tail_frac` is the probability of the tail, 0.05 or
0.01. Called by strategies, reports and the risk desk.
"""

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

from tradekit.indicators import FloatArray
from tradekit.metrics import cvar_frac

_NORMAL = NormalDist()
NORMAL_99 = -_NORMAL.inv_cdf(0.01)
"""Value at risk (99 %) of a normal distribution of mean 0, in deviations."""


def historical_var(returns: FloatArray, tail_frac: float) -> float:
    """Return minus the lower `tail_frac` quantile of the returns (Acerbi and Tasche 2002, def. 2.1)."""
    if not _usable(returns, tail_frac, 1):
        return math.nan
    index = max(math.ceil(tail_frac * len(returns) - 1e-9) - 1, 0)
    return -float(np.partition(returns, index)[index])


def historical_cvar(returns: FloatArray, tail_frac: float) -> float:
    """Return the mean loss of the worst `tail_frac` of the returns: `metrics.cvar_frac`."""
    return cvar_frac(returns, tail_frac)


def parametric_var(returns: FloatArray, tail_frac: float) -> float:
    """Return the VaR of a normal distribution with the returns' mean and deviation (n − 1)."""
    if not _usable(returns, tail_frac, 2):
        return math.nan
    return -float(np.mean(returns)) - float(np.std(returns, ddof=1)) * _NORMAL.inv_cdf(tail_frac)


def parametric_cvar(returns: FloatArray, tail_frac: float) -> float:
    """Return the CVaR of that normal distribution: −μ + σ φ(z) / tail."""
    if not _usable(returns, tail_frac, 2):
        return math.nan
    density = _NORMAL.pdf(_NORMAL.inv_cdf(tail_frac))
    return -float(np.mean(returns)) + float(np.std(returns, ddof=1)) * density / tail_frac


def cornish_fisher_var(returns: FloatArray, tail_frac: float) -> float:
    """Return the VaR with the quantile corrected for skewness S and excess kurtosis K.

    z + (z² − 1) S / 6 + (z³ − 3z) K / 24 − (2z³ − 5z) S² / 36 (Cornish and Fisher 1938; Favre and
    Galeano 2002). Biased moments, deviation with n − 1.
    """
    if not _usable(returns, tail_frac, 4):
        return math.nan
    z = _NORMAL.inv_cdf(tail_frac)
    skew, kurtosis = _shape(returns)
    corrected = (
        z
        + (z**2 - 1) * skew / 6
        + (z**3 - 3 * z) * kurtosis / 24
        - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    return -float(np.mean(returns)) - float(np.std(returns, ddof=1)) * corrected


def cornish_fisher_cvar(returns: FloatArray, tail_frac: float) -> float:
    """Return the mean of the Cornish-Fisher quantiles below the tail (Boudt, Peterson, Croux 2008).

    −μ + σ φ(z) / tail · (1 + z S / 6 + (z² − 1) K / 24 − (2z² − 1) S² / 36): the expansion
    integrated over the tail, each Hermite term by itself.
    """
    if not _usable(returns, tail_frac, 4):
        return math.nan
    z = _NORMAL.inv_cdf(tail_frac)
    skew, kurtosis = _shape(returns)
    factor = 1 + z * skew / 6 + (z**2 - 1) * kurtosis / 24 - (2 * z**2 - 1) * skew**2 / 36
    deviation = float(np.std(returns, ddof=1))
    return -float(np.mean(returns)) + deviation * _NORMAL.pdf(z) / tail_frac * factor


def ewma_volatility(returns: FloatArray, decay: float) -> FloatArray:
    """Return the root of the exponentially weighted mean of squared returns, row by row.

    Weights decay^0, decay^1, … over the rows there are, summing to one (RiskMetrics 1996, table
    5.1). Causal: row t uses returns ≤ t. A NaN return gives a NaN row and is left out afterwards.
    """
    squares = pd.Series(returns**2)
    mean = squares.ewm(alpha=1.0 - decay, adjust=True, ignore_na=True).mean().to_numpy()
    return np.where(np.isnan(returns), np.nan, np.sqrt(mean))


def ewma_var(returns: FloatArray, tail_frac: float, decay: float) -> FloatArray:
    """Return the VaR of the next row at each row: −z · EWMA volatility, the mean taken as zero."""
    return -_NORMAL.inv_cdf(tail_frac) * ewma_volatility(returns, decay)


def ewma_cvar(returns: FloatArray, tail_frac: float, decay: float) -> FloatArray:
    """Return the CVaR of the next row at each row: φ(z) / tail · EWMA volatility."""
    density = _NORMAL.pdf(_NORMAL.inv_cdf(tail_frac))
    return density / tail_frac * ewma_volatility(returns, decay)


def _shape(returns: FloatArray) -> tuple[float, float]:
    """Return skewness and excess kurtosis by biased moments; 0 where nothing varies."""
    centred = returns - np.mean(returns)
    variance = float(np.mean(centred**2))
    if not variance > 0.0:
        return 0.0, 0.0
    skew = float(np.mean(centred**3)) / variance**1.5
    return skew, float(np.mean(centred**4)) / variance**2 - 3.0


def _usable(returns: FloatArray, tail_frac: float, least: int) -> bool:
    known = len(returns) >= least and not bool(np.isnan(returns).any())
    return known and 0.0 < tail_frac < 1.0
