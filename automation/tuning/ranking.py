"""Which trial to choose, the front of several losses, and which parameters matter.

Called by `report` and by `app` when a study is shown or promoted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial

from automation.core.errors import ConfigError
from automation.core.tunings import Answer
from automation.tuning.best import best_of, front
from automation.tuning.history import History
from automation.tuning.search import empty_history
from automation.tuning.space import Space
from automation.tuning.storage import Storage
from automation.tuning.study import Planned, State, Study
from automation.tuning.tpe import distribution_of

_LEAST_FOR_IMPORTANCE = 40
_MOST_FOR_IMPORTANCE = 1000
_FRONT_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Ranked:
    """One finished trial, in full. `values` of trial 0 are the strategy as it stands."""

    number: int
    losses: tuple[float, ...]
    figures: dict[str, float]
    values: dict[str, Any]
    keeps_constraints: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a study found."""

    study: Study
    target: int
    answered: int
    finished: int
    stopped: int
    failed: int
    engine_s: float
    best: Ranked | None
    current: Ranked | None
    front: tuple[Ranked, ...]
    importance: dict[str, float]


def summarise(storage: Storage, name: str) -> Summary:
    """Read a study and say what it found; raises ConfigError if there is none of that name."""
    study = storage.study(name)
    target = storage.target(name)
    history, plans, answers, engine_s = empty_history(study), {}, {}, 0.0
    for row in storage.rows(name):
        history.plan(row.plan)
        if row.answer is not None:
            history.tell(row.answer)
            engine_s += row.answer.seconds
            plans[row.plan.number], answers[row.plan.number] = row.plan, row.answer
    best = best_of(history)
    several = len(study.losses) > 1

    def ranked(number: int) -> Ranked:
        return _ranked(study, history, plans[number], answers[number])

    return Summary(
        study=study,
        target=target,
        answered=history.answered,
        finished=int(np.count_nonzero(history.states == State.DONE)),
        stopped=int(np.count_nonzero(history.states == State.STOPPED)),
        failed=int(np.count_nonzero(history.states == State.FAILED)),
        engine_s=engine_s,
        best=None if best is None else ranked(best),
        current=ranked(0) if history.count and history.states[0] == State.DONE else None,
        front=tuple(map(ranked, _spread(front(history), best))) if several else (),
        importance=importance(study, history),
    )


def trial_of(storage: Storage, study: Study, number: int) -> Ranked:
    """Return one finished trial; raises ConfigError if it is none."""
    history = empty_history(study)
    for row in storage.rows(study.name):
        history.plan(row.plan)
        if row.plan.number == number and row.state == State.DONE and row.answer is not None:
            history.tell(row.answer)
            return _ranked(study, history, row.plan, row.answer)
    raise ConfigError(f"{study.name} has no finished trial {number}", where="--trial")


def importance(study: Study, history: History) -> dict[str, float]:
    """Return each parameter's share in what tells the best tenth from the rest; empty for few trials.

    Optuna's PED-ANOVA (Watanabe, Bansal and Hutter 2023) of the first loss, over an even thousand.
    """
    space = Space(study.dimensions)
    able = (history.states == State.DONE) & np.isfinite(history.vectors).all(axis=1)
    places = np.flatnonzero(able)
    if len(places) < _LEAST_FOR_IMPORTANCE or not space.free:
        return {}
    if len(places) > _MOST_FOR_IMPORTANCE:
        places = places[np.linspace(0, len(places) - 1, _MOST_FOR_IMPORTANCE).astype(int)]
    distributions = {
        study.dimensions[k].name: distribution_of(study.dimensions[k]) for k in space.free
    }
    made = optuna.create_study(direction="minimize")
    made.add_trials(
        [
            create_trial(
                state=TrialState.COMPLETE,
                value=float(history.losses[place, 0]),
                params={
                    study.dimensions[k].name: _entry(history.vectors[place, k], space.sizes[k])
                    for k in space.free
                },
                distributions=distributions,
            )
            for place in places
        ]
    )
    if len(np.unique(history.losses[places, 0])) < 2:
        return {}
    found = get_param_importances(made, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in found.items()}


def _spread(trials: list[int], best: int | None) -> list[int]:
    """Return at most twenty trials of a front, evenly spaced, the best among them."""
    if len(trials) <= _FRONT_SHOWN:
        return trials
    places = np.linspace(0, len(trials) - 1, _FRONT_SHOWN).astype(int)
    shown = {trials[place] for place in places} | ({best} if best in trials else set())
    return [trial for trial in trials if trial in shown]


def _entry(number: float, size: float) -> float | int:
    return float(number) if np.isinf(size) else int(number)


def _ranked(study: Study, history: History, plan: Planned, answer: Answer) -> Ranked:
    space = Space(study.dimensions)
    values = dict(study.current) if plan.number == 0 else space.decode(np.array(plan.vector))
    return Ranked(
        number=plan.number,
        losses=answer.losses,
        figures=dict(answer.figures),
        values=values,
        keeps_constraints=bool(history.excess[plan.number] <= 0.0),
    )
