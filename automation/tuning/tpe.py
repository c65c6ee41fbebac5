"""The tree-structured Parzen estimator, fitted once a batch to a bounded history.

Optuna's estimator (`optuna.samplers._tpe.parzen_estimator`), with two differences that keep a trial
cheap. A batch is drawn from one fit, which is what Optuna does for trials that are asked for at the
same time; and the fit sees the best trials of all and the latest of the rest, so that its cost does
not grow with the study. Densities are Optuna's formula over whole arrays instead of one number at a
time (Watanabe 2023, "Tree-structured Parzen estimator: understanding its algorithm components").
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights
from optuna.study._multi_objective import _fast_non_domination_rank
from scipy.special import ndtr, ndtri

from automation.core.tunings import Dimension
from automation.tuning.history import History
from automation.tuning.sampling import Fresh, fill_by_chance, rng_of
from automation.tuning.space import Space, Vector
from automation.tuning.study import State, Study

optuna.logging.set_verbosity(optuna.logging.WARNING)  # the command line says what there is to say

LEAST_TRIALS = 20  # answered ones; before, chance draws
MOST_GOOD = 25
GOOD_FRAC = 0.1
OTHERS = 100  # the latest of those that are not good
CANDIDATES = 24  # drawn for each place of a batch
_ROUNDS = 3
_TINY = 1e-300
_FRONT_WINDOW = 400
Places = npt.NDArray[np.int64]


class Parzen:
    """Draws where good trials are dense and others are not."""

    lag = 2

    def __init__(self, space: Space, study: Study) -> None:
        """Take the space and the seed."""
        self._space, self._size, self._seed = space, study.batch, study.seed
        self._distributions: dict[str, BaseDistribution] = {
            str(place): distribution_of(space.dimensions[place]) for place in space.free
        }
        self._parameters = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)

    def ask(self, batch: int, history: History) -> Vector:
        """Return a batch drawn from the good trials' density, each the best of 24 candidates."""
        picked = Fresh(history, batch, self._size)
        good, others = split(history, history.upto(batch - self.lag))
        if len(good) + len(others) >= LEAST_TRIALS and self._distributions:
            self._draw(history, good, others, picked, rng_of(self._seed, batch, 2))
        fill_by_chance(picked, self._space, rng_of(self._seed, batch, 1))
        return picked.vectors(len(self._space.dimensions))

    def _draw(
        self,
        history: History,
        good: Places,
        others: Places,
        picked: Fresh,
        rng: np.random.Generator,
    ) -> None:
        below, above = self._fit(history, good), self._fit(history, others)
        for _ in range(_ROUNDS):
            samples = draw(below, rng, CANDIDATES * self._size)
            score = log_density(below, samples) - log_density(above, samples)
            best = np.argmax(score.reshape(self._size, CANDIDATES), axis=1)
            chosen = samples.reshape(self._size, CANDIDATES, -1)[np.arange(self._size), best]
            vectors = np.zeros((self._size, len(self._space.dimensions)))
            vectors[:, list(self._space.free)] = chosen
            picked.take(vectors)
            if picked.is_full():
                return

    def _fit(self, history: History, places: Places) -> Any:
        seen = history.vectors[places]
        observations = {str(place): seen[:, place] for place in self._space.free}
        return _ParzenEstimator(observations, self._distributions, self._parameters)


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return Optuna's distribution of a dimension's vector entry."""
    size = dimension.size()
    if dimension.kind == "choice":
        return CategoricalDistribution(tuple(range(int(size))))
    if np.isinf(size):
        return FloatDistribution(dimension.low, dimension.high)
    return IntDistribution(0, int(size) - 1)


def split(history: History, count: int) -> tuple[Places, Places]:
    """Return the good trials of the first `count`, and the latest of the others, oldest first.

    Good are the best tenth of the finished, 25 at most; broken constraints count before losses, and
    trials that were stopped early are never good.
    """
    states, vectors = history.states[:count], history.vectors[:count]
    usable = np.isfinite(vectors).all(axis=1)
    done = np.flatnonzero(usable & (states == State.DONE))
    poor = np.flatnonzero(usable & (states == State.STOPPED))
    wanted = min(int(np.ceil(GOOD_FRAC * (len(done) + len(poor)))), MOST_GOOD, len(done))
    ranked = rank(history, done)
    good = np.sort(ranked[:wanted])
    others = np.sort(np.concatenate([ranked[wanted:], poor]))[-OTHERS:]
    return good, others


def rank(history: History, places: Places) -> Places:
    """Order finished trials, best first: kept constraints, then the loss, or the front they are on."""
    excess = history.excess[places]
    losses = history.losses[places]
    if losses.shape[1] == 1:
        return places[np.lexsort((places, losses[:, 0], excess))]
    recent = np.arange(len(places)) >= len(places) - _FRONT_WINDOW
    leading = np.zeros(len(places), dtype=bool)
    for column in losses.T:
        leading[np.lexsort((places, column, excess))[:MOST_GOOD]] = True
    inside = np.flatnonzero(recent | leading)
    fronts = np.full(len(places), len(places), dtype=np.int64)
    if len(inside):
        fronts[inside] = _fast_non_domination_rank(losses[inside])
    scale = np.argsort(np.argsort(losses, axis=0, kind="stable"), axis=0).mean(axis=1)
    return places[np.lexsort((places, scale, fronts, excess))]


def log_density(estimator: Any, samples: Vector) -> Vector:
    """Return the log density of Optuna's mixture of products at `samples` [n, d]."""
    mixture = _mixture(estimator)
    total = np.broadcast_to(np.log(mixture.weights), (len(samples), len(mixture.weights))).copy()
    for column, each in zip(samples.T, mixture.distributions, strict=True):
        total += _log_part(each, column)
    highest = total.max(axis=1)
    summed: Vector = np.log(np.exp(total - highest[:, None]).sum(axis=1)) + highest
    return summed


def _mixture(estimator: Any) -> Any:
    return estimator._mixture_distribution  # noqa: SLF001 - Optuna offers no other way in


def draw(estimator: Any, rng: np.random.Generator, count: int) -> Vector:
    """Return `count` draws [n, d] of Optuna's mixture of products."""
    mixture = _mixture(estimator)
    kernel = rng.choice(len(mixture.weights), p=mixture.weights, size=count)
    made = np.empty((count, len(mixture.distributions)))
    for k, each in enumerate(mixture.distributions):
        share = rng.random(count)
        if hasattr(each, "weights"):
            cumulated = np.cumsum(each.weights[kernel], axis=1)[:, :-1]
            made[:, k] = (cumulated < share[:, None]).sum(axis=1)
            continue
        mu, sigma = each.mu[kernel], each.sigma[kernel]
        low, high = ndtr((each.adapted_low - mu) / sigma), ndtr((each.adapted_high - mu) / sigma)
        found = mu + sigma * ndtri(low + share * (high - low))
        made[:, k] = np.clip(np.rint(found) if each.step else found, each.low, each.high)
    return made


def _log_part(each: Any, column: Vector) -> Vector:
    """Return one dimension's log density [n, kernels].

    Far from a kernel its mass is rounded to nothing; there the prior's wide kernel decides.
    """
    if hasattr(each, "weights"):
        return np.asarray(np.log(each.weights.T)[column.astype(np.int64)])
    whole = ndtr((each.adapted_high - each.mu) / each.sigma) - ndtr(
        (each.adapted_low - each.mu) / each.sigma
    )
    if not each.step:
        x = (column[:, None] - each.mu) / each.sigma
        return np.asarray(-0.5 * x**2 - np.log(np.sqrt(2 * np.pi) * each.sigma * whole))
    edges = np.arange(each.low, each.high + 1.5) - 0.5  # indices: the step is 1
    mass = np.diff(ndtr((edges[:, None] - each.mu) / each.sigma), axis=0)
    table = np.log(np.maximum(mass, _TINY) / whole)
    return np.asarray(table[(column - each.low).astype(np.int64)])
