"""Is the market calm or wild, does it trend or range: rules, and causal filters with given parameters.

The filters run inside a bot and need numpy only; their parameters are fitted elsewhere, on past data, and
come as a file (`parameters_of`): a series of fits, each with the period that it has seen. Row t
uses the last fit that had seen nothing later than t's opening; before the first fit there is none
(NaN). A file whose checksum, form or dates do not hold is refused with a ValueError.
Knows nothing of strategies or Freqtrade. Called by strategies' `columns`, written for by
`freqfleet train regime`.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tradekit.indicators import FloatArray, ratio, shifted, volatility_frac

KIND = "freqfleet regime 1"
RANGE, TREND_UP, TREND_DOWN, WILD = 0, 1, -1, 2


class Fit(NamedTuple):
    """Parameters of one fit: what it saw, and the two models of standardised returns.

    `stay_calm` and `stay_wild` are the probabilities to remain in a state; deviations and GARCH's
    ω, α, β are those of returns divided by their slow volatility, so that they suit any pair.
    """

    fitted_from_s: int
    fitted_until_s: int
    stay_calm: float
    stay_wild: float
    calm_deviation: float
    wild_deviation: float
    omega: float
    alpha: float
    beta: float


class Parameters(NamedTuple):
    """A checked file: fits in the order of time, for one timeframe and one slow window."""

    timeframe: str
    slow_candles: int
    fits: tuple[Fit, ...]


def standardised_returns(close: FloatArray, slow_candles: int) -> FloatArray:
    """Return log returns over the volatility of the `slow_candles` before them, that row not included."""
    returns = np.diff(np.log(close), prepend=np.nan)
    return ratio(returns, shifted(volatility_frac(close, slow_candles), 1))


def rule_regime(
    close: FloatArray, efficiency: FloatArray, fast: FloatArray, slow: FloatArray, window: int
) -> npt.NDArray[np.int64]:
    """Return RANGE, TREND_UP, TREND_DOWN or WILD per row, by three plain rules.

    WILD where the fast volatility is above 1.5 times the slow one, a trend where Kaufman's
    efficiency over `window` rows is at least 0.3, by the sign of the way made. WILD where a number
    is missing.
    """
    way = close - shifted(close, window)
    trend = np.where(way > 0.0, TREND_UP, TREND_DOWN)
    found = np.where(efficiency >= 0.3, trend, RANGE)
    unknown = np.isnan(efficiency) | np.isnan(fast) | np.isnan(slow) | np.isnan(way)
    return np.where(unknown | (fast > 1.5 * slow), WILD, found).astype(np.int64)


def wild_probability(
    returns: FloatArray, opened_s: FloatArray, parameters: Parameters
) -> FloatArray:
    """Return the probability of the wild state at each row, given the returns up to it.

    The forward filter of a two-state Gaussian hidden Markov model, means zero (Hamilton 1989):
    the odds r move by r ← L (q₀ + p₁ r) / (p₀ + q₁ r), L the likelihood ratio of the row's return.
    A missing return only lets the chain move. NaN before the first fit.
    """
    found = np.full(len(returns), np.nan)
    which = _fit_of_rows(opened_s, parameters.fits)
    for index, rows in _stretches(which):
        fit = parameters.fits[index]
        start = found[rows.start - 1] if rows.start else np.nan
        odds = _stationary_odds(fit) if math.isnan(start) else _odds(start)
        found[rows] = _filtered(_log_likelihood_ratio(returns[rows], fit), odds, fit)
    return found


def garch_volatility(
    returns: FloatArray, opened_s: FloatArray, parameters: Parameters
) -> FloatArray:
    """Return GARCH(1,1)'s deviation of the next row's return at each row (Bollerslev 1986).

    σ²ₜ₊₁ = ω + α x²ₜ + β σ²ₜ, begun at the long-run variance; a missing return counts as its
    expectation. In units of the slow volatility. NaN before the first fit.
    """
    found = np.full(len(returns), np.nan)
    which = _fit_of_rows(opened_s, parameters.fits)
    variance = math.nan
    for index, rows in _stretches(which):
        fit = parameters.fits[index]
        if math.isnan(variance):
            variance = fit.omega / (1.0 - fit.alpha - fit.beta)
        variances = []
        for value in returns[rows].tolist():
            square = value * value if value == value else variance  # noqa: PLR0124  not NaN
            variance = fit.omega + fit.alpha * square + fit.beta * variance
            variances.append(variance)
        found[rows] = np.sqrt(variances)
    return found


def wild_scale(probability: FloatArray, lowest: float) -> FloatArray:
    """Return 1 − (1 − `lowest`) · P(wild) per row; `lowest` where the probability is not known."""
    return np.where(np.isnan(probability), lowest, 1.0 - (1.0 - lowest) * probability)


def file_text(
    timeframe: str,
    slow_candles: int,
    pairs: Sequence[str],
    data_sha256: str,
    fits: Sequence[Fit],
) -> str:
    """Return the file of a series of fits, with the checksum of everything else in it."""
    document: dict[str, Any] = {
        "kind": KIND,
        "timeframe": timeframe,
        "slow_candles": slow_candles,
        "pairs": list(pairs),
        "data_sha256": data_sha256,
        "fits": [fit._asdict() for fit in fits],
    }
    return json.dumps(document | {"checksum": _checksum(document)}, indent=1) + "\n"


def parameters_of(text: str, timeframe: str, now_s: float) -> Parameters:
    """Read and check a file of parameters for `timeframe`, as known at `now_s`.

    Raises ValueError, naming what is wrong: no such file, a changed one, another timeframe, a fit
    that has seen what comes after `now_s`, fits out of order, parameters out of range.
    """
    try:
        document = json.loads(text)
        claimed = document.pop("checksum")
        fits = tuple(_fit(given) for given in document["fits"])
        slow_candles = int(document["slow_candles"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a file of regime parameters: {error}") from None
    if document.get("kind") != KIND:
        raise ValueError(f"not a file of regime parameters of this kind ({KIND})")
    if claimed != _checksum(document):
        raise ValueError("the file of regime parameters was changed: its checksum does not hold")
    if document.get("timeframe") != timeframe:
        raise ValueError(
            f"regime parameters of {document.get('timeframe')} candles, not {timeframe}"
        )
    if not fits or slow_candles < 2:
        raise ValueError("the file of regime parameters holds no fit")
    if any(not fit.fitted_from_s < fit.fitted_until_s <= now_s for fit in fits):
        raise ValueError("the regime parameters were trained on the future")
    if any(not a.fitted_until_s < b.fitted_until_s for a, b in pairwise(fits)):
        raise ValueError("the fits of the regime parameters are not in the order of time")
    if not all(_is_sound(fit) for fit in fits):
        raise ValueError("a regime parameter is out of its range")
    return Parameters(timeframe, slow_candles, fits)


def _fit(given: Mapping[str, Any]) -> Fit:
    numbers = {name: float(given[name]) for name in Fit._fields}
    seen = {name: int(given[name]) for name in ("fitted_from_s", "fitted_until_s")}
    return Fit(**{**numbers, **seen})  # type: ignore[arg-type]


def _is_sound(fit: Fit) -> bool:
    chain = 0.0 < fit.stay_calm < 1.0 and 0.0 < fit.stay_wild < 1.0
    states = 0.0 < fit.calm_deviation < fit.wild_deviation < math.inf
    garch = fit.omega > 0.0 and fit.alpha >= 0.0 and fit.beta >= 0.0 and fit.alpha + fit.beta < 1.0
    return chain and states and garch


def _checksum(document: Mapping[str, Any]) -> str:
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _fit_of_rows(opened_s: FloatArray, fits: Sequence[Fit]) -> npt.NDArray[np.int64]:
    """Return the last fit that had seen nothing after each row's opening; −1 where there is none."""
    seen = np.array([fit.fitted_until_s for fit in fits], dtype=np.float64)
    return np.asarray(np.searchsorted(seen, opened_s, side="right") - 1, dtype=np.int64)


def _stretches(which: npt.NDArray[np.int64]) -> list[tuple[int, slice]]:
    edges = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(which)]
    found = [(int(which[a]), slice(a, b)) for a, b in pairwise(edges) if b > a]
    return [(index, rows) for index, rows in found if index >= 0]


def _stationary_odds(fit: Fit) -> float:
    return (1.0 - fit.stay_calm) / (1.0 - fit.stay_wild)


def _odds(probability: float) -> float:
    return probability / max(1.0 - probability, 1e-300)


def _log_likelihood_ratio(returns: FloatArray, fit: Fit) -> FloatArray:
    calm, wild = fit.calm_deviation, fit.wild_deviation
    ratios = math.log(calm / wild) + 0.5 * returns**2 * (1.0 / calm**2 - 1.0 / wild**2)
    return np.where(np.isnan(ratios), 0.0, np.clip(ratios, -50.0, 50.0))


def _filtered(log_ratios: FloatArray, odds: float, fit: Fit) -> FloatArray:
    leave_calm, leave_wild = 1.0 - fit.stay_calm, 1.0 - fit.stay_wild
    found = []
    for likelihood in np.exp(log_ratios).tolist():
        moved = (leave_calm + fit.stay_wild * odds) / (fit.stay_calm + leave_wild * odds)
        odds = likelihood * moved
        found.append(odds)
    series = np.array(found)
    return series / (1.0 + series)
