"""Fits the regime models by walk-forward: every fit sees only what is older than its date.

Reads a Freqtrade data folder, standardises the returns of every pair, and fits a two-state hidden
Markov model (hmmlearn) over all pairs and a GARCH(1,1) (arch) to each, of which the median is
kept. Decides nothing about their use. Called by `app.training`, in a process of its own.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from automation.core.errors import ConfigError
from tradekit.indicators import FloatArray
from tradekit.regime import Fit, file_text, standardised_returns

LEAST_ROWS = 2_000
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class RegimeJob:
    """What to fit: candles of `pairs` before `until`, a fit every `step_days` over `window_days`."""

    data: Path
    pairs: tuple[str, ...]
    timeframe: str
    until: datetime
    window_days: int
    step_days: int
    slow_days: int


@dataclass(frozen=True, slots=True)
class TrainedRegime:
    """The file's text and what to say of it."""

    text: str
    fits: tuple[Fit, ...]
    data_sha256: str


def fit_regime(job: RegimeJob) -> TrainedRegime:
    """Fit the series of parameters; raises ConfigError where data are missing or too short."""
    slow_candles = job.slow_days * _DAY_S // _candle_s(job.timeframe)
    digest = hashlib.sha256()
    series = [_standardised(job, pair, slow_candles, digest) for pair in job.pairs]
    until_s = int(job.until.timestamp())
    first_s = min(int(opened[0]) for opened, _ in series)
    fits = [
        _fit_window(series, end_s - job.window_days * _DAY_S, end_s)
        for end_s in _ends(first_s, until_s, job.window_days, job.step_days)
    ]
    if not fits:
        raise ConfigError(
            f"the data before {job.until:%Y-%m-%d} do not fill one window of {job.window_days} days",
            where=str(job.data),
            cure="choose a later --until or a shorter --window-days",
        )
    text = file_text(job.timeframe, slow_candles, job.pairs, digest.hexdigest(), fits)
    return TrainedRegime(text, tuple(fits), digest.hexdigest())


def _ends(first_s: int, until_s: int, window_days: int, step_days: int) -> list[int]:
    """Return the instants to fit at, the last one `until_s`, in the order of time."""
    ends = range(until_s, first_s + window_days * _DAY_S - 1, -step_days * _DAY_S)
    return sorted(ends)


def _standardised(
    job: RegimeJob, pair: str, slow_candles: int, digest: "hashlib._Hash"
) -> tuple[FloatArray, FloatArray]:
    """Return opening seconds and standardised returns of one pair, before `until`."""
    name = pair.replace("/", "_").replace(":", "_")
    path = job.data / "futures" / f"{name}-{job.timeframe}-futures.feather"
    if not path.is_file():
        raise ConfigError(f"no {job.timeframe} candles of {pair}", where=str(path))
    frame = pd.read_feather(path, columns=["date", "close"])
    frame = frame[frame["date"] < pd.Timestamp(job.until)]
    opened = frame["date"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    close = frame["close"].to_numpy(dtype=np.float64)
    if len(close) < slow_candles + LEAST_ROWS:
        raise ConfigError(f"only {len(close)} candles of {pair} are older", where=str(path))
    digest.update(opened.tobytes() + close.tobytes())
    return opened.astype(np.float64), standardised_returns(close, slow_candles)


def _fit_window(series: Sequence[tuple[FloatArray, FloatArray]], start_s: int, end_s: int) -> Fit:
    within = [values[(opened >= start_s) & (opened < end_s)] for opened, values in series]
    known = [values[np.isfinite(values)] for values in within]
    known = [values for values in known if len(values) >= LEAST_ROWS]
    if not known:
        raise ConfigError(f"too few candles before {datetime.fromtimestamp(end_s).date()}")  # noqa: DTZ006
    return Fit(start_s, end_s, *_fit_chain(known), *_fit_garch(known))


def _fit_chain(samples: Sequence[FloatArray]) -> tuple[float, float, float, float]:
    """Return the probabilities to stay calm and wild, and both deviations."""
    from hmmlearn.hmm import GaussianHMM  # noqa: PLC0415  half a second that only training pays

    values = np.concatenate(samples)
    deviation = float(np.std(values))
    model = GaussianHMM(
        2, "diag", init_params="", params="stmc", n_iter=60, tol=1.0, random_state=0, min_covar=1e-6
    )
    model.startprob_ = np.array([0.8, 0.2])
    model.transmat_ = np.array([[0.98, 0.02], [0.05, 0.95]])
    model.means_ = np.zeros((2, 1))
    model.covars_ = np.array([[(0.6 * deviation) ** 2], [(1.8 * deviation) ** 2]])
    model.fit(values.reshape(-1, 1), lengths=[len(sample) for sample in samples])
    # the filter's means are zero: what hmmlearn found of one counts to the deviation
    deviations = np.sqrt(model.covars_.reshape(2) + model.means_.reshape(2) ** 2)
    calm, wild = (0, 1) if deviations[0] <= deviations[1] else (1, 0)
    stay = np.clip(np.diag(model.transmat_), 0.5, 0.99)
    return float(stay[calm]), float(stay[wild]), float(deviations[calm]), float(deviations[wild])


def _fit_garch(samples: Sequence[FloatArray]) -> tuple[float, float, float]:
    """Return the median ω, α, β over the pairs, kept stationary."""
    from arch import arch_model  # noqa: PLC0415

    found = []
    for values in samples:
        model = arch_model(values, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
        fitted = model.fit(disp="off", show_warning=False).params
        found.append([fitted["omega"], fitted["alpha[1]"], fitted["beta[1]"]])
    omega, alpha, beta = np.median(np.array(found), axis=0)
    shrink = min(1.0, 0.999 / max(alpha + beta, 1e-9))
    return max(float(omega), 1e-9), float(alpha * shrink), float(beta * shrink)


def _candle_s(timeframe: str) -> int:
    unit = {"m": 60, "h": 3_600, "d": _DAY_S}.get(timeframe[-1:])
    if unit is None or not timeframe[:-1].isdigit() or not int(timeframe[:-1]):
        raise ConfigError(
            f"{timeframe!r} is no timeframe", where="--timeframe", cure="say 5m or 1h"
        )
    return int(timeframe[:-1]) * unit
