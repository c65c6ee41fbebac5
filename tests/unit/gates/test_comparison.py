"""The comparison: calm about noise, sure about losses, the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from automation.gates.comparison import _widening, compare
from automation.gates.config import ComparisonSettings

SETTINGS = ComparisonSettings(resamples=500)
DAYS, WINDOWS = 60, 3


def sides(make_window, rng, loss_usdt: float = 0.0, own: float = 20.0):
    """Two strategies that mostly do the same; the new one loses `loss_usdt` a day."""
    common = rng.standard_t(4, (WINDOWS, DAYS)) * 50
    base, new = [], []
    for number in range(WINDOWS):
        name = f"window {number}"
        before = common[number] + rng.standard_t(4, DAYS) * own
        after = common[number] + rng.standard_t(4, DAYS) * own - loss_usdt
        base.append(make_window(before, name=name, days=DAYS))
        new.append(make_window(after, name=name, days=DAYS))
    return base, new


def test_equal_trades_are_identical_without_any_statistics(make_window):
    base, _ = sides(make_window, np.random.default_rng(1))
    found = compare(base, [replace(one) for one in base], SETTINGS)
    assert found.is_identical
    assert not found.intervals


def test_what_is_not_worse_is_rarely_called_worse(make_window):
    rng = np.random.default_rng(7)
    alarms = sum(bool(compare(*sides(make_window, rng), SETTINGS).worse) for _ in range(60))
    assert alarms <= 7  # 5 % of 60 are 3; 8 or more would come once in 50 runs


def test_intervals_over_few_days_are_wider_and_over_many_are_not():
    made = [_widening(blocks, 0.975) for blocks in (1, 3, 6, 9, 12, 36)]
    assert made[0] == made[1]
    assert made[1] > made[2] > made[3] > made[4] == made[5] == 1.0


def test_a_loss_is_found_the_surer_the_larger_it_is(make_window):
    rng = np.random.default_rng(3)
    found = []
    for loss in (0.0, 10.0, 40.0):
        runs = [compare(*sides(make_window, rng, loss), SETTINGS) for _ in range(10)]
        found.append(sum(bool(run.worse) for run in runs))
    assert found[0] <= 2
    assert found[0] <= found[1] <= found[2]
    assert found[2] == 10


def test_a_gain_is_never_worse(make_window):
    rng = np.random.default_rng(5)
    assert not any(compare(*sides(make_window, rng, -40.0), SETTINGS).worse for _ in range(5))


def test_pairing_sees_what_single_sides_cannot(make_window):
    """The same loss, once with the market in common and once without."""
    rng = np.random.default_rng(11)
    paired = compare(*sides(make_window, rng, 15.0, own=1.0), SETTINGS)
    base, _ = sides(make_window, rng)
    _, new = sides(make_window, rng, 15.0)
    apart = compare(base, new, SETTINGS)
    assert paired.detectable_bps_day < apart.detectable_bps_day / 3
    assert paired.worse


def test_the_same_question_has_the_same_answer(make_window):
    base, new = sides(make_window, np.random.default_rng(2), 10.0)
    first, second = (compare(base, new, SETTINGS) for _ in range(2))
    assert first == second
    other = compare(base, new, SETTINGS.model_copy(update={"seed": 2}))
    assert other.intervals[0].low != first.intervals[0].low
    assert other.intervals[0].difference == first.intervals[0].difference


def test_difference_is_what_it_says(make_window):
    base = [make_window([10.0] * 30)]
    new = [make_window([4.0] * 30)]
    mean = compare(base, new, SETTINGS).intervals[0]
    assert (mean.base, mean.new) == (pytest.approx(10.0), pytest.approx(4.0))
    assert (mean.low, mean.high) == (pytest.approx(-6.0), pytest.approx(-6.0))
    assert mean.is_worse


def test_tolerance_is_respected(make_window):
    base, new = [make_window([10.0] * 30)], [make_window([4.0] * 30)]
    lenient = SETTINGS.model_copy(update={"tolerated_bps_day": 7.0})
    assert not compare(base, new, lenient).intervals[0].is_worse


def test_changes_are_told_by_window_and_pair(make_window):
    pairs = ("BTC/USDT:USDT", "ETH/USDT:USDT")
    base = [make_window([1.0, 2.0, 3.0], pairs=pairs)]
    new = [make_window([1.0, 5.0], pairs=pairs)]
    btc, eth = compare(base, new, SETTINGS).changes
    assert (btc.base_trades, btc.new_trades, btc.base_profit_frac) == (2, 1, pytest.approx(4e-4))
    assert (eth.base_trades, eth.new_trades, eth.new_profit_frac) == (1, 1, pytest.approx(5e-4))


def test_deeper_drawdown_is_worse_even_at_equal_profit(make_window):
    rng = np.random.default_rng(1)
    calm = rng.normal(10, 10, 90)
    wild = calm + np.where(np.arange(90) % 18 < 9, -150, 150)
    found = compare([make_window(calm, days=90)], [make_window(wild, days=90)], SETTINGS)
    assert {one.measure for one in found.worse} >= {"drawdown", "worst days"}
    assert not found.intervals[0].is_worse


def test_other_windows_are_refused(make_window):
    with pytest.raises(ValueError, match="same windows"):
        compare([make_window([1.0])], [make_window([1.0], name="other")], SETTINGS)
