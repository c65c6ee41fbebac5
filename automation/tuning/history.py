"""All trials of a study in arrays, in the order of their numbers.

Small enough for a hundred thousand trials, and quick to slice: what a sampler may see of it is always
a prefix, whole batches only. Kept by `search`, read by the samplers and by `stopping`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from automation.core.tunings import Answer
from automation.tuning.space import Vector, key_of
from automation.tuning.study import Constraint, Planned, State, state_of

_FIRST_ROOM = 1024


class History:
    """Trials 0 … n−1. Rows without an answer are WAITING; a vector that is not of the space is NaN."""

    def __init__(
        self, dimensions: int, losses: int, constraints: Sequence[Constraint], batch: int
    ) -> None:
        """Begin without trials."""
        self._constraints = tuple(constraints)
        self.batch_size = batch
        self.count = 0
        self._vectors = np.full((_FIRST_ROOM, dimensions), np.nan)
        self._losses = np.full((_FIRST_ROOM, losses), np.nan)
        self._heads = np.full((_FIRST_ROOM, losses), np.nan)
        self._excess = np.zeros(_FIRST_ROOM)
        self._trades = np.zeros(_FIRST_ROOM)
        self._states = np.zeros(_FIRST_ROOM, dtype=np.int8)
        self._batches = np.zeros(_FIRST_ROOM, dtype=np.int32)
        self._has_bars = np.zeros(_FIRST_ROOM, dtype=np.bool_)
        self._numbers: dict[bytes, int] = {}
        self._open_per_batch: dict[int, int] = {}
        self.answered = 0

    @property
    def vectors(self) -> Vector:
        """[n, d] parameters."""
        return self._vectors[: self.count]

    @property
    def losses(self) -> Vector:
        """[n, k] losses of whole backtests, NaN elsewhere."""
        return self._losses[: self.count]

    @property
    def heads(self) -> Vector:
        """[n, k] losses of the first slice, NaN where it was not run."""
        return self._heads[: self.count]

    @property
    def excess(self) -> Vector:
        """[n] sum of broken constraints, 0 where all are kept."""
        return self._excess[: self.count]

    @property
    def trades(self) -> Vector:
        """[n] numbers of trades."""
        return self._trades[: self.count]

    @property
    def states(self) -> npt.NDArray[np.int8]:
        """[n] `State`."""
        return self._states[: self.count]

    @property
    def batches(self) -> npt.NDArray[np.int32]:
        """[n] batch numbers, ascending."""
        return self._batches[: self.count]

    @property
    def has_bars(self) -> npt.NDArray[np.bool_]:
        """[n] whether the first slice was asked for."""
        return self._has_bars[: self.count]

    def plan(self, trial: Planned) -> None:
        """Add the next trial; one that is known already is left alone."""
        if trial.number < self.count:
            return
        assert trial.number == self.count
        if self.count == len(self._states):
            self._grow()
        place = self.count
        if trial.vector is not None:
            self._vectors[place] = trial.vector
            self._numbers.setdefault(key_of(self._vectors[place]), place)
        self._batches[place] = trial.batch
        self._has_bars[place] = trial.bars is not None
        self._open_per_batch[trial.batch] = self._open_per_batch.get(trial.batch, 0) + 1
        self.count += 1

    def tell(self, answer: Answer) -> bool:
        """Write an answer; False if the trial had one."""
        place = answer.number
        if self._states[place] >= State.DONE:
            return False
        state = state_of(answer)
        self._states[place] = state
        if state == State.DONE:
            self._losses[place] = answer.losses
            broken = (each.violation(answer.figures) for each in self._constraints)
            self._excess[place] = sum(max(value, 0.0) for value in broken)
        if answer.head_losses:
            self._heads[place] = answer.head_losses
        self._trades[place] = answer.figures.get("trades", 0.0)
        self._open_per_batch[int(self._batches[place])] -= 1
        self.answered += 1
        return True

    def last_batch(self) -> int:
        """Return the last planned batch, −1 if there is none."""
        return int(self._batches[self.count - 1]) if self.count else -1

    def is_complete(self, batch: int) -> bool:
        """Tell whether every trial up to and of `batch` has its answer."""
        return all(left == 0 for each, left in self._open_per_batch.items() if each <= batch)

    def forget_complete(self) -> None:
        """Keep counters of open batches only."""
        self._open_per_batch = {each: left for each, left in self._open_per_batch.items() if left}

    def upto(self, batch: int) -> int:
        """Return how many trials the batches up to `batch` have."""
        return int(np.searchsorted(self.batches, batch, side="right"))

    def number_of(self, vector: Vector) -> int | None:
        """Return the trial with these parameters."""
        return self._numbers.get(key_of(vector))

    def is_known(self, vector: Vector, before: int) -> bool:
        """Tell whether a batch before `before` has these parameters."""
        found = self._numbers.get(key_of(vector))
        return found is not None and int(self._batches[found]) < before

    def _grow(self) -> None:
        for name in ("_vectors", "_losses", "_heads"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.full_like(old, np.nan)]))
        for name in ("_excess", "_trades", "_states", "_batches", "_has_bars"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
