"""The figures of a small record, worked by hand, and the frame that Freqtrade's losses read."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from automation.worker.reports import statistics, trade_frame
from automation.worker.results import TRADE_DTYPE, EngineResult


def record(*profits: float) -> EngineResult:
    """One trade a day, open for an hour from noon on."""
    trades = np.zeros(len(profits), dtype=TRADE_DTYPE)
    days = np.arange(len(profits)).astype("m8[D]")
    trades["open_time"] = np.datetime64("2024-01-01T12:00") + days
    trades["close_time"] = np.datetime64("2024-01-01T13:00") + days
    trades["profit_abs"] = profits
    trades["amount"], trades["open_rate"], trades["close_rate"] = 1.0, 100.0, 100.0
    trades["exit_reason"] = 1
    if profits:
        trades["exit_reason"][-1] = 2
    return EngineResult(
        pairs=("BTC/USDT:USDT",),
        trades=trades,
        tags=(None, "roi", "liquidation"),
        start_balance=1000.0,
        final_balance=1000.0 + sum(profits),
        rejected_signals=0,
        timed_out_entries=0,
        timed_out_exits=0,
        start=np.datetime64("2024-01-01", "s"),
        end=np.datetime64("2024-01-05", "s"),
        engine="kernel",
    )


def test_a_record_is_counted():
    found = statistics(record(100.0, -110.0, 10.0, 0.0))
    assert (found.trades, found.wins, found.shorts, found.liquidations) == (4, 2, 0, 1)
    assert found.profit_abs == pytest.approx(0.0)
    assert found.max_drawdown_frac == pytest.approx(0.1)
    assert found.profit_factor == pytest.approx(1.0)
    assert found.exposure_frac == pytest.approx(4 / 96)
    assert found.mean_duration_min == 60.0
    assert found.turnover == pytest.approx(800.0 / np.mean([1000, 1100, 990, 1000, 1000]) * 365 / 4)


def test_no_trades_leave_what_is_undefined_undefined():
    found = statistics(record())
    assert found.trades == 0
    assert found.profit_frac == found.exposure_frac == found.max_drawdown_frac == 0.0
    assert np.isnan(found.sharpe)
    assert np.isnan(found.profit_factor)


def test_a_loss_of_the_pack_reads_the_frame(root: Path):
    file = root / "hyperopts" / "CalmarTailLoss.py"
    spec = importlib.util.spec_from_file_location("CalmarTailLoss", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = record(10.0, -5.0, 20.0)
    frame = trade_frame(result)
    assert list(frame["exit_reason"]) == ["roi", "roi", "liquidation"]
    assert frame["trade_duration"].tolist() == [60, 60, 60]
    loss = module.CalmarTailLoss.hyperopt_loss_function(
        results=frame,
        trade_count=len(frame),
        min_date=result.start.item(),
        max_date=result.end.item(),
        starting_balance=result.start_balance,
    )
    assert np.isfinite(loss)
