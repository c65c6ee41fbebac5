"""Prices inside the budget, slices that add up, books that fill or refuse."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import execution

rates = st.floats(1.0, 1e5)
budgets = st.floats(0.0, 0.05)


@pytest.mark.parametrize(
    ("proposed", "is_short", "rate"),
    [(100.0, False, 100.0), (100.5, False, 100.1), (99.0, False, 99.0), (99.5, True, 99.9)],
)
def test_an_entry_pays_the_budget_at_most(proposed, is_short, rate):
    assert execution.entry_rate(proposed, 100.0, 0.001, is_short) == pytest.approx(rate)


@given(rates, rates, budgets, st.booleans())
def test_the_rate_is_proposed_or_better_and_within_budget(proposed, signal, budget, is_short):
    rate = execution.entry_rate(proposed, signal, budget, is_short)
    assert rate >= proposed if is_short else rate <= proposed
    assert execution.is_within_budget(rate, signal, budget * (1 + 1e-9) + 1e-12, is_short)


def test_without_a_signal_rate_the_proposed_one_stands_and_nothing_is_within_budget():
    assert execution.entry_rate(100.0, math.nan, 0.001, False) == 100.0
    assert not execution.is_within_budget(100.0, math.nan, 0.001, False)
    assert not execution.is_within_budget(math.nan, 100.0, 0.001, False)


@pytest.mark.parametrize(
    ("notional", "volume", "count"),
    [(1_000, 1e6, 1), (20_000, 1e6, 1), (50_000, 1e6, 3), (1e9, 1e6, 5), (1_000, math.nan, 5)],
)
def test_slices_are_as_many_as_the_volume_asks_for(notional, volume, count):
    assert execution.slice_count(notional, volume, 0.02, 5.0) == count


@given(st.floats(10, 1e6), st.floats(0, 1e8), st.floats(1, 10), st.floats(1, 20), st.floats(0, 5))
def test_slices_add_up_to_the_plan(planned, volume, most, leverage, least):
    filled, count = 0.0, 0
    while (stake := execution.next_slice(planned, filled, most, volume, 0.02, leverage, least)) > 0:
        assert least <= stake <= planned - filled + 1e-9 * planned
        filled, count = filled + stake, count + 1
        assert count <= most + 2
    assert filled == pytest.approx(planned, rel=1e-6) or planned < least


def test_a_book_fills_from_the_best_price_on():
    prices, sizes = np.array([100.0, 101.0, 105.0]), np.array([1.0, 1.0, 1.0])
    assert execution.book_rate(prices, sizes, 1.5) == pytest.approx((100 + 50.5) / 1.5)
    assert execution.book_rate(prices, sizes, 3.0) == pytest.approx(102.0)
    assert math.isnan(execution.book_rate(prices, sizes, 3.1))
    assert math.isnan(execution.book_rate(prices[:0], sizes[:0], 1.0))


def test_a_crossed_book_has_no_spread():
    assert execution.spread_frac(99.0, 101.0) == pytest.approx(0.02)
    assert math.isnan(execution.spread_frac(101.0, 99.0))
    assert math.isnan(execution.spread_frac(0.0, 99.0))


def test_numba_compiles_the_scalars_unchanged():
    for function, numbers in (
        (execution.entry_rate, (100.5, 100.0, 0.001, False)),
        (execution.is_within_budget, (100.5, 100.0, 0.001, False)),
        (execution.slice_count, (50_000.0, 1e6, 0.02, 5.0)),
        (execution.next_slice, (500.0, 100.0, 5.0, 1e4, 0.02, 4.0, 5.0)),
        (execution.spread_frac, (99.0, 101.0)),
    ):
        assert numba.njit(function)(*numbers) == pytest.approx(function(*numbers), rel=1e-15)
