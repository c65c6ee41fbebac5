"""Each check can say yes, no, and where it must, that it does not know."""

from dataclasses import replace

import pytest

from automation.gates.config import (
    ComparisonSettings,
    Limits,
    LookaheadSettings,
    RecursiveSettings,
)
from automation.gates.figures import figures
from automation.gates.judgement import (
    judge_limits,
    judge_lookahead,
    judge_recursion,
    judge_stops,
    judge_truncation,
)
from automation.gates.verdicts import Check, Place, Status, StrategyReport, Verdict

LIMITS = Limits(
    least_trades_a_month=5,
    least_profit_factor=0.5,
    most_drawdown_frac=0.3,
    most_worst_day_frac=0.2,
    most_liquidations=0,
    most_exposure=2.0,
    most_trade_risk_frac=0.02,
)


def failed(checks) -> set[str]:
    return {check.name for check in checks if check.status is Status.FAIL}


@pytest.fixture
def fair(make_window):
    return figures([make_window([50.0, -40.0] * 5)])


def test_a_fair_strategy_passes_everything(fair):
    assert {check.status for check in judge_limits(fair, LIMITS)} == {Status.PASS}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("trades a month", "trades_a_month", 4.9),
        ("profit factor", "profit_factor", 0.49),
        ("profit factor", "profit_factor", float("nan")),
        ("drawdown", "drawdown_frac", 0.31),
        ("worst day", "worst_day_frac", 0.21),
        ("liquidations", "liquidations", 1),
        ("exposure", "exposure", 2.01),
        ("trade risk", "trade_risk_frac", 0.021),
    ],
)
def test_every_floor_and_ceiling_bites_alone(fair, name, field, value):
    checks = judge_limits(replace(fair, **{field: value}), LIMITS)
    assert failed(checks) == {name}


def test_a_limit_can_be_switched_off_and_says_so(fair):
    checks = judge_limits(fair, LIMITS.model_copy(update={"most_drawdown_frac": None}))
    (off,) = [check for check in checks if check.status is Status.OFF]
    assert (off.name, "no ceiling" in off.sentence) == ("drawdown", True)


def test_zero_trades_fail_and_nothing_else_is_asked(make_window):
    (check,) = judge_limits(figures([make_window([])]), LIMITS)
    assert (check.name, check.status) == ("zero trades", Status.FAIL)


def answer(trades=40, entries=0, exits=0, columns=()):
    return {"trades": trades, "entries": entries, "exits": exits, "columns": list(columns)}


LOOKAHEAD = LookaheadSettings(least_trades=30)


@pytest.mark.parametrize(
    ("answers", "why", "expected"),
    [
        ([answer(20), answer(20)], "", Status.PASS),
        ([answer(20), answer(9)], "", Status.NOT_JUDGED),
        ([], "was stopped", Status.NOT_JUDGED),
        ([answer(40)], "was stopped", Status.NOT_JUDGED),
        ([answer(40), {"error": "no data"}], "", Status.PASS),
        ([answer(10), answer(10, entries=1)], "", Status.FAIL),
        ([answer(3, columns=["mean"])], "was stopped", Status.FAIL),
        ([answer(100), answer(0, exits=1)], "", Status.FAIL),
    ],
)
def test_lookahead(answers, why, expected):
    check = judge_lookahead(answers, why, LOOKAHEAD, ())
    assert check.status is expected
    assert why in check.sentence or expected is Status.FAIL


def test_truncation():
    finding = {"column": "mean", "pair": "BTC", "at": "2025", "cuts": 3, "rows": 1}
    place = Place("A.py", 3, "mean")
    assert judge_truncation({"findings": [], "cuts": 8}, "", ()).status is Status.PASS
    found = judge_truncation({"findings": [finding], "cuts": 8}, "", (place,))
    assert (found.status, found.places) == (Status.FAIL, (place,))
    assert judge_truncation(None, "was stopped", ()).status is Status.NOT_JUDGED


def test_recursion():
    settings = RecursiveSettings(most_variance_frac=0.02)
    fine = {"variances": {"ema": -0.019, "odd": None}}
    assert judge_recursion(fine, "", settings, 200).status is Status.PASS
    short = judge_recursion({"variances": {"ema": -0.03}}, "", settings, 200)
    assert short.status is Status.FAIL
    assert "200 start-up candles are too few: ema 3.0% off" in short.sentence
    hasty = {"variances": {"ema": 0.1, "slow": None, "word": None}, "empty": ["slow"]}
    told = judge_recursion(hasty, "", settings, 20).sentence
    assert told == "20 start-up candles are too few: ema 10.0% off, slow still empty"
    assert judge_recursion({"error": "x"}, "", settings, 200).status is Status.NOT_JUDGED
    assert judge_recursion(None, "stopped", settings, 200).status is Status.NOT_JUDGED


def test_stops(fair, make_window):
    settings = ComparisonSettings(most_stop_widening=1.5)
    wide = figures([make_window([50.0, -40.0] * 5, stop_loss=76.0)])
    assert judge_stops(fair, wide, settings).status is Status.FAIL
    assert judge_stops(wide, fair, settings).status is Status.PASS
    assert judge_stops(fair, fair, settings).status is Status.PASS
    none = figures([make_window([1.0], stop_loss=0.0)])
    assert judge_stops(none, fair, settings).status is Status.OFF


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([Status.PASS, Status.OFF], Verdict.PASS),
        ([Status.PASS, Status.NOT_JUDGED], Verdict.NOT_JUDGED),
        ([Status.NOT_JUDGED, Status.FAIL], Verdict.FAIL),
    ],
)
def test_the_worst_check_decides(statuses, expected):
    checks = tuple(Check("loads", status, "") for status in statuses)
    assert StrategyReport("A", "A.py", checks).verdict is expected
