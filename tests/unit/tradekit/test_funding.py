"""Funding: worked examples, Freqtrade's own fees as reference, causality, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from freqtrade.exchange import Exchange
from hypothesis import given
from hypothesis import strategies as st

from tradekit import funding
from tradekit.signals import Rule

HOUR = 3_600.0
EIGHT = np.arange(0, 10 * 86_400, 8 * HOUR)


def test_a_day_has_three_settlements_of_eight_hours():
    rates = np.full(len(EIGHT), 0.0001)
    found = funding.day_rate(np.array([-1.0, 0.0, 86_400.0, 86_400.0 + 7 * HOUR]), EIGHT, rates)
    # before the first: unknown; at the first: one; then the three of the last day
    np.testing.assert_allclose(found, [np.nan, 0.0001, 0.0003, 0.0003])


def test_two_hours_settle_as_much_as_eight():
    two = np.arange(0, 10 * 86_400, 2 * HOUR)
    at = np.array([5 * 86_400.0])
    often = funding.day_rate(at, two, np.full(len(two), 0.000025))
    seldom = funding.day_rate(at, EIGHT, np.full(len(EIGHT), 0.0001))
    assert often == pytest.approx(seldom)


def test_a_missing_rate_or_a_missing_day_is_not_known():
    rates = np.full(len(EIGHT), 0.0001)
    rates[4] = np.nan
    found = funding.day_rate(np.array([86_400.0, EIGHT[4], EIGHT[7], 30 * 86_400.0]), EIGHT, rates)
    assert np.isnan(found).tolist() == [False, True, False, True]
    assert np.isnan(funding.day_rate(EIGHT, np.empty(0), np.empty(0))).all()


@given(st.lists(st.floats(-0.003, 0.003), min_size=2, max_size=30), st.integers(0, 29))
def test_what_settles_later_changes_nothing(rates, cut):
    settled = EIGHT[: len(rates)]
    at = np.arange(0, settled[-1] + 1, HOUR)
    whole = funding.day_rate(at, settled, np.array(rates))
    kept = min(cut + 1, len(rates))
    early = at[at < (settled[kept] if kept < len(settled) else np.inf)]
    np.testing.assert_allclose(
        funding.day_rate(early, settled[:kept], np.array(rates[:kept])),
        whole[: len(early)],
        atol=1e-15,
    )


@pytest.mark.parametrize("is_short", [False, True])
def test_the_expectation_is_what_freqtrade_charges_where_the_rate_stays(is_short):
    dates = pd.to_datetime(EIGHT, unit="s", utc=True)
    rates = pd.DataFrame({"date": dates, "funding_rate": 0.0004})
    marks = pd.DataFrame({"date": dates, "open": 250.0})
    table = Exchange.combine_funding_and_mark(rates, marks)
    opened, closed = dates[6] + pd.Timedelta(hours=1), dates[12] + pd.Timedelta(hours=1)
    charged = Exchange.calculate_funding_fees(
        None, table, amount=2.0, is_short=is_short, open_date=opened, close_date=closed,
    )  # fmt: skip
    day = funding.day_rate(np.array([opened.timestamp()]), EIGHT, np.full(len(EIGHT), 0.0004))
    expected = funding.expected_frac(day, 48.0, is_short)[0]
    assert -charged / (2.0 * 250.0) == pytest.approx(expected)


def test_what_is_not_known_costs_both_sides():
    unknown = np.array([np.nan])
    for is_short in (False, True):
        assert funding.expected_frac(unknown, 24.0, is_short) == funding.ASSUMED_DAY_FRAC
    assert np.isnan(funding.burden_r(np.zeros(2), 24.0, np.array([0.0, np.nan]), False)).all()


def test_only_the_side_that_pays_is_refused():
    # 0.3 % a day for a day at a stop of 2 %: 0.15 R
    day, stop = np.array([0.003, 0.0005, -0.003]), np.full(3, 0.02)
    columns = {
        f"funding_{side}_r": funding.burden_r(day, 24.0, stop, side == "short")
        for side in ("long", "short")
    }
    assert columns["funding_long_r"][0] == pytest.approx(0.15)
    everywhere = np.ones(3, dtype=bool)
    long, short = funding.bearable(
        [Rule("long", "a", everywhere), Rule("short", "b", everywhere)], columns
    )
    assert long.holds.tolist() == [False, True, True]
    assert short.holds.tolist() == [True, True, False]
    columns = {name: np.full(3, np.nan) for name in columns}
    assert not any(rule.holds.any() for rule in funding.bearable([long, short], columns))
