"""Measures of a track record, written once for hyperopt losses, reports and the sidecar.

Arrays of float64 in, numbers out; money in the stake currency, returns and drawdowns as fractions.
No function invents a number: where a measure is undefined (no trades, no losses, no variation)
the result is NaN or, where its limit is plain, an infinity, as each docstring says; a NaN in the
input makes the result NaN. Knows nothing of Freqtrade.
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tradekit.indicators import FloatArray

DAYS_PER_YEAR = 365  # the market never closes
EULER = 0.5772156649015329
_NORMAL = NormalDist()


def sharpe(returns: FloatArray, periods_per_year: float = DAYS_PER_YEAR) -> float:
    """Return mean over standard deviation (n − 1) of `returns`, × √`periods_per_year`.

    Excess return over 0 (Sharpe 1994, The Sharpe Ratio). NaN for fewer than two returns or none
    that differ.
    """
    if len(returns) < 2:
        return math.nan
    deviation = float(np.std(returns, ddof=1))
    if not deviation > 0.0:
        return math.nan
    return float(np.mean(returns)) / deviation * math.sqrt(periods_per_year)


def sortino(
    returns: FloatArray, periods_per_year: float = DAYS_PER_YEAR, target: float = 0.0
) -> float:
    """Return mean excess over `target` over the downside deviation, × √`periods_per_year`.

    Downside deviation: root mean square of the shortfalls over all returns, not only the losing
    ones (Sortino and Price 1994). Infinite with gains and no shortfall; NaN without either.
    """
    if not len(returns):
        return math.nan
    downside = math.sqrt(float(np.mean(np.minimum(returns - target, 0.0) ** 2)))
    excess = float(np.mean(returns)) - target
    if downside == 0.0:
        return math.inf if excess > 0.0 else math.nan
    return excess / downside * math.sqrt(periods_per_year)


def max_drawdown_frac(equity: FloatArray) -> float:
    """Return the deepest fall of `equity` below its highest value so far, as a fraction of that.

    0 for a curve that never falls; NaN for an empty one.
    """
    if not len(equity):
        return math.nan
    peak = np.maximum.accumulate(equity)
    return float(np.max((peak - equity) / peak))


def annual_return_frac(equity: FloatArray, years: float) -> float:
    """Return the yearly compound growth of `equity` from its first to its last value.

    −1 when all is lost; NaN for an empty curve or no time.
    """
    if not len(equity) or not years > 0.0 or not equity[0] > 0.0:
        return math.nan
    growth = float(equity[-1] / equity[0])
    return growth ** (1.0 / years) - 1.0 if growth > 0.0 else -1.0


def calmar(equity: FloatArray, years: float) -> float:
    """Return the annual return over the deepest drawdown (Young 1991).

    Infinite with a gain and no drawdown; NaN without either.
    """
    yearly, fall = annual_return_frac(equity, years), max_drawdown_frac(equity)
    if fall == 0.0:
        return math.inf if yearly > 0.0 else math.nan
    return yearly / fall


def ulcer_frac(equity: FloatArray) -> float:
    """Return the root mean square of the drawdowns of all rows, as a fraction (Martin 1987).

    0 for a curve that never falls; NaN for an empty one.
    """
    if not len(equity):
        return math.nan
    peak = np.maximum.accumulate(equity)
    return math.sqrt(float(np.mean(((peak - equity) / peak) ** 2)))


def sharpe_score(returns: FloatArray, benchmark: float = 0.0) -> float:
    """Return by how many standard errors the Sharpe ratio a period is above `benchmark`.

    (SR − SR*) √(n − 1) / √(1 − γ₃ SR + (γ₄ − 1) / 4 · SR²), moments biased, γ₄ not in excess
    (Bailey and López de Prado 2012, The Sharpe Ratio Efficient Frontier, eq. 11). `benchmark` is a
    period's, not annual. NaN for fewer than three returns or none that differ.
    """
    ratio = sharpe(returns, 1.0)
    if len(returns) < 3 or math.isnan(ratio):
        return math.nan
    centred = returns - np.mean(returns)
    variance = float(np.mean(centred**2))
    skew = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2
    spread = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    if not spread > 0.0:
        return math.nan
    return (ratio - benchmark) * math.sqrt(len(returns) - 1) / math.sqrt(spread)


def probabilistic_sharpe(returns: FloatArray, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio a period is above `benchmark`: Φ of the score."""
    score = sharpe_score(returns, benchmark)
    return _NORMAL.cdf(score) if not math.isnan(score) else math.nan


def expected_best_sharpe(trials: int, sharpe_variance: float) -> float:
    """Return the Sharpe ratio that the best of `trials` strategies without any skill shows by luck.

    √V ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e))), V the variance of the trials' ratios, in the
    same period (Bailey and López de Prado 2014, The Deflated Sharpe Ratio, eq. 1). 0 for one trial.
    """
    if trials < 2 or not sharpe_variance > 0.0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(sharpe_variance) * ((1.0 - EULER) * first + EULER * second)


def deflated_sharpe(returns: FloatArray, trials: int, sharpe_variance: float) -> float:
    """Return the probability that the Sharpe ratio is more than the luck of the best of `trials`.

    `probabilistic_sharpe` against `expected_best_sharpe` (Bailey and López de Prado 2014).
    """
    return probabilistic_sharpe(returns, expected_best_sharpe(trials, sharpe_variance))


def exposure_frac(
    opened_s: npt.NDArray[np.int64], closed_s: npt.NDArray[np.int64], start_s: int, end_s: int
) -> float:
    """Return the part of the time from `start_s` to `end_s` in which at least one trade was open.

    NaN without any time.
    """
    if not end_s > start_s:
        return math.nan
    order = np.argsort(opened_s, kind="stable")
    opened = np.clip(opened_s[order], start_s, end_s)
    closed = np.maximum.accumulate(np.clip(closed_s[order], start_s, end_s))
    before = np.concatenate(([start_s], closed[:-1]))
    covered = np.maximum(closed - np.maximum(opened, before), 0)
    return float(np.sum(covered)) / (end_s - start_s)


def turnover(notionals: FloatArray, mean_equity: float, years: float) -> float:
    """Return how many times a year the account was traded: Σ |notional| of both sides over equity.

    `notionals` are those of all fills, entries and exits; NaN without equity or time.
    """
    if not (mean_equity > 0.0 and years > 0.0):
        return math.nan
    return float(np.sum(np.abs(notionals))) / mean_equity / years


def profit_factor(profits: FloatArray) -> float:
    """Return the sum of gains over the sum of losses; infinite without losses, NaN without either."""
    gains = float(np.sum(np.maximum(profits, 0.0)))
    losses = -float(np.sum(np.minimum(profits, 0.0)))
    if losses == 0.0:
        return math.inf if gains > 0.0 else math.nan
    return gains / losses


def expectancy(profits: FloatArray) -> float:
    """Return the mean profit of a trade in the unit of `profits`; NaN without trades."""
    return float(np.mean(profits)) if len(profits) else math.nan


def cvar_frac(returns: FloatArray, tail_frac: float = 0.05) -> float:
    """Return the mean loss of the worst `tail_frac` of `returns`, positive for a loss.

    Expected shortfall of the empirical distribution, the boundary return counted by the part of it
    that lies in the tail (Acerbi and Tasche 2002, Expected Shortfall, eq. 4.12). NaN without
    returns.
    """
    if not len(returns) or not 0.0 < tail_frac <= 1.0 or bool(np.isnan(returns).any()):
        return math.nan
    worst = np.sort(returns)
    tail = tail_frac * len(worst)
    whole = math.floor(tail)
    part = (tail - whole) * worst[whole] if whole < len(worst) else 0.0
    return -float((np.sum(worst[:whole]) + part) / tail)


def equity_curve(start: float, profits: FloatArray) -> FloatArray:
    """Return `start` and the equity after each of `profits`: one row more than `profits`."""
    return np.concatenate(([start], start + np.cumsum(profits)))


def daily_profits(days: npt.NDArray[np.int64], profits: FloatArray, day_count: int) -> FloatArray:
    """Return the profit of each of `day_count` days; `days` is the day, from 0, of each profit.

    A profit after the last day counts to it: a trade closed on the closing instant.
    """
    last = np.clip(days, 0, day_count - 1)
    return np.bincount(last, weights=profits, minlength=day_count).astype(np.float64)


def daily_equity(
    start: float,
    closed_s: npt.NDArray[np.int64],
    profits: FloatArray,
    start_s: int,
    end_s: int,
) -> FloatArray:
    """Return the equity at `start_s` and after each day, from the instants and profits of trades."""
    day_count = max(math.ceil((end_s - start_s) / 86_400), 1)
    daily = daily_profits((closed_s - start_s) // 86_400, profits, day_count)
    return equity_curve(start, daily)


def returns_of(equity: FloatArray) -> FloatArray:
    """Return the return of each step of `equity`: one row less; 0 from the day all is lost on."""
    before = equity[:-1]
    steps = np.zeros(len(before))
    np.divide(np.diff(equity), before, out=steps, where=before > 0.0)
    return steps


def calmar_with_tail(equity: FloatArray, years: float, tail_days: float) -> float:
    """Return the annual return over drawdown plus `tail_days` × the daily CVaR at 5 %.

    A Calmar ratio that also pays for bad days that happened not to come in a row. A loss is
    multiplied by one plus that risk instead of divided, so that more risk never looks better.
    `equity` is daily. NaN for an empty curve; a gain without any risk is infinite.
    """
    yearly = annual_return_frac(equity, years)
    risk = max_drawdown_frac(equity) + tail_days * max(cvar_frac(returns_of(equity)), 0.0)
    if math.isnan(yearly) or math.isnan(risk):
        return math.nan
    if yearly <= 0.0:
        return yearly * (1.0 + risk)
    return yearly / risk if risk > 0.0 else math.inf


def stationary_resamples(
    rows: int, mean_block: float, resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return `resamples` × `rows` indices of blocks of rows, drawn with replacement.

    The stationary bootstrap: blocks begin anywhere, have geometric lengths of mean `mean_block`
    and wrap around the end, so that neighbouring rows stay together and every row is as likely as
    any other (Politis and Romano 1994, The Stationary Bootstrap, JASA 89).
    """
    drawn = rng.integers(rows, size=(resamples, rows))
    continues = rng.random((resamples, rows)) >= 1.0 / max(mean_block, 1.0)
    for column in range(1, rows):
        following = (drawn[:, column - 1] + 1) % rows
        drawn[:, column] = np.where(continues[:, column], following, drawn[:, column])
    return drawn


def bootstrap_interval(values: FloatArray, confidence: float) -> tuple[float, float]:
    """Return the central interval that holds `confidence` of the resampled `values`.

    The percentile interval (Efron 1979). NaN values are left out; NaN twice if none is left.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(known, [tail, 100.0 - tail])
    return float(low), float(high)
