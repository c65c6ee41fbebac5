"""The estimator is Optuna's, and what it sees of a long study is bounded."""

import numpy as np
import pytest
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights
from scipy.stats import ks_2samp

from automation.core.tunings import Answer, Dimension
from automation.tuning.history import History
from automation.tuning.stopping import bars_of
from automation.tuning.study import Planned, State, parse_constraint
from automation.tuning.tpe import (
    MOST_GOOD,
    OTHERS,
    distribution_of,
    draw,
    log_density,
    rank,
    split,
)

DIMENSIONS = (
    Dimension("kind", "buy", "choice", choices=(1, 2, 3)),
    Dimension("fast", "buy", "whole", 5, 60, 1.0),
    Dimension("gap", "sell", "real", 0.0, 0.3, 0.001),
    Dimension("free", "sell", "real", -1.0, 1.0),
)


@pytest.mark.parametrize("seed", range(4))
def test_densities_are_optunas(seed):
    draw = np.random.default_rng(seed)
    rows = draw.integers(3, 40)
    seen = {
        "0": draw.integers(0, 3, rows).astype(float),
        "1": draw.integers(0, 56, rows).astype(float),
        "2": draw.integers(0, 301, rows).astype(float),
        "3": draw.uniform(-1, 1, rows),
    }
    space = {str(k): distribution_of(each) for k, each in enumerate(DIMENSIONS)}
    estimator = _ParzenEstimator(
        seen, space, _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    )
    samples = estimator._mixture_distribution.sample(np.random.RandomState(seed), 200)
    samples[:5] = [[0, 0, 0, -1], [2, 55, 300, 1], [1, 0, 300, 1], [0, 55, 0, -1], [1, 27, 150, 0]]
    theirs = estimator._mixture_distribution.log_pdf(samples)
    np.testing.assert_allclose(log_density(estimator, samples), theirs, rtol=1e-9)


def test_draws_are_optunas_in_distribution():
    rng = np.random.default_rng(3)
    space = {str(k): distribution_of(each) for k, each in enumerate(DIMENSIONS)}
    seen = {
        "0": [2.0, 2.0, 1.0],
        "1": [3.0, 50.0, 52.0],
        "2": [0.0, 300.0, 20.0],
        "3": [0.9, -0.9, 0.8],
    }
    estimator = _ParzenEstimator(
        {name: np.array(values) for name, values in seen.items()},
        space,
        _ParzenEstimatorParameters(1.0, True, False, default_weights, True),
    )
    ours = draw(estimator, rng, 20_000)
    theirs = estimator._mixture_distribution.sample(np.random.RandomState(3), 20_000)
    for k in range(4):
        assert ks_2samp(ours[:, k], theirs[:, k]).statistic < 0.02


def history_of(losses, heads=None, excess=(), states=None, batch=20):
    rule = parse_constraint("drawdown<=0.1")
    made = History(4, np.shape(losses)[1], (rule,), batch)
    for number, loss in enumerate(losses):
        bars = None if heads is None else tuple(9.0 for _ in loss)
        made.plan(Planned(number, number // batch, (0.0, float(number % 56), 0.0, 0.0), bars))
        over = excess[number] if len(excess) else 0.0
        told = {"max_drawdown_frac": 0.1 + over * 0.1, "trades": 3.0}
        head = () if heads is None else tuple(heads[number])
        is_stopped = states is not None and states[number] == State.STOPPED
        made.tell(Answer(number, () if is_stopped else tuple(loss), head, told, is_stopped))
    return made


def test_a_long_study_is_seen_by_its_best_and_its_latest():
    draw = np.random.default_rng(1)
    history = history_of(draw.random((4000, 1)))
    good, others = split(history, 4000)
    assert len(good) == MOST_GOOD
    assert len(others) == OTHERS
    assert set(good) == set(np.argsort(history.losses[:, 0])[:MOST_GOOD])
    assert others.min() > 4000 - OTHERS - MOST_GOOD - 1


def test_what_breaks_a_constraint_is_behind_what_keeps_it():
    history = history_of(np.array([[1.0], [5.0], [0.0], [3.0]]), excess=[0.0, 0.0, 2.0, 1.0])
    assert rank(history, np.arange(4)).tolist() == [0, 1, 3, 2]


def test_the_front_comes_first_with_several_losses():
    losses = np.array([[0.0, 9.0], [5.0, 5.0], [4.0, 4.0], [9.0, 0.0], [9.0, 9.0]])
    order = rank(history_of(losses), np.arange(5)).tolist()
    assert set(order[:3]) == {0, 2, 3}
    assert order[-1] == 4


def test_stopped_trials_are_never_good():
    states = [State.STOPPED if k % 2 else State.DONE for k in range(60)]
    good, others = split(history_of(np.linspace(1, 0, 60)[:, None], states=states), 60)
    assert all(k % 2 == 0 for k in good)
    assert {k for k in range(60) if k % 2} <= set(others)


def test_the_bar_is_the_worst_slice_of_the_best_quarter():
    losses = np.arange(100.0)[:, None]
    heads = np.where(np.arange(100) < 25, 2.0 + np.arange(100) / 100, 50.0)[:, None]
    history = history_of(losses, heads)
    bars = [bar[0] for bar in bars_of(history, 9, 2, seed=1, size=200)]
    assert set(bars) == {2.24, 1e300}
    spared = bars.count(1e300)
    assert 2 <= spared <= 25  # one in twenty, drawn
    assert bars == [bar[0] for bar in bars_of(history, 9, 2, seed=1, size=200)]


def test_slices_that_stop_nothing_are_left_out_but_in_every_eighth_batch():
    history = history_of(np.arange(200.0)[:, None], np.zeros((200, 1)))
    asked = [bars_of(history, batch, 2, 1, 1)[0] is not None for batch in range(12, 28)]
    assert asked == [batch % 8 == 1 for batch in range(12, 28)]
