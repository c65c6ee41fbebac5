"""The hyperopt losses: better is smaller, few trades and ruin are worse, and they load by name."""

import math
from datetime import UTC, datetime

import pandas as pd
import pytest
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
NAMES = ["CalmarTailLoss", "DeflatedSharpeLoss", "ExpectedShortfallLoss", "MultiMetricLoss"]
WORST = 1e6


@pytest.fixture(params=NAMES)
def loss(request, root, tmp_path):
    resolved = HyperOptLossResolver.load_hyperoptloss(
        {
            "hyperopt_loss": request.param,
            "hyperopt_path": str(root / "hyperopts"),
            "user_data_dir": tmp_path,
            "timeframe": "5m",
        }
    )
    resolved.name = request.param
    return resolved


def loss_of(loss, profits, epochs=100):
    closed = pd.date_range(START, periods=max(len(profits), 1), freq="21h")
    results = pd.DataFrame({"close_date": closed[: len(profits)], "profit_abs": profits})
    return loss.hyperopt_loss_function(
        results=results,
        trade_count=len(results),
        min_date=START,
        max_date=END,
        config={"epochs": epochs},
        starting_balance=1_000.0,
        processed={},
        backtest_stats={},
    )


def test_every_loss_is_tested(root):
    assert sorted(NAMES) == sorted(path.stem for path in (root / "hyperopts").glob("*.py"))


def test_more_profit_is_better(loss):
    assert loss_of(loss, [3.0, -1.0] * 100) < loss_of(loss, [1.3, -1.0] * 100)


def test_the_same_profit_in_wilder_days_is_worse(loss):
    assert loss_of(loss, [2.0, -1.0] * 100) < loss_of(loss, [12.0, -11.0] * 100)


def test_a_few_lucky_trades_do_not_win(loss):
    assert loss_of(loss, [3.0, -1.0] * 100) < loss_of(loss, [50.0, -1.0] * 5)


def test_no_trades_and_ruin_are_the_worst(loss):
    ruined = loss_of(loss, [-20.0] * 100)
    assert loss_of(loss, []) == ruined == WORST
    assert loss_of(loss, [-1.0, -1.2] * 75) < ruined


def test_a_record_without_any_loss_is_finite(loss):
    found = loss_of(loss, [1.0, 1.5] * 75)
    assert math.isfinite(found)
    assert found < loss_of(loss, [1.0, -0.5] * 75) or loss.name == "DeflatedSharpeLoss"


def test_more_epochs_ask_for_more(root, tmp_path):
    resolved = HyperOptLossResolver.load_hyperoptloss(
        {"hyperopt_loss": "DeflatedSharpeLoss", "hyperopt_path": str(root / "hyperopts"),
         "user_data_dir": tmp_path, "timeframe": "5m"}
    )  # fmt: skip
    found = [loss_of(resolved, [3.0, -1.0] * 100, epochs) for epochs in (1, 10, 100, 1_000)]
    assert found == sorted(found)
    assert found[0] < found[-1]
