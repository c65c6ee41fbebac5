"""The drawdown ladder: rungs worked by hand, limits that hold, re-arming, storage, numba."""

import json
import math

import numba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import ladder

DAY = ladder.DAY_S
NEVER = math.inf
equities = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=40)


def walk(worths, hours=1.0, rearm_after_s=NEVER, limit=0.1, daily=1.0):
    """Take the ladder through `worths`, one every `hours`."""
    states = [ladder.START]
    for index, worth in enumerate(worths):
        now_s = 20_000 * DAY + index * hours * 3_600
        states.append(ladder.step(states[-1], now_s, worth, limit, daily, rearm_after_s))
    return states[1:]


def test_the_rungs_of_a_ten_percent_limit():
    found = walk([1_000, 951, 949, 926, 924, 901, 960, 899, 1_000])
    rungs = [state[1] for state in found]
    assert rungs == [0, 0, 1, 1, 2, 2, 0, 3, 3]  # flat holds, whatever happens then
    assert [ladder.rung_scale(rung) for rung in rungs[:6]] == [1, 1, 0.5, 0.5, 0, 0]


def test_the_day_has_its_own_limit_and_begins_anew():
    # 2 % a day, every 6 hours: −1.5 % closes, −2 % flattens until midnight
    found = walk([1_000, 985, 980, 1_000, 990, 975], hours=6, daily=0.02)
    assert [state[5] for state in found] == [0, 2, 3, 3, 0, 2]
    assert all(state[1] == 0 for state in found)


def test_a_backtest_rearms_after_a_week_and_counts_it():
    worths = [1_000, 890] + [890] * 7 + [889]
    found = walk(worths, hours=24, rearm_after_s=7 * DAY)
    assert [state[1] for state in found] == [0, 3, 3, 3, 3, 3, 3, 3, 0, 0]
    assert found[7][6] == 0
    assert found[8][6] == 1
    assert found[8][0] == 890


def test_a_live_bot_is_rearmed_by_a_person_only():
    flat = walk([1_000, 890] + [890] * 100, hours=24)[-1]
    assert flat[1] == ladder.FLAT
    again = ladder.rearmed(flat, 890.0)
    assert (again[0], again[1], again[6]) == (890.0, ladder.FULL, 1.0)
    assert ladder.rearmed(flat, math.nan) == flat


@pytest.mark.parametrize("worth", [math.nan, math.inf, 0.0, -5.0])
def test_an_unknown_or_lost_account_takes_no_entries(worth):
    before = walk([1_000])[0]
    after = ladder.step(before, 20_001 * DAY, worth, 0.1, 0.02, NEVER)
    assert ladder.worst_rung(after) >= (ladder.FLAT if worth <= 0 else ladder.CLOSED)
    assert ladder.rung_scale(ladder.worst_rung(after)) == 0.0
    if worth > 0 or math.isnan(worth):  # known again, it goes on
        assert ladder.step(after, 20_001 * DAY, 1_000.0, 0.1, 0.02, NEVER)[1] == ladder.FULL


@given(equities, st.floats(0.01, 0.5), st.floats(0.005, 0.2))
def test_beyond_the_limit_nothing_is_open(worths, limit, daily):
    peak = 0.0
    for state, worth in zip(walk(worths, limit=limit, daily=daily), worths, strict=True):
        peak = max(peak, worth)
        if 1.0 - worth / peak >= limit:
            assert state[1] == ladder.FLAT
        elif 1.0 - worth / peak >= 0.75 * limit:
            assert ladder.rung_scale(ladder.worst_rung(state)) == 0.0
        assert state[0] >= worth


@given(equities, st.floats(1.01, 3.0))
def test_a_higher_account_is_never_on_a_worse_rung(worths, factor):
    state = walk([*worths, worths[-1]])[-2]
    low = ladder.step(state, 30_000 * DAY, worths[-1], 0.1, 1.0, NEVER)
    high = ladder.step(state, 30_000 * DAY, worths[-1] * factor, 0.1, 1.0, NEVER)
    assert high[1] <= low[1]


@given(equities)
def test_it_survives_a_restart(worths):
    for state in walk(worths, daily=0.02):
        kept = json.loads(json.dumps(ladder.stored(state), allow_nan=False))
        assert ladder.restored(kept, 5.0) == state


@pytest.mark.parametrize(
    "kept", [None, {}, "text", {"peak": 1.0}, ladder.stored(ladder.START) | {"peak": math.nan}]
)
def test_what_cannot_be_read_keeps_everything_closed(kept):
    assert ladder.restored(kept, 5.0)[1] == ladder.FLAT


def test_numba_compiles_it_unchanged():
    compiled = numba.njit(ladder.step)
    state = expected = ladder.START
    for index, worth in enumerate([1_000.0, 940.0, 920.0, math.nan, 899.0, 1_000.0]):
        now_s = 20_000 * DAY + index * 50_000.0
        state = compiled(state, now_s, worth, 0.1, 0.02, 7 * DAY)
        expected = ladder.step(expected, now_s, worth, 0.1, 0.02, 7 * DAY)
        assert state == expected
    assert numba.njit(ladder.worst_rung)(state) == ladder.worst_rung(state)
    assert numba.njit(ladder.rung_scale)(1.0) == 0.5
    assert numba.njit(ladder.rearmed)(state, 5.0) == ladder.rearmed(state, 5.0)
