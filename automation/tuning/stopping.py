"""When a trial is hopeless after the first slice of the range.

The rule: a trial ends after the slice if every loss there is above the worst that any of the best
quarter of the finished trials had on the slice. One trial in twenty runs on regardless (drawn from the
seed), so that the rule keeps being tested. It needs forty finished trials. The slice costs a quarter
of a backtest: where it stops less than a quarter of the trials it does not pay, and is then asked
for in every eighth batch only. Called by `search` for every batch; reads whole batches only, so the
bars are as reproducible as the parameters.
"""

import numpy as np

from automation.tuning.history import History
from automation.tuning.sampling import rng_of
from automation.tuning.study import State
from automation.tuning.tpe import rank

LEAST_FINISHED = 40
SPARED_FRAC = 0.05
BEST_FRAC = 0.25
PAYS_FROM = 0.25
PROBED_BATCHES = 8
_WINDOW = 400


def bars_of(
    history: History, batch: int, lag: int, seed: int, size: int
) -> list[tuple[float, ...] | None]:
    """Return the bars of a batch's trials; None for a trial that is not asked for its slice."""
    count = history.upto(batch - lag)
    if not _is_sliced(history, batch, count):
        return [None] * size
    bar = _bar(history, count)
    spared = rng_of(seed, batch, 7).random(size) < SPARED_FRAC
    never = tuple(1e300 for _ in bar)
    return [never if each else bar for each in spared]


def _is_sliced(history: History, batch: int, count: int) -> bool:
    if batch % PROBED_BATCHES == 1:
        return True
    probed = np.flatnonzero(history.has_bars[:count])[-_WINDOW:]
    if len(probed) < LEAST_FINISHED:
        return True
    share = float(np.mean(history.states[probed] == State.STOPPED))
    return share >= PAYS_FROM or count < 2 * LEAST_FINISHED


def _bar(history: History, count: int) -> tuple[float, ...]:
    heads = history.heads[:count]
    done = (history.states[:count] == State.DONE) & np.isfinite(heads).all(axis=1)
    places = np.flatnonzero(done)[-_WINDOW:]
    if len(places) < LEAST_FINISHED:
        return tuple(1e300 for _ in range(heads.shape[1]))
    best = rank(history, places)[: int(np.ceil(BEST_FRAC * len(places)))]
    return tuple(float(bar) for bar in heads[best].max(axis=0))
