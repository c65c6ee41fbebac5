"""Sizing: worked examples, and the promise that no constraint is ever exceeded."""

import math

import numba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import risk, sizing

fractions = st.floats(1e-4, 0.2)
money = st.floats(1.0, 1e9)
leverages = st.floats(1.0, 125.0)
anything = st.floats(allow_nan=True, allow_infinity=True)


def test_half_a_percent_of_ten_thousand_at_a_stop_of_two_percent():
    # 50 USDT of risk / 2 % = 2,500 USDT of notional; at leverage 5 that is a stake of 500
    assert sizing.risk_stake(10_000, 0.005, 0.02, 0.0, 5.0) == pytest.approx(500.0)


def test_costs_make_the_stake_smaller():
    # 50 / (2 % + 0.5 %) = 2,000 of notional
    assert sizing.risk_stake(10_000, 0.005, 0.02, 0.005, 1.0) == pytest.approx(2_000.0)


@pytest.mark.parametrize(
    ("stop", "maintenance", "margin", "leverage"),
    [
        (0.05, 0.0, 0.0, 20.0),  # liquidation at −1/L, so exactly at the stop
        (0.05, 0.0, 0.5, 10.0),  # the stop uses half of the way
        (0.10, 0.10, 0.0, 1 / 0.21),  # (1/L − 0.1) / 1.1 = 0.1
        (0.95, 0.10, 0.0, 0.0),  # not even leverage 1 is safe
    ],
)
def test_safe_leverage_worked_by_hand(stop, maintenance, margin, leverage):
    found = sizing.liquidation_safe_leverage(stop, maintenance, margin)
    assert found == pytest.approx(leverage)


def test_the_exchange_bracket_bounds_maintenance():
    # Binance BTCUSDT, first bracket: 125×, maintenance 0.40 %
    assert sizing.maintenance_bound(125.0) == pytest.approx(0.008)
    assert math.isnan(sizing.maintenance_bound(0.0))


def test_a_stake_below_the_minimum_is_dropped_not_raised():
    assert sizing.entry_stake(4.9, 100.0, 5.0, 1_000.0) == 0.0
    assert sizing.entry_stake(5.0, 100.0, 5.0, 1_000.0) == 5.0


@given(money, fractions, fractions, st.floats(0, 0.01), leverages)
def test_the_loss_at_the_stop_is_what_was_to_be_risked(equity, risk_frac, stop, cost, leverage):
    stake = sizing.risk_stake(equity, risk_frac, stop, cost, leverage)
    assert stake * leverage * (stop + cost) == pytest.approx(equity * risk_frac)


@given(money, fractions, fractions, st.floats(1.0, 3.0), leverages)
def test_a_wider_stop_never_gets_more(equity, risk_frac, stop, factor, leverage):
    near = sizing.risk_stake(equity, risk_frac, stop, 0.001, leverage)
    far = sizing.risk_stake(equity, risk_frac, stop * factor, 0.001, leverage)
    richer = sizing.risk_stake(equity * factor, risk_frac, stop, 0.001, leverage)
    assert far <= near <= richer


@given(anything, anything, anything, anything)
def test_the_stake_is_within_every_constraint_or_nothing(wanted, proposed, least, most):
    stake = sizing.entry_stake(wanted, proposed, least, most)
    assert stake == 0.0 or least <= stake <= min(wanted, proposed, most)
    assert math.isfinite(stake)


@given(anything, anything, anything)
def test_leverage_is_within_every_cap_or_nothing(cap, most, safe):
    leverage = sizing.entry_leverage(cap, most, safe)
    assert leverage == 0.0 or 1.0 <= leverage <= min(cap, most, safe)
    assert leverage == math.floor(leverage)


def test_leverage_is_whole():
    # Binance takes whole leverage only (POST /fapi/v1/leverage: "target initial leverage: int")
    assert sizing.entry_leverage(4.99, 125.0, 9.0) == 4.0


@given(st.lists(anything, min_size=5, max_size=5), st.integers(0, 4))
def test_a_nan_anywhere_means_no_stake(numbers, position):
    numbers[position] = math.nan
    assert sizing.risk_stake(*numbers) == 0.0
    assert sizing.entry_stake(*_with_nan(numbers[:4], position % 4)) == 0.0
    assert sizing.entry_leverage(*_with_nan(numbers[:3], position % 3)) == 0.0
    assert sizing.liquidation_safe_leverage(*_with_nan(numbers[:3], position % 3)) == 0.0


def _with_nan(numbers, position):
    return [math.nan if index == position else number for index, number in enumerate(numbers)]


@given(st.tuples(anything, anything, anything, anything, anything))
def test_risk_stake_never_raises_and_is_never_negative(numbers):
    stake = sizing.risk_stake(*numbers)
    assert stake >= 0.0
    assert math.isfinite(stake)


@given(st.floats(0.001, 0.3), st.floats(0.0, 0.2), st.floats(0.0, 0.9), st.booleans(), money, money)
def test_liquidation_lies_beyond_the_stop_by_the_margin(
    stop, maintenance, margin, is_short, rate, amount
):
    leverage = sizing.liquidation_safe_leverage(stop, maintenance, margin)
    if not leverage:
        return
    own = rate * amount / leverage
    liquidation = risk.liquidation_rate(rate, amount, own, maintenance, 0.0, is_short)
    stop_rate = risk.stop_rate(rate, rate, stop, math.inf, 1.0, is_short)
    assert risk.stop_margin_frac(rate, stop_rate, liquidation) >= margin - 1e-6


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (sizing.risk_stake, (10_000.0, 0.005, 0.02, 0.001, 5.0)),
        (sizing.risk_stake, (math.nan, 0.005, 0.02, 0.001, 5.0)),
        (sizing.liquidation_safe_leverage, (0.05, 0.01, 0.5)),
        (sizing.maintenance_bound, (125.0,)),
        (sizing.entry_leverage, (5.0, 125.0, 9.0)),
        (sizing.entry_stake, (500.0, 3_000.0, 5.0, 2_000.0)),
        (risk.liquidation_rate, (100.0, 2.0, 40.0, 0.005, 0.0, True)),
        (risk.stop_rate, (100.0, 110.0, 0.02, 2.0, 1.0, False)),
        (risk.is_tighter, (99.0, 98.0, False)),
        (risk.relative_stop, (99.0, 100.0, 5.0, False)),
        (risk.stop_margin_frac, (100.0, 98.0, 90.0)),
    ],
)
def test_numba_compiles_the_policies_unchanged(function, arguments):
    assert numba.njit(function)(*arguments) == function(*arguments)
