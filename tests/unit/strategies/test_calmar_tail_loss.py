"""The hyperopt loss: better is smaller, few trades and ruin are worse, and it loads by name."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def loss(root, tmp_path_factory):
    resolved = HyperOptLossResolver.load_hyperoptloss(
        {
            "hyperopt_loss": "CalmarTailLoss",
            "hyperopt_path": str(root / "hyperopts"),
            "user_data_dir": tmp_path_factory.mktemp("user_data"),
            "timeframe": "5m",
        }
    )
    return resolved.hyperopt_loss_function


def loss_of(loss, profits, days=180):
    closed = pd.date_range(START, periods=max(len(profits), 1), freq=f"{days * 24 // 200}h")
    results = pd.DataFrame({"close_date": closed[: len(profits)], "profit_abs": profits})
    return loss(
        results=results,
        trade_count=len(results),
        min_date=START,
        max_date=END,
        starting_balance=1_000.0,
    )


def test_more_profit_is_better(loss):
    assert loss_of(loss, [3.0, -1.0] * 100) < loss_of(loss, [2.5, -1.0] * 100)


def test_the_same_profit_in_wilder_days_is_worse(loss):
    assert loss_of(loss, [2.0, -1.0] * 100) < loss_of(loss, [12.0, -11.0] * 100)


def test_a_few_lucky_trades_do_not_win(loss):
    assert loss_of(loss, [3.0, -1.0] * 100) < loss_of(loss, [50.0, -1.0] * 5)


def test_no_trades_and_ruin_are_the_worst(loss):
    ruined = loss_of(loss, [-20.0] * 100)
    assert loss_of(loss, []) == ruined == 1e6
    assert loss_of(loss, [-1.0] * 150) < ruined


def test_a_record_without_any_loss_is_finite(loss):
    assert loss_of(loss, [1.0] * 150) == -1e3
