"""The best finished trial, and the front of several losses.

Kept constraints come before losses. With several losses the best is the member of the front whose places
in the orders by each loss are lowest on average. Called by `search` and `ranking`.
"""

import numpy as np

from automation.tuning.history import History
from automation.tuning.study import State


def best_of(history: History) -> int | None:
    """Return the best finished trial; None if none has ended."""
    done = np.flatnonzero(history.states == State.DONE)
    if not len(done):
        return None
    excess, losses = history.excess[done], history.losses[done]
    if losses.shape[1] == 1 or not (excess <= 0.0).any():
        return int(done[np.lexsort((done, losses[:, 0], excess))[0]])
    members = front(history)
    found = history.losses[members]
    places = np.argsort(np.argsort(found, axis=0, kind="stable"), axis=0).mean(axis=1)
    return members[int(np.argmin(places))]


def front(history: History) -> list[int]:
    """Return the finished trials that keep the constraints and that no other beats in every loss."""
    able = np.flatnonzero((history.states == State.DONE) & (history.excess <= 0.0))
    losses = history.losses[able]
    kept: list[int] = []
    for place in np.lexsort((able, *losses.T[::-1])):
        worse = losses[place] >= losses[kept]
        if not worse.all(axis=1).any():
            kept.append(int(place))
    return [int(able[place]) for place in kept]
