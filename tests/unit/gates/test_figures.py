"""Figures that can be checked on paper, and what holds for any trades."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.gates.figures import daily_profits, exposure, figures, worst_day


def test_hand_made_month(make_window):
    found = figures([make_window([100.0, -200.0, 50.0, 0.0], days=30)])
    assert found.trades == 4
    assert found.trades_a_month == pytest.approx(4 / (30 / (365.25 / 12)))
    assert found.profit_frac == pytest.approx(-0.005)
    assert found.drawdown_frac == pytest.approx(200 / 10_100)
    assert found.profit_factor == pytest.approx(150 / 200)
    assert found.worst_day_frac == pytest.approx(200 / 10_100)
    assert found.worst_trade_frac == pytest.approx(200 / 10_100)
    assert found.trade_risk_frac == pytest.approx(
        np.percentile([50 / one for one in (10_000, 10_100, 9_900, 9_950)], 95)
    )
    assert found.exposure == pytest.approx(1_000 / 9_900)  # after the loss, equity is 9,900
    assert found.liquidations == 0


def test_several_windows_take_the_worst_of_each(make_window):
    calm, wild = make_window([10.0] * 5), make_window([10.0, -900.0], reason="liquidation")
    found = figures([calm, wild])
    assert found.drawdown_frac == pytest.approx(900 / 10_010)
    assert found.liquidations == 2
    assert found.profit_frac == pytest.approx((0.005 - 0.089) / 2)


def test_no_trades(make_window):
    found = figures([make_window([])])
    assert (found.trades, found.exposure, found.drawdown_frac, found.worst_day_frac) == (0, 0, 0, 0)
    assert math.isnan(found.profit_factor)
    assert math.isnan(found.trade_risk_frac)


def test_exposure_adds_what_is_open_at_once(make_window):
    from dataclasses import replace

    result = make_window([0.0, 0.0, 0.0], notional=5_000.0)
    trades = result.trades
    together = replace(trades, open_ms=(trades.open_ms[0],) * 3, close_ms=(trades.close_ms[2],) * 3)
    assert exposure(replace(result, trades=together)) == pytest.approx(1.5)
    # One closes at the instant when the next opens: never both at once.
    chain = replace(trades, close_ms=(*trades.open_ms[1:], trades.close_ms[2]))
    assert exposure(replace(result, trades=chain)) == pytest.approx(0.5)


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=30))
def test_days_add_up_and_bounds_hold(make_window, profits):
    result = make_window(profits)
    days = daily_profits(result)
    assert len(days) == result.days
    assert np.sum(days) == pytest.approx(sum(profits), abs=1e-6)
    by_pair = [daily_profits(result, pair) for pair in {*result.trades.pair}]
    assert np.sum(by_pair) == pytest.approx(sum(profits), abs=1e-6)
    assert worst_day(result) <= 0.0
    assert figures([result]).drawdown_frac >= 0.0
