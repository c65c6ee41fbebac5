"""Liquidation by Binance's published examples; stops that only tighten; caps by volatility."""

import json
import math
from pathlib import Path

import freqtrade
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import risk, sizing

prices = st.floats(1e-3, 1e6)


@pytest.mark.parametrize(
    ("margin", "maintenance_amount", "amount", "entry", "rate", "published"),
    [
        # Binance, How to Calculate Liquidation Price of USDⓈ-M Futures Contracts: both positions of
        # the worked example. Margin = wallet 1,535,443.01 − maintenance + unrealised of the other.
        (1_535_443.01 - 71_200.81144 - 56_354.57, 135_365.0, 3_683.979, 1_456.84, 0.10, 1_153.26),
        (1_535_443.01 - 356_512.508 - 448_192.89, 16_300.0, 109.488, 32_481.98, 0.025, 26_316.89),
    ],
)
def test_the_published_liquidation_prices(
    margin, maintenance_amount, amount, entry, rate, published
):
    found = risk.liquidation_rate(entry, amount, margin, rate, maintenance_amount, False)
    assert found == pytest.approx(published, abs=0.01)


def test_a_short_is_liquidated_above():
    # 10 coins sold at 100 with 200 of margin, 5 %: (200 + 1000) / (10 · 1.05)
    assert risk.liquidation_rate(100.0, 10.0, 200.0, 0.05, 0.0, True) == pytest.approx(1_200 / 10.5)


def test_an_overfunded_long_is_never_liquidated():
    assert risk.liquidation_rate(100.0, 1.0, 500.0, 0.05, 0.0, False) == 0.0


def test_brackets_begin_at_their_floor():
    floors = np.array([0.0, 50_000.0, 600_000.0])
    rates, amounts = np.array([0.004, 0.005, 0.01]), np.array([0.0, 50.0, 3_050.0])
    assert risk.maintenance_bracket(49_999.0, floors, rates, amounts) == (0.004, 0.0)
    assert risk.maintenance_bracket(50_000.0, floors, rates, amounts) == (0.005, 50.0)
    assert risk.maintenance_bracket(9e9, floors, rates, amounts) == (0.01, 3_050.0)


def test_no_real_bracket_asks_more_maintenance_than_the_bound():
    tiers = Path(freqtrade.__file__).parent / "exchange" / "binance_leverage_tiers.json"
    for pair, brackets in json.loads(tiers.read_text()).items():
        for bracket in brackets:
            bound = sizing.maintenance_bound(bracket["maxLeverage"])
            assert bracket["maintenanceMarginRate"] < bound, pair


def test_leverage_scales_with_calm():
    volatility = np.array([0.02, 0.04, 0.16, 0.001, 0.0, np.nan])
    caps = risk.volatility_leverage_cap(volatility, 0.08, 5.0)
    np.testing.assert_allclose(caps, [4.0, 2.0, 1.0, 5.0, np.nan, np.nan])


def test_risk_shrinks_when_the_market_moves_more_than_it_used_to():
    fast, slow = np.array([0.01, 0.02, 0.08, 0.0, np.nan]), np.full(5, 0.01)
    np.testing.assert_allclose(risk.calm_scale(fast, slow, 0.25), [1.0, 0.5, 0.25, np.nan, np.nan])


def test_the_stop_is_a_multiple_of_the_range_within_bounds():
    ranges = np.array([0.001, 0.003, 0.02, 0.0, np.nan])
    found = risk.stop_distance(ranges, 10.0, 0.015, 0.05)
    np.testing.assert_allclose(found, [0.015, 0.03, 0.05, np.nan, np.nan])


@given(st.floats(0.005, 0.1), st.floats(0.0, 0.05), st.floats(0.0, 0.9))
def test_the_column_of_safe_leverage_is_the_scalar(stop, maintenance, margin):
    column = risk.safe_leverage_column(np.array([stop]), maintenance, margin)[0]
    scalar = sizing.liquidation_safe_leverage(stop, maintenance, margin)
    assert scalar == pytest.approx(column) if column >= 1.0 else scalar == 0.0


def test_the_stop_of_a_long_and_a_short():
    assert risk.stop_rate(100.0, 130.0, 0.02, math.inf, 1.0, False) == pytest.approx(98.0)
    assert risk.stop_rate(100.0, 70.0, 0.02, math.inf, 1.0, True) == pytest.approx(102.0)


def test_the_stop_trails_once_the_trade_has_paid():
    # R = 2; from 3 R (106) on, 2 R behind the best price
    assert risk.stop_rate(100.0, 105.9, 0.02, 3.0, 2.0, False) == pytest.approx(98.0)
    assert risk.stop_rate(100.0, 106.0, 0.02, 3.0, 2.0, False) == pytest.approx(102.0)
    assert risk.stop_rate(100.0, 94.0, 0.02, 3.0, 2.0, True) == pytest.approx(98.0)


@given(prices, st.floats(0.001, 0.2), st.floats(0, 5), st.floats(0, 5), st.booleans())
def test_a_trailed_stop_is_never_wider_than_the_first(rate, stop, after, behind, is_short):
    first = risk.stop_rate(rate, rate, stop, math.inf, behind, is_short)
    for best in (rate * 0.9, rate, rate * 1.1):
        later = risk.stop_rate(rate, best, stop, after, behind, is_short)
        assert later == first or risk.is_tighter(later, first, is_short)


def test_nothing_is_tighter_than_the_unknown():
    for is_short in (False, True):
        assert not risk.is_tighter(math.nan, 1.0, is_short)
        assert not risk.is_tighter(1.0, math.nan, is_short)
        assert not risk.is_tighter(1.0, 1.0, is_short)


@given(prices, st.floats(0.001, 0.5), st.floats(1.0, 50.0), st.booleans())
def test_the_relative_stop_gives_the_price_back(rate, distance, leverage, is_short):
    stop = rate * (1 + distance if is_short else 1 - distance)
    relative = risk.relative_stop(stop, rate, leverage, is_short)
    assert relative == pytest.approx(distance * leverage, rel=1e-6)


def test_a_stop_the_price_has_passed_stands_at_the_price():
    assert 0 < risk.relative_stop(101.0, 100.0, 1.0, False) < 1e-5
    assert 0 < risk.relative_stop(99.0, 100.0, 1.0, True) < 1e-5


@pytest.mark.parametrize(
    ("entry", "amount", "rate", "cum", "other_maintenance", "other_profit", "published"),
    [
        # the same worked example of Binance, as the cross-margin account that it is
        (1_456.84, 3_683.979, 0.10, 135_365.0, 71_200.81144, -56_354.57, 1_153.26),
        (32_481.98, 109.488, 0.025, 16_300.0, 356_512.508, -448_192.89, 26_316.89),
    ],
)
def test_the_published_cross_liquidation_prices(
    entry, amount, rate, cum, other_maintenance, other_profit, published
):
    found = risk.cross_liquidation_rate(
        entry, amount, 1_535_443.01, other_maintenance, other_profit, rate, cum, False
    )
    assert found == pytest.approx(published, abs=0.01)


def test_cross_without_other_positions_is_isolated_with_the_whole_wallet():
    cross = risk.cross_liquidation_rate(100.0, 10.0, 200.0, 0.0, 0.0, 0.05, 3.0, True)
    assert cross == risk.liquidation_rate(100.0, 10.0, 200.0, 0.05, 3.0, True)


def test_distances_in_mean_ranges():
    assert risk.liquidation_distance(100.0, 80.0, 0.02) == pytest.approx(10.0)
    assert math.isnan(risk.liquidation_distance(100.0, 80.0, 0.0))


def test_the_tier_bounds_the_leverage():
    floors, leverages = np.array([0.0, 50_000.0]), np.array([125.0, 100.0])
    assert risk.tier_leverage(49_999.0, floors, leverages) == 125.0
    assert risk.tier_leverage(50_000.0, floors, leverages) == 100.0


@pytest.mark.parametrize(
    ("volatility", "regime", "tier", "safe", "cap"),
    [(0.02, 1.0, 125.0, 9.0, 4.0), (0.02, 0.5, 125.0, 9.0, 2.0), (0.002, 1.0, 125.0, 9.0, 5.0),
     (0.02, 1.0, 3.0, 9.0, 3.0), (0.02, 1.0, 125.0, 0.0, 0.0), (0.5, 1.0, 125.0, 9.0, 1.0),
     (math.nan, 1.0, 125.0, 9.0, 0.0), (0.02, 0.0, 125.0, 9.0, 0.0)],
)  # fmt: skip
def test_the_leverage_is_the_smallest_cap(volatility, regime, tier, safe, cap):
    found = risk.leverage_cap(volatility, 0.08, regime, tier, safe, 5.0)
    assert found == pytest.approx(cap)


def test_a_trade_has_its_time():
    assert risk.is_time_up(24.0, 24.0, 0.4, 0.5)
    assert not risk.is_time_up(23.0, 24.0, 0.4, 0.5)
    assert not risk.is_time_up(24.0, 24.0, 0.5, 0.5)
    assert risk.is_time_up(24.0, 24.0, math.nan, 0.5)


def test_what_an_open_trade_is_worth():
    # 2 coins from 100 to 110, 0.1 % of both sides, 0.3 of funding paid
    assert risk.marked_profit(2.0, 100.0, 110.0, 0.001, -0.3, False) == pytest.approx(19.28)
    assert risk.marked_profit(2.0, 100.0, 110.0, 0.001, -0.3, True) == pytest.approx(-20.72)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (risk.cross_liquidation_rate, (100.0, 10.0, 200.0, 0.0, 0.0, 0.05, 3.0, True)),
        (risk.liquidation_distance, (100.0, 80.0, 0.02)),
        (risk.leverage_cap, (0.02, 0.08, 1.0, 125.0, 9.0, 5.0)),
        (risk.is_time_up, (24.0, 24.0, 0.4, 0.5)),
        (risk.marked_profit, (2.0, 100.0, 110.0, 0.001, -0.3, False)),
        (sizing.kelly_frac, (0.6, 1.5, 100.0, 50.0)),
        (sizing.kelly_stake, (1e4, 0.1, 0.25, 1.0, 0.02, 0.001, 4.0)),
        (sizing.var_stake, (1e4, 0.02, 0.06, 4.0)),
        (sizing.capped_stake, (500.0, 400.0, 300.0)),
    ],
)
def test_numba_compiles_the_new_policies_unchanged(function, arguments):
    assert numba.njit(function)(*arguments) == function(*arguments)
