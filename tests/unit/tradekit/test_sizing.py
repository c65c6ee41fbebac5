"""Sizing: worked examples, and the promise that no constraint is ever exceeded."""

import math

import numba
import numpy as np
import pytest
from hypothesis import example, given
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
@example((485884.0, 4858830655537.0, 1.3132542081022507e-290, 0.0, 1.0))
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


@pytest.mark.parametrize(
    ("win_frac", "payoff", "trades", "prior", "risk_frac"),
    [
        (0.6, 1.0, 1e9, 100.0, 0.2),  # an even bet won in 60 %: 2p − 1 (Kelly 1956)
        (0.6, 1.0, 100.0, 100.0, 0.1),  # half believed
        (0.4, 2.0, 1e9, 0.0, 0.1),  # 0.4 − 0.6 / 2
        (0.3, 2.0, 1e9, 0.0, 0.0),  # no edge
        (math.nan, 2.0, 100.0, 0.0, 0.0),
        (0.6, 1.0, 0.0, 100.0, 0.0),
    ],
)
def test_kelly(win_frac, payoff, trades, prior, risk_frac):
    found = sizing.kelly_frac(win_frac, payoff, trades, prior)
    assert found == pytest.approx(risk_frac, abs=1e-6)


@given(st.floats(0, 1), st.floats(0.1, 10), st.floats(1, 1e5), st.floats(0, 1e4))
def test_kelly_grows_with_the_sample_and_never_beyond_the_whole(win, payoff, trades, prior):
    few = sizing.kelly_frac(win, payoff, trades, prior)
    many = sizing.kelly_frac(win, payoff, trades * 2, prior)
    assert 0.0 <= few <= many <= 1.0


@given(money, st.floats(0.001, 1), st.floats(0.1, 1), st.floats(0.1, 1), fractions, leverages)
def test_a_kelly_stake_loses_its_part_of_kelly(equity, kelly, part, scale, stop, leverage):
    stake = sizing.kelly_stake(equity, kelly, part, scale, stop, 0.001, leverage)
    assert stake * leverage * (stop + 0.001) == pytest.approx(equity * kelly * part * scale)
    assert sizing.kelly_stake(equity, 0.0, part, scale, stop, 0.001, leverage) == 0.0


@given(money, fractions, fractions, leverages)
def test_a_var_stake_has_the_budgets_value_at_risk(equity, budget, var, leverage):
    stake = sizing.var_stake(equity, budget, var, leverage)
    assert stake * leverage * var == pytest.approx(equity * budget)


@given(money, fractions, fractions, fractions, st.floats(1, 10))
def test_the_var_budget_as_a_scale_is_the_smaller_stake(equity, risk_frac, budget, stop, leverage):
    var = np.array([0.06])
    scale = risk.var_scale(var, budget, np.array([stop]), 0.001, risk_frac)[0]
    plain = sizing.risk_stake(equity, risk_frac, stop, 0.001, leverage)
    scaled = sizing.risk_stake(equity, risk_frac * scale, stop, 0.001, leverage)
    assert scaled == pytest.approx(min(plain, sizing.var_stake(equity, budget, 0.06, leverage)))


@given(st.tuples(anything, anything, anything))
def test_the_capped_stake_is_the_smallest_or_nothing(stakes):
    stake = sizing.capped_stake(*stakes)
    assert stake == 0.0 or (stake == min(stakes) and stake > 0.0)


def test_the_breakdown_names_what_bound():
    stakes = {"risk per trade": 500.0, "value at risk": 300.0, "Kelly": 400.0}
    assert sizing.binding_constraint(stakes, 5.0) == ("value at risk", 300.0)
    assert sizing.binding_constraint(stakes, 301.0) == ("exchange minimum", 0.0)
    assert sizing.binding_constraint(stakes | {"Kelly": 0.0}, 5.0) == ("Kelly", 0.0)
    assert sizing.binding_constraint(stakes | {"room": math.nan}, 5.0) == ("room", 0.0)
    assert sizing.binding_constraint({}, 5.0) == ("nothing", 0.0)
