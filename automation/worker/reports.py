"""Counts a backtest's trades with `tradekit.metrics`, and hands them to Freqtrade's losses as a frame.

The figures are the same whoever ran the backtest. Called by the search for every trial, so it works
on arrays; `trade_frame` is made only where a loss asks for one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automation.worker.results import EngineResult
from tradekit import metrics

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Statistics:
    """A track record. Fractions are of the starting balance, money in the stake currency.

    Sharpe, Sortino, Calmar and the tail are of daily returns on closed profits, the drawdown of the
    equity after every trade; NaN and infinities as `tradekit.metrics` defines them.
    """

    trades: int
    wins: int
    shorts: int
    liquidations: int
    profit_abs: float
    profit_frac: float
    max_drawdown_frac: float
    sharpe: float
    sortino: float
    calmar: float
    cvar_frac: float
    profit_factor: float
    expectancy: float
    exposure_frac: float
    turnover: float
    mean_duration_min: float
    funding_fees: float


def statistics(result: EngineResult) -> Statistics:
    """Count the trades of a backtest."""
    trades = result.trades
    profits = trades["profit_abs"]
    start_s, end_s = _seconds(result.start), _seconds(result.end)
    opened_s, closed_s = _seconds(trades["open_time"]), _seconds(trades["close_time"])
    equity = metrics.equity_curve(result.start_balance, profits)
    daily = metrics.daily_equity(result.start_balance, closed_s, profits, start_s, end_s)
    returns = metrics.returns_of(daily)
    years = (len(daily) - 1) / metrics.DAYS_PER_YEAR
    sides = trades["amount"] * (trades["open_rate"] + trades["close_rate"])
    return Statistics(
        trades=len(trades),
        wins=int(np.sum(profits > 0.0)),
        shorts=int(np.sum(trades["is_short"])),
        liquidations=_count(result, "liquidation"),
        profit_abs=float(np.sum(profits)),
        profit_frac=float(np.sum(profits)) / result.start_balance,
        max_drawdown_frac=metrics.max_drawdown_frac(equity),
        sharpe=metrics.sharpe(returns),
        sortino=metrics.sortino(returns),
        calmar=metrics.calmar(daily, years),
        cvar_frac=metrics.cvar_frac(returns),
        profit_factor=metrics.profit_factor(profits),
        expectancy=metrics.expectancy(profits),
        exposure_frac=metrics.exposure_frac(opened_s, closed_s, start_s, end_s)
        if len(trades)
        else 0.0,
        turnover=metrics.turnover(sides, float(np.mean(equity)), years),
        mean_duration_min=float(np.mean(closed_s - opened_s)) / 60 if len(trades) else np.nan,
        funding_fees=float(np.sum(trades["funding_fees"])),
    )


def trade_frame(result: EngineResult) -> pd.DataFrame:
    """Return the trades as Freqtrade's hyperopt losses receive them."""
    trades = result.trades
    opened, closed = trades["open_time"], trades["close_time"]
    columns: dict[str, Any] = {
        "pair": [result.pairs[place] for place in trades["pair"]],
        "open_date": pd.DatetimeIndex(opened, tz="UTC"),
        "close_date": pd.DatetimeIndex(closed, tz="UTC"),
        "trade_duration": (closed - opened).astype("m8[m]").astype(np.int64),
        "exit_reason": [result.tags[place] for place in trades["exit_reason"]],
        "enter_tag": [result.tags[place] for place in trades["enter_tag"]],
        "initial_stop_loss_abs": trades["initial_stop"],
        "stop_loss_abs": trades["stop"],
        "min_rate": trades["lowest"],
        "max_rate": trades["highest"],
    }
    same = (
        *("stake_amount", "amount", "open_rate", "close_rate", "fee_open", "fee_close"),
        *("profit_ratio", "profit_abs", "is_short", "leverage", "funding_fees"),
    )
    return pd.DataFrame(columns | {name: trades[name] for name in same})


def _count(result: EngineResult, reason: str) -> int:
    places = [place for place, text in enumerate(result.tags) if text == reason]
    return int(np.isin(result.trades["exit_reason"], places).sum())


def _seconds(times: Any) -> Any:
    seconds: npt.NDArray[np.int64] = np.asarray(times).astype("M8[s]").astype(np.int64)
    return seconds if seconds.ndim else int(seconds)
