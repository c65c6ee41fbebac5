"""Which parameters to try next: the protocol of samplers, and the two that learn nothing.

A sampler answers batch by batch. What it draws for a batch depends on the seed, the batch's number and
the trials up to batch − `lag`, so any process draws the same, and a restarted one goes on as if it
had never stopped. Called by `search`.
"""

import warnings
from typing import Protocol

import numpy as np
from scipy.stats import qmc

from automation.tuning.history import History
from automation.tuning.space import Space, Vector, key_of
from automation.tuning.study import Study

_ROUNDS = 30  # draws of a whole batch before a space counts as tried out
_SOBOL_BITS = 30


class Sampler(Protocol):
    """Draws batches of vectors that no batch before has."""

    lag: int
    """A batch needs the trials up to this many batches before it."""

    def ask(self, batch: int, history: History) -> Vector:
        """Return up to a batch of vectors, each new; fewer or none when nothing new is found."""
        ...


class Sobol:
    """A scrambled Sobol sequence: covers the space more evenly than chance, and learns nothing.

    The sequence is drawn in order; points whose cell was drawn before are passed over.
    """

    lag = 2

    def __init__(self, space: Space, study: Study) -> None:
        """Begin the sequence of the study's seed."""
        self._space, self._size = space, study.batch
        self._engine = qmc.Sobol(
            max(1, len(space.free)),
            scramble=True,
            bits=_SOBOL_BITS,
            rng=np.random.default_rng(study.seed),
        )
        self._at = 0  # the batch that is drawn next

    def ask(self, batch: int, history: History) -> Vector:
        """Return the next points of the sequence."""
        while self._at < batch:  # after a restart: pass over what was drawn then
            self._at += 1
            if self._at < batch:
                self._draw(self._at, history)
        return self._draw(batch, history)

    def _draw(self, batch: int, history: History) -> Vector:
        picked = Fresh(history, batch, self._size)
        for _ in range(_ROUNDS):
            with warnings.catch_warnings():  # balance wants powers of two; batches are no such
                warnings.simplefilter("ignore", UserWarning)
                points = np.atleast_2d(self._engine.random(self._size - len(picked.found)))
            picked.take(self._space.from_cube(points))
            if picked.is_full():
                break
        return picked.vectors(len(self._space.dimensions))


class Chance:
    """Draws evenly."""

    lag = 2

    def __init__(self, space: Space, study: Study) -> None:
        """Take the space and the seed."""
        self._space, self._size, self._seed = space, study.batch, study.seed

    def ask(self, batch: int, history: History) -> Vector:
        """Return vectors drawn evenly."""
        picked = Fresh(history, batch, self._size)
        fill_by_chance(picked, self._space, rng_of(self._seed, batch, 1))
        return picked.vectors(len(self._space.dimensions))


class Fresh:
    """Collects vectors that are new to the study, up to `size`."""

    def __init__(self, history: History, batch: int, size: int) -> None:
        """New means: in no batch before `batch`."""
        self._history, self._batch, self._size = history, batch, size
        self._keys: set[bytes] = set()
        self.found: list[Vector] = []

    def is_full(self) -> bool:
        """Tell whether there are enough."""
        return len(self.found) >= self._size

    def take(self, vectors: Vector) -> None:
        """Keep those that are new, as long as there is room."""
        for vector in vectors:
            key = key_of(vector)
            if self.is_full():
                return
            if key not in self._keys and not self._history.is_known(vector, self._batch):
                self._keys.add(key)
                self.found.append(vector)

    def vectors(self, dimensions: int) -> Vector:
        """Return what was kept."""
        return np.array(self.found) if self.found else np.zeros((0, dimensions))


def fill_by_chance(picked: Fresh, space: Space, rng: np.random.Generator) -> None:
    """Draw evenly until there are enough, or nothing new is found."""
    for _ in range(_ROUNDS):
        if picked.is_full():
            return
        picked.take(space.random(rng, 64))


def rng_of(seed: int, batch: int, purpose: int) -> np.random.Generator:
    """Return the random numbers of one batch and purpose."""
    return np.random.default_rng([seed, batch, purpose])
