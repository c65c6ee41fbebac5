"""Freqtrade's own backtest on a prepared job: the parity partner and the fallback.

Runs `Backtesting.backtest` of the installed Freqtrade, unchanged, in this process, on the same
columns, and reads its trades into the engine's form.
"""

import math
from typing import Any

import numpy as np
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import LocalTrade

from automation.core.errors import ConfigError
from automation.worker.capability import is_pack
from automation.worker.jobs import Parameters
from automation.worker.loading import quiet
from automation.worker.prepared import Prepared
from automation.worker.results import TRADE_DTYPE, EngineResult, Tags
from tradekit import ladder


def evaluate_with_freqtrade(
    prepared: Prepared, parameters: Parameters | None = None, reasons: tuple[str, ...] = ()
) -> EngineResult:
    """Run Freqtrade's `Backtesting.backtest` with `parameters`; raises ConfigError where it fails."""
    if parameters is not None:
        prepared.apply(parameters)
    columns = prepared.columns()
    bt = prepared.loaded.backtesting
    frames = {pair: frame.copy(deep=False) for pair, frame in columns.frames.items()}
    if is_pack(prepared.strategy):
        _begin_anew(prepared.strategy)
    try:
        with quiet():
            content = bt.backtest(processed=frames, start_date=columns.start, end_date=columns.end)
    except FreqtradeException as error:
        raise ConfigError(str(error), where=prepared.loaded.job.strategy) from error
    tags = Tags()
    pairs = tuple(columns.frames)
    trades = np.zeros(len(LocalTrade.bt_trades), dtype=TRADE_DTYPE)
    for row, trade in zip(trades, LocalTrade.bt_trades, strict=True):
        _write(row, trade, pairs, tags)
    return EngineResult(
        pairs=pairs,
        trades=trades,
        tags=tags.texts(),
        start_balance=prepared.start_balance,
        final_balance=float(content["final_balance"]),
        rejected_signals=int(content["rejected_signals"]),
        timed_out_entries=int(content["timedout_entry_orders"]),
        timed_out_exits=int(content["timedout_exit_orders"]),
        start=np.datetime64(columns.start.replace(tzinfo=None), "s"),
        end=np.datetime64(columns.end.replace(tzinfo=None), "s"),
        engine="freqtrade",
        reasons=reasons,
    )


def _begin_anew(strategy: Any) -> None:
    """Have PackStrategy forget the run before, as a new process would.

    By itself it begins anew only where a backtest starts at or before the last candle it saw.
    """
    strategy._ladder, strategy._last_loop_s = ladder.START, -math.inf
    strategy._forget_backtest()


def _write(row: Any, trade: Any, pairs: tuple[str, ...], tags: Tags) -> None:
    row["pair"] = pairs.index(trade.pair)
    row["is_short"] = trade.is_short
    row["open_time"] = trade.open_date.replace(tzinfo=None)
    row["fill_time"] = trade.date_entry_fill_utc.replace(tzinfo=None)
    row["close_time"] = trade.close_date.replace(tzinfo=None)
    row["open_rate"] = trade.open_rate
    row["close_rate"] = trade.close_rate
    row["amount"] = trade.amount
    row["stake_amount"] = trade.stake_amount
    row["leverage"] = trade.leverage
    row["fee_open"] = trade.fee_open
    row["fee_close"] = trade.fee_close
    row["funding_fees"] = trade.funding_fees
    row["profit_ratio"] = trade.close_profit
    row["profit_abs"] = trade.close_profit_abs
    row["enter_tag"] = tags.place(trade.enter_tag if isinstance(trade.enter_tag, str) else None)
    row["exit_reason"] = tags.place(trade.exit_reason)
    row["initial_stop"] = trade.initial_stop_loss
    row["stop"] = trade.stop_loss
    row["liquidation"] = trade.liquidation_price or 0.0
    row["lowest"] = trade.min_rate
    row["highest"] = trade.max_rate
