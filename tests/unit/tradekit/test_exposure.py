"""Room beside open trades: worked examples, and a cap that is never exceeded."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import exposure

losses = st.lists(st.floats(0.0, 100.0), max_size=6)
correlations = st.floats(0.0, 1.0)


def test_the_notional_that_is_left():
    assert exposure.exposure_room(10_000, 3.0, 12_000) == 18_000
    assert exposure.exposure_room(10_000, 3.0, 31_000) == 0.0


@pytest.mark.parametrize(
    ("correlation", "room"),
    [(1.0, 50.0), (0.0, math.sqrt(150**2 - 2 * 50**2)), (0.5, 67.82329983)],
)
def test_the_loss_that_is_left_beside_two_of_fifty(correlation, room):
    # ρ = ½: ½ (5000 + r²) + ½ (100 + r)² = 22500, so r² + 100 r − 15000 + … = 0
    found = exposure.risk_room(150.0, 100.0, 0.0, 5_000.0, correlation)
    together = exposure.common_risk(100.0 + found, 0.0, 5_000.0 + found**2, correlation)
    assert together == pytest.approx(150.0)
    if correlation != 0.5:
        assert found == pytest.approx(room)


@given(losses, losses, correlations)
def test_the_common_risk_is_the_quadratic_form(longs, shorts, correlation):
    signed = np.array([*longs, *(-loss for loss in shorts)])
    matrix = np.full((len(signed), len(signed)), correlation)
    np.fill_diagonal(matrix, 1.0)
    found = exposure.common_risk(sum(longs), sum(shorts), float(signed @ signed), correlation)
    assert found == pytest.approx(math.sqrt(max(signed @ matrix @ signed, 0.0)), abs=1e-4)


@given(losses, losses, correlations, st.floats(1.0, 500.0))
def test_a_trade_of_all_the_room_stays_within_the_cap(same, other, correlation, cap):
    squares = sum(loss * loss for loss in [*same, *other])
    room = exposure.risk_room(cap, sum(same), sum(other), squares, correlation)
    assert room >= 0.0
    if room > 0.0:
        after = exposure.common_risk(sum(same) + room, sum(other), squares + room**2, correlation)
        assert after <= cap * (1 + 1e-6)


def test_a_hedge_gets_more_room_than_more_of_the_same():
    same = exposure.risk_room(150.0, 50.0, 0.0, 2_500.0, 0.7)
    hedge = exposure.risk_room(150.0, 0.0, 50.0, 2_500.0, 0.7)
    assert same < hedge


@pytest.mark.parametrize("position", range(5))
def test_in_doubt_there_is_no_room(position):
    numbers = [150.0, 10.0, 0.0, 100.0, 0.7]
    numbers[position] = math.nan
    assert exposure.risk_room(*numbers) == 0.0
    assert exposure.exposure_room(*[[math.nan, 3.0, 1.0], [1.0, math.nan, 1.0]][position % 2]) == 0


def test_numba_compiles_them_unchanged():
    for function, numbers in (
        (exposure.exposure_room, (1_000.0, 3.0, 50.0)),
        (exposure.risk_room, (150.0, 50.0, 10.0, 2_600.0, 0.7)),
        (exposure.common_risk, (50.0, 10.0, 2_600.0, 0.7)),
    ):
        assert numba.njit(function)(*numbers) == pytest.approx(function(*numbers), rel=1e-15)
