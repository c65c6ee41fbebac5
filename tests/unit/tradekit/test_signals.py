"""How rules become one signal per side."""

import numpy as np

from tradekit import signals

RULES = [
    signals.Rule("long", "first", np.array([1, 0, 1, 0, 0], dtype=bool)),
    signals.Rule("long", "second", np.array([1, 1, 0, 0, 1], dtype=bool)),
    signals.Rule("short", "third", np.array([0, 0, 1, 0, 1], dtype=bool)),
]


def test_the_first_rule_that_holds_names_the_tag():
    found = signals.resolve(RULES, np.ones(5, dtype=bool))
    np.testing.assert_array_equal(found.long, [1, 1, 1, 0, 1])
    np.testing.assert_array_equal(found.short, [0, 0, 1, 0, 1])
    np.testing.assert_array_equal(found.tag, [0, 1, 0, -1, 1])


def test_rows_not_allowed_stay_empty():
    found = signals.resolve(RULES, np.array([0, 1, 0, 1, 0], dtype=bool))
    np.testing.assert_array_equal(found.long, [0, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.tag, [-1, 1, -1, -1, -1])


def test_no_rules_no_signal():
    found = signals.resolve([], np.ones(3, dtype=bool))
    assert not found.long.any()
    assert not found.short.any()
    assert (found.tag == -1).all()


def test_only_known_risk_and_volume_may_be_traded():
    good = np.full(7, 0.02)
    stop = np.array([0.02, np.nan, np.inf, 0.0, -1.0, 0.02, 0.02])
    volume = np.array([1.0, 1, 1, 1, 1, 0, np.nan])
    columns = {
        "stop_dist_frac": stop,
        "leverage_cap": good,
        "risk_scale": good,
        "volume": volume,
    }
    np.testing.assert_array_equal(signals.tradable(columns), [1, 0, 0, 0, 0, 0, 0])
