"""The measured edge: what it bounds, since when, and what a configuration may say instead."""

import numpy as np
import pytest

from tradekit import edge, sizing
from tradekit.edge import Edge

JULY_S = 1_751_328_000.0  # 2025-07-01
GOOD = Edge(0.5, 2.0, 500, "2025-07-01")
NONE = Edge(0.3, 2.0, 500, "2025-07-01")


def test_an_edge_by_hand():
    # two of four won; 3 R against 1 R on the mean
    found = edge.measured(np.array([2.0, 4.0, -1.0, -1.0]), "2025-07-01")
    assert found == Edge(0.5, 3.0, 4, "2025-07-01")
    assert edge.measured(np.array([1.0, 2.0]), "2025-07-01") is None
    assert edge.measured(np.empty(0), "2025-07-01") is None


def test_kelly_of_an_edge_is_shrunk_by_as_many_trades_without_one():
    # 0.5 − 0.5 / 2 = 0.25; 500 of 1,000 count
    assert edge.kelly_of(GOOD) == pytest.approx(0.125)
    assert edge.kelly_of(NONE) == 0.0
    assert edge.is_spent(NONE)
    assert not edge.is_spent(GOOD)
    assert not edge.is_spent(None)


def test_it_acts_from_its_day_on_and_not_before():
    opened = np.array([JULY_S - 300, JULY_S, JULY_S + 300])
    weak = Edge(0.345, 2.0, 500, "2025-07-01")  # Kelly 1.75 %, shrunk 0.875 %
    left = edge.kelly_scale(opened, weak, 0.25, 0.005)
    np.testing.assert_allclose(left, [1.0, 0.4375, 0.4375])
    np.testing.assert_array_equal(edge.kelly_scale(opened, NONE, 0.25, 0.005), [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(edge.kelly_scale(opened, None, 0.25, 0.005), np.ones(3))
    np.testing.assert_array_equal(edge.kelly_scale(opened, GOOD, 0.25, 0.005), np.ones(3))


@pytest.mark.parametrize("risk_frac", [0.0025, 0.005, 0.01])
def test_as_a_scale_it_gives_the_stake_of_kelly(risk_frac):
    weak = Edge(0.345, 2.0, 500, "2025-07-01")
    left = edge.kelly_scale(np.array([JULY_S]), weak, 0.25, risk_frac)[0]
    by_scale = sizing.risk_stake(10_000.0, risk_frac * left, 0.02, 0.0012, 3.0)
    kelly = sizing.kelly_stake(10_000.0, edge.kelly_of(weak), 0.25, 1.0, 0.02, 0.0012, 3.0)
    plain = sizing.risk_stake(10_000.0, risk_frac, 0.02, 0.0012, 3.0)
    assert by_scale == pytest.approx(min(kelly, plain))


def test_a_configuration_may_give_another_or_none():
    assert edge.edge_of({}, GOOD) is GOOD
    assert edge.edge_of({"freqfleet": {"profile": "moderate"}}, GOOD) is GOOD
    assert edge.edge_of({"freqfleet": {"edge": None}}, GOOD) is None
    given = {"win_frac": 0.4, "payoff": 1.8, "trades": 120, "since": "2026-01-01"}
    assert edge.edge_of({"freqfleet": {"edge": given}}, None) == Edge(0.4, 1.8, 120, "2026-01-01")


@pytest.mark.parametrize(
    "given", [{}, 0.5, {"win_frac": "x", "payoff": 1, "trades": 1, "since": "2026-01-01"},
              {"win_frac": 0.4, "payoff": 1.8, "trades": 120, "since": "yesterday"}],
)  # fmt: skip
def test_what_is_no_edge_is_refused(given):
    with pytest.raises(ValueError, match=r"freqfleet\.edge"):
        edge.edge_of({"freqfleet": {"edge": given}}, None)
