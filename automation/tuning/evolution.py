"""Evolution: NSGA-II and NSGA-III for one or several losses, CMA-ES for one.

The genetic steps are Optuna's (selection of the elite, crossover, mutation), CMA-ES is that of the
`cmaes` package behind Optuna's sampler, in the form that knows steps and choices (CatCMA with margin,
Hamano et al. 2025). One batch is one generation: it needs the whole batch before it. Trials that were
stopped early or failed count as worse than all that ended.
"""

from typing import Any

import numpy as np
import optuna
from cmaes import CatCMAwM
from optuna.distributions import BaseDistribution
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.samplers._nsgaiii._elite_population_selection_strategy import (
    NSGAIIIElitePopulationSelectionStrategy,
)
from optuna.samplers.nsgaii import UniformCrossover
from optuna.samplers.nsgaii._child_generation_strategy import NSGAIIChildGenerationStrategy
from optuna.samplers.nsgaii._elite_population_selection_strategy import (
    NSGAIIElitePopulationSelectionStrategy,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from automation.tuning.history import History
from automation.tuning.sampling import Fresh, fill_by_chance, rng_of
from automation.tuning.space import Space, Vector
from automation.tuning.study import State, Study
from automation.tuning.tpe import distribution_of

_BEYOND = 1e9  # worse than every loss (Freqtrade's worst is 1e5)
_TRIES = 20  # children for each place, or generations, before chance fills up
_SWAPPING_PROB = 0.5
_CROSSOVER_PROB = 0.9


class Genetic:
    """NSGA-II or NSGA-III: children of the best of the last generation and its parents."""

    lag = 1

    def __init__(self, space: Space, study: Study) -> None:
        """Take the space, the seed and which of the two it is."""
        self._space, self._size, self._seed = space, study.batch, study.seed
        self._is_third = study.sampler == "nsga3"
        self._distributions: dict[str, BaseDistribution] = {
            str(place): distribution_of(space.dimensions[place]) for place in space.free
        }
        self._study = optuna.create_study(directions=["minimize"] * len(study.losses))
        self._constrains = bool(study.constraints)
        self._parents: list[FrozenTrial] = []
        self._at = 0  # parents are those of the generation that follows this batch

    def ask(self, batch: int, history: History) -> Vector:
        """Return the next generation's new children; chance fills up."""
        while self._at < batch:
            self._select(self._at, history)
            self._at += 1
        picked = Fresh(history, batch, self._size)
        if len(self._parents) >= 2 and self._distributions:
            child, even = self._breeder(batch), rng_of(self._seed, batch, 6)
            for _ in range(_TRIES * self._size):
                if picked.is_full():
                    break
                params = child(self._study, self._distributions, self._parents)
                picked.take(self._vector(params, self._space.random(even, 1)[0]))
        fill_by_chance(picked, self._space, rng_of(self._seed, batch, 1))
        return picked.vectors(len(self._space.dimensions))

    def _select(self, batch: int, history: History) -> None:
        places = range(history.upto(batch - 1), history.upto(batch))
        grown = [each for place in places if (each := self._frozen(place, history)) is not None]
        population = self._parents + grown
        if len(population) > self._size:
            rng = LazyRandomState(int(rng_of(self._seed, batch, 3).integers(2**31)))
            choose: Any = (
                NSGAIIIElitePopulationSelectionStrategy(population_size=self._size, rng=rng)
                if self._is_third
                else NSGAIIElitePopulationSelectionStrategy(population_size=self._size)
            )
            population = choose(self._study, population)
        self._parents = population

    def _breeder(self, batch: int) -> Any:
        return NSGAIIChildGenerationStrategy(
            crossover=UniformCrossover(_SWAPPING_PROB),
            crossover_prob=_CROSSOVER_PROB,
            swapping_prob=_SWAPPING_PROB,
            rng=LazyRandomState(int(rng_of(self._seed, batch, 4).integers(2**31))),
        )

    def _vector(self, params: dict[str, Any], even: Vector) -> Vector:
        """Return a child as [1, d]; a mutated parameter is missing and taken from `even`."""
        vector = np.zeros(len(self._space.dimensions))
        for place in self._space.free:
            vector[place] = params.get(str(place), even[place])
        return vector[None, :]

    def _frozen(self, place: int, history: History) -> FrozenTrial | None:
        vector = history.vectors[place]
        if not np.isfinite(vector).all():
            return None
        is_done = history.states[place] == State.DONE
        losses = history.losses[place] if is_done else np.full(history.losses.shape[1], _BEYOND)
        made = create_trial(
            state=TrialState.COMPLETE,
            params={
                str(k): float(vector[k])
                if isinstance(self._distributions[str(k)], optuna.distributions.FloatDistribution)
                else int(vector[k])
                for k in self._space.free
            },
            distributions=self._distributions,
            values=[float(loss) for loss in losses],
            constraints={"broken": float(history.excess[place])} if self._constrains else None,
        )
        made.number = place
        return made


class CovarianceMatrix:
    """CMA-ES with margin: a normal distribution over numbers, and one over choices, that adapt."""

    lag = 1

    def __init__(self, space: Space, study: Study) -> None:
        """Take the space and the seed."""
        self._space, self._size, self._seed = space, study.batch, study.seed
        sizes = space.sizes
        kinds = {place: space.dimensions[place].kind for place in space.free}
        self._reals = [k for k in space.free if np.isinf(sizes[k])]
        self._choices = [k for k in space.free if kinds[k] == "choice" or sizes[k] == 2]
        taken = {*self._reals, *self._choices}
        self._steps = [k for k in space.free if k not in taken]
        self._optimizer: Any = None
        self._asked: list[tuple[Any, Vector]] = []
        self._at = 1  # the batch that is asked for next

    def ask(self, batch: int, history: History) -> Vector:
        """Return the next generation's new vectors; those that are known are told from history."""
        while self._at < batch:  # after a restart: live through the generations again
            self._generation(self._at, history)
            self._at += 1
        self._at = batch + 1
        return self._generation(batch, history)

    def _generation(self, batch: int, history: History) -> Vector:
        picked = Fresh(history, batch, self._size)
        if self._space.free:
            for _ in range(_TRIES):
                self._tell(history)
                self._ask_one(history)
                picked.take(np.array([vector for _, vector in self._asked]))
                if picked.found:
                    break
        if not picked.found:
            fill_by_chance(picked, self._space, rng_of(self._seed, batch, 1))
        return picked.vectors(len(self._space.dimensions))

    def _ask_one(self, history: History) -> None:
        if self._optimizer is None:
            self._optimizer = self._start(history)
        solutions = [self._optimizer.ask() for _ in range(self._size)]
        self._asked = [(each, self._vector(each)) for each in solutions]

    def _start(self, history: History) -> Any:
        """Start at the strategy as it stands, where the space can express it."""
        first = history.vectors[0]
        numeric = [*self._reals, *self._steps]
        known = bool(np.isfinite(first).all()) and bool(numeric)
        low = [self._space.dimensions[k].low for k in self._reals]
        high = [self._space.dimensions[k].high for k in self._reals]
        return CatCMAwM(
            x_space=[list(pair) for pair in zip(low, high, strict=True)] or None,
            z_space=[list(range(int(self._space.sizes[k]))) for k in self._steps] or None,
            c_space=[int(self._space.sizes[k]) for k in self._choices] or None,
            population_size=self._size,
            mean=first[numeric].copy() if known else None,
            seed=int(rng_of(self._seed, 0, 5).integers(2**31)),
        )

    def _vector(self, solution: Any) -> Vector:
        vector = np.zeros(len(self._space.dimensions))
        for places, found in ((self._reals, solution.x), (self._steps, solution.z)):
            if places:
                vector[places] = found
        for place, row in zip(self._choices, solution.c if self._choices else (), strict=True):
            vector[place] = float(np.argmax(row))
        return vector

    def _tell(self, history: History) -> None:
        if not self._asked:
            return
        places = [history.number_of(vector) for _, vector in self._asked]
        worth = [_worth(history, place) for place in places]
        self._optimizer.tell([(each, w) for (each, _), w in zip(self._asked, worth, strict=True)])


def _worth(history: History, place: int | None) -> float:
    """Return a trial's loss, and beyond every loss if it broke a constraint, was stopped or failed."""
    if place is None or history.states[place] != State.DONE:
        return 10 * _BEYOND
    excess = float(history.excess[place])
    return _BEYOND * (1.0 + min(excess, 8.0)) if excess > 0.0 else float(history.losses[place, 0])
