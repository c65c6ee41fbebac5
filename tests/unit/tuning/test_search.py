"""One seed, one study: whoever evaluates what, in whatever order, and however often it is interrupted."""

import random
from contextlib import closing

import numpy as np
import pytest

from automation.core.errors import ConfigError, DependencyError
from automation.core.tunings import Dimension
from automation.tuning.best import best_of
from automation.tuning.search import Search, read_history
from automation.tuning.storage import open_storage
from automation.tuning.study import State, parse_constraint

SAMPLERS = [
    ("tpe", 1),
    ("tpe", 2),
    ("cmaes", 1),
    ("nsga2", 2),
    ("nsga3", 2),
    ("qmc", 1),
    ("random", 1),
]
TRIALS = 230


def complete(tmp_path, study, engines, trials=TRIALS, name="a"):
    with closing(open_storage(str(tmp_path / f"{name}.sqlite"))) as storage:
        study = storage.begin(study, trials)
        history = Search(storage, study, engines, lambda _: None).run()
        kept = read_history(storage, study)
    assert np.array_equal(kept.vectors, history.vectors, equal_nan=True)
    assert np.array_equal(kept.losses, history.losses, equal_nan=True)
    return kept


def same(a, b, trials=TRIALS):
    return all(
        np.array_equal(getattr(a, name)[:trials], getattr(b, name)[:trials], equal_nan=True)
        for name in ("vectors", "losses", "heads", "states")
    )


@pytest.mark.parametrize(("sampler", "losses"), SAMPLERS)
def test_order_and_interruptions_change_nothing(tmp_path, make_study, engines, sampler, losses):
    study = make_study(sampler, losses)
    whole = complete(tmp_path, study, engines(losses, width=1))
    wide = complete(tmp_path, study, engines(losses, width=5, seed=3), name="b")
    assert same(whole, wide)
    drawn = random.Random(5)
    for _ in range(6):
        with pytest.raises(KeyboardInterrupt):
            complete(tmp_path, study, engines(losses, 3, die_after=drawn.randrange(60)), name="c")
    assert same(whole, complete(tmp_path, study, engines(losses, 2, seed=9), name="c"))


@pytest.mark.parametrize(("sampler", "losses"), SAMPLERS)
def test_no_parameters_are_evaluated_twice_and_all_are_of_the_space(
    tmp_path, make_study, engines, sampler, losses
):
    history = complete(tmp_path, make_study(sampler, losses), engines(losses))
    rows = history.vectors[np.isfinite(history.vectors).all(axis=1)]
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert history.count >= TRIALS
    assert np.all((rows >= [0, 0, 0, -1, 0]) & (rows <= [2, 55, 300, 1, 0]))
    whole = rows[:, [0, 1, 2, 4]]
    assert np.array_equal(whole, np.floor(whole))


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_learning_beats_chance(tmp_path, make_study, engines, sampler):
    found = complete(tmp_path, make_study(sampler), engines(), trials=400)
    chance = complete(tmp_path, make_study("random"), engines(), trials=400, name="chance")
    assert np.nanmin(found.losses) < 0.5 * np.nanmin(chance.losses)


def test_a_seed_more_is_another_study(tmp_path, make_study, engines):
    one = complete(tmp_path, make_study(), engines())
    other = complete(tmp_path, make_study(seed=8), engines(), name="b")
    assert not np.array_equal(one.vectors[1:TRIALS], other.vectors[1:TRIALS])
    assert np.array_equal(one.vectors[0], other.vectors[0])  # the strategy as it stands


def test_a_study_can_grow_and_is_then_what_it_would_have_been(tmp_path, make_study, engines):
    complete(tmp_path, make_study(), engines(), trials=70)
    grown = complete(tmp_path, make_study(), engines(), trials=TRIALS)
    whole = complete(tmp_path, make_study(), engines(), name="b")
    assert same(grown, whole)


def test_a_space_that_is_tried_out_ends_the_study(tmp_path, make_study, engines):
    dimensions = (
        Dimension("kind", "buy", "choice", choices=("a", "b", "c")),
        Dimension("fast", "buy", "whole", 5, 14, 1.0),
    )
    study = make_study(dimensions=dimensions, current={"kind": "a", "fast": 5})
    plain = engines(formula=lambda values: float(values["fast"]))
    plain._answer = lambda task, ask=plain._answer: ask(
        task.__class__(
            task.number, {"gap": 0.0, "free": 0.0, "kind": "a", "fast": 5} | dict(task.values or {})
        )
    )
    history = complete(tmp_path, study, plain, trials=500)
    assert history.answered == 30


def test_constraints_come_before_losses(tmp_path, make_study, engines):
    rule = parse_constraint("drawdown<=0.05")
    history = complete(tmp_path, make_study(constraints=(rule,)), engines(), trials=300)
    best = best_of(history)
    assert history.vectors[best, 2] <= 50  # gap, in thousandths, is the drawdown
    assert history.losses[best, 0] > np.nanmin(history.losses)


def test_hopeless_trials_are_stopped_and_never_the_best(tmp_path, make_study, engines):
    history = complete(tmp_path, make_study("random"), engines(), trials=400)
    stopped = history.states == State.STOPPED
    assert 50 < stopped.sum() < 300
    assert np.isnan(history.losses[stopped]).all()
    assert history.states[best_of(history)] == State.DONE
    never = complete(tmp_path, make_study("random", stops_early=False), engines(), 400, "never")
    assert not (never.states == State.STOPPED).any()


def test_silence_is_refused_early_with_its_cause(tmp_path, make_study, engines):
    silent = engines(trades=False, width=2)
    with closing(open_storage(str(tmp_path / "a.sqlite"))) as storage:
        study = storage.begin(make_study(), 5000)
        search = Search(storage, study, silent, lambda _: None, "column up is never a number")
        with pytest.raises(
            ConfigError, match=r"none of the first \d+ trials trades: column up is never"
        ):
            search.run()
    assert len(silent.evaluated) < 5000


def test_a_formula_that_always_fails_is_told(tmp_path, make_study, engines):
    broken = engines()
    broken._answer = lambda task: __import__("automation.core.tunings", fromlist=["Answer"]).Answer(
        task.number, fault="division by zero"
    )
    with pytest.raises(DependencyError, match="no trial could be evaluated; division by zero"):
        complete(tmp_path, make_study(), broken, trials=5000)


def test_two_searches_share_a_study(tmp_path, make_study, engines):
    import threading

    path = str(tmp_path / "shared.sqlite")
    storage = open_storage(path)
    storage.begin(make_study(), TRIALS)
    pools = [engines(width=1, seed=1), engines(width=2, seed=2)]
    failures = []

    def take_part(pool):
        own = open_storage(path)
        try:
            Search(own, own.study("tpe-1"), pool, lambda _: None).run()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        own.close()

    threads = [threading.Thread(target=take_part, args=(pool,)) for pool in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    shared = read_history(storage, storage.study("tpe-1"))
    storage.close()
    assert same(shared, complete(tmp_path, make_study(), engines(), name="alone"))
    done = sorted(n for pool in pools for n in pool.evaluated)
    assert done == list(range(TRIALS))  # none twice, none lost
