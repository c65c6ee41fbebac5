"""The loop of a search: plan batches, hand trials to engines, keep their answers.

Decides when the next batch may be drawn (its predecessors are answered), and when there is nothing left
to do. Any number of these loops may work on one study, on any machines: what they share is the
storage. Answers are written every half second, claims are renewed, and a storage that goes away for a
while is waited for. Called by `app`, which gives storage and engines.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from automation.core.errors import ConfigError, DependencyError, TransientError
from automation.core.tunings import Answer, Engines, Task
from automation.tuning.best import best_of
from automation.tuning.history import History
from automation.tuning.samplers import make_sampler
from automation.tuning.space import Space, Vector
from automation.tuning.stopping import bars_of
from automation.tuning.storage import LEASE_S, Storage, owner_name
from automation.tuning.study import Planned, State, Study

FLUSH_S = 0.5
_RENEW_S = LEASE_S / 3
_LOOK_S = 0.2  # at what others have done
_PATIENCE_S = 120.0
_SILENT_TRIALS = 20
_CLAIMED = 16  # at least, in one transaction
T = TypeVar("T")


@dataclass(slots=True)
class Spent:
    """Where the time of this process went, in seconds of its CPU; `engine_s` is wall, in the engines."""

    sampling_s: float = 0.0
    storage_s: float = 0.0
    engine_s: float = 0.0
    wall_s: float = 0.0
    trials: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is. `best` is empty as long as no trial has ended."""

    answered: int
    target: int
    stopped: int
    failed: int
    rate: float
    left_s: float
    best: tuple[float, ...]
    best_number: int


Tell = Callable[[Progress], None]


class Search:
    """One process's part in a study."""

    def __init__(
        self, storage: Storage, study: Study, engines: Engines, tell: Tell, silence: str = ""
    ) -> None:
        """Take what to work with; `silence` is the likely cause where nothing trades."""
        self.storage, self.study, self.engines, self.tell = storage, study, engines, tell
        self.silence, self.spent, self.is_exhausted = silence, Spent(), False
        self._space = Space(self.study.dimensions)
        self._sampler = make_sampler(self._space, self.study)
        self.history = empty_history(self.study)
        self._owner = owner_name()
        self._plans: dict[int, Planned] = {}  # known here and not answered
        self._queue: deque[int] = deque()  # claimed
        self._sent: set[int] = set()
        self._pending: list[Answer] = []  # not stored yet
        self._target = self._low = self._first = 0
        self._first_fault = ""
        self._saw_trades = False
        self._at = dict.fromkeys(("flush", "renew", "look", "begin", "claim"), time.monotonic())

    def run(self) -> History:
        """Work until every trial of the study has its answer.

        Raises ConfigError if no trial trades, DependencyError if the storage stays away.
        """
        self._target = self.storage.target(self.study.name)
        self.storage.release_the_dead(self.study.name)
        self._look()
        begun, self._first = time.monotonic(), self.history.answered
        self._at["begin"] = begun
        try:
            while not self._is_done():
                self._step()
            self._flush()
            self._refuse_silence()  # a search may end before its first pause
        finally:
            self.spent.wall_s = time.monotonic() - begun
            with suppress(DependencyError):  # what is claimed goes back, as far as that is possible
                self.storage.finish(self.study.name, self._pending)
                self.storage.release(self.study.name, self._owner)
        return self.history

    def _step(self) -> None:
        self._plan()
        self._feed()
        answers = self.engines.collect(FLUSH_S if self._is_busy() else _LOOK_S)
        for answer in answers:
            self._sent.discard(answer.number)
            self._first_fault = self._first_fault or answer.fault
            if self.history.tell(answer):
                self._pending.append(answer)
                self._plans.pop(answer.number, None)
                self.spent.trials += 1
                self.spent.engine_s += answer.seconds
        now = time.monotonic()
        if now - self._at["flush"] >= FLUSH_S:
            self._at["flush"] = now
            self._flush()
            self._refuse_silence()
        if now - self._at["renew"] >= _RENEW_S:
            self._at["renew"] = now
            self._patiently(lambda: self.storage.renew(self.study.name, self._owner))
        if not self._is_busy() and now - self._at["look"] >= _LOOK_S:
            self._at["look"] = now
            self._flush()
            self._look()

    def _is_busy(self) -> bool:
        """Tell whether the engines have anything from here, or will have at once."""
        return bool(self._queue) or bool(self._sent)

    def _is_done(self) -> bool:
        return self._floor() >= self._target

    def _floor(self) -> int:
        """Return the lowest trial without an answer."""
        states = self.history.states
        while self._low < len(states) and states[self._low] >= State.DONE:
            self._low += 1
        return self._low

    def _plan(self) -> None:
        """Draw and store the next batch, if it is wanted and its predecessors are answered."""
        history, batch = self.history, self.history.last_batch() + 1
        if history.count >= self._target or not history.is_complete(batch - self._sampler.lag):
            return
        with self._clocked("sampling_s"):
            trials = self._draw(batch)
        if self._patiently(lambda: self.storage.plan(self.study.name, batch, trials)):
            for trial in trials:
                self._note(trial)
            if not trials:
                self._target, self.is_exhausted = history.count, True
        else:  # another process was first
            self._look()
            self._target = self.storage.target(self.study.name)
        history.forget_complete()

    def _draw(self, batch: int) -> list[Planned]:
        if batch == 0:
            current = self._space.encode(self.study.current)
            return [Planned(0, 0, None if current is None else tuple(current.tolist()), None)]
        vectors: Vector = self._sampler.ask(batch, self.history)
        bars: list[tuple[float, ...] | None] = [None] * len(vectors)
        if self.study.stops_early:
            lag, seed = self._sampler.lag, self.study.seed
            bars = bars_of(self.history, batch, lag, seed, len(vectors))
        first = self.history.count
        return [
            Planned(first + k, batch, tuple(vector.tolist()), bar)
            for k, (vector, bar) in enumerate(zip(vectors, bars, strict=True))
        ]

    def _note(self, trial: Planned) -> None:
        if trial.number >= self.history.count:
            self.history.plan(trial)
            self._plans[trial.number] = trial

    def _feed(self) -> None:
        """Claim trials and hand them to the engines, as many as these have room for."""
        room = self.engines.room()
        if len(self._queue) < room:
            self._claim(max(_CLAIMED, room))
        tasks: list[Task] = []
        while self._queue and len(tasks) < room:
            plan = self._plans.get(self._queue.popleft())
            if plan is not None:  # else another process has answered it
                values = None if plan.number == 0 else self._space.decode(np.array(plan.vector))
                tasks.append(Task(plan.number, values, plan.bars))
        self._sent.update(task.number for task in tasks)
        self.engines.send(tasks)

    def _claim(self, count: int) -> None:
        taken = {*self._queue, *self._sent}
        now = time.monotonic()
        if len(self._plans) <= len(taken) or now < self._at["claim"]:
            return
        name, end = self.study.name, min(self._target, self.history.count)
        found = self._patiently(
            lambda: self.storage.claim(name, self._owner, self._floor(), end, count)
        )
        self._queue.extend(number for number in found if number in self._plans)
        if not found:  # all of them are others'
            self._at["claim"] = now + _LOOK_S

    def _look(self) -> None:
        """Take over what other processes planned and answered."""
        rows = self._patiently(lambda: list(self.storage.rows(self.study.name, self._floor())))
        for row in rows:
            self._note(row.plan)
            if row.answer is not None and self.history.tell(row.answer):
                self._plans.pop(row.plan.number, None)

    def _flush(self) -> None:
        """Store the answers that are not stored yet, and tell how far the search is."""
        answers = list(self._pending)
        if answers:
            self._patiently(lambda: self.storage.finish(self.study.name, answers))
            del self._pending[: len(answers)]
        self.tell(self._progress())

    def _progress(self) -> Progress:
        states = self.history.states[: self._target]
        answered = int(np.count_nonzero(states >= State.DONE))
        passed = max(time.monotonic() - self._at["begin"], 1e-9)
        rate = max(0, self.history.answered - self._first) / passed
        best = best_of(self.history)
        losses = () if best is None else tuple(map(float, self.history.losses[best]))
        return Progress(
            answered=answered,
            target=self._target,
            stopped=int(np.count_nonzero(states == State.STOPPED)),
            failed=int(np.count_nonzero(states == State.FAILED)),
            rate=rate,
            left_s=(self._target - answered) / rate if rate > 0 else float("inf"),
            best=losses,
            best_number=-1 if best is None else best,
        )

    def _refuse_silence(self) -> None:
        """Raise ConfigError where nothing trades, as soon as twenty trials say so."""
        if self._saw_trades:
            return
        self._saw_trades = bool(self.history.trades.any())
        states = self.history.states
        if self._saw_trades or np.count_nonzero(states >= State.DONE) < _SILENT_TRIALS:
            return
        where = str(self.study.job["strategy"])
        if np.all(states[states >= State.DONE] == State.FAILED):
            raise DependencyError(
                "no trial could be evaluated", where=where, cure=self._first_fault
            )
        cause = self.silence or "its conditions never hold in this range"
        raise ConfigError(
            f"none of the first {int(np.count_nonzero(states >= State.DONE))} trials trades: {cause}",
            where=where,
            cure="choose another range, other pairs, or wider spaces",
        )

    def _patiently(self, call: Callable[[], T]) -> T:
        """Call the storage; wait for one that went away, for two minutes."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with self._clocked("storage_s"):
                    return call()
            except TransientError as error:
                if time.monotonic() > deadline:
                    raise DependencyError(
                        str(error), cure="the study goes on with the same command"
                    ) from None
                time.sleep(FLUSH_S)

    @contextmanager
    def _clocked(self, name: str) -> Iterator[None]:
        begun = time.process_time()
        try:
            yield
        finally:
            setattr(self.spent, name, getattr(self.spent, name) + time.process_time() - begun)


def empty_history(study: Study) -> History:
    """Return a history for the study's trials."""
    return History(len(study.dimensions), len(study.losses), study.constraints, study.batch)


def read_history(storage: Storage, study: Study) -> History:
    """Return all that is stored of a study."""
    history = empty_history(study)
    for row in storage.rows(study.name):
        history.plan(row.plan)
        if row.answer is not None:
            history.tell(row.answer)
    return history
