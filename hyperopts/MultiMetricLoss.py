"""Hyperopt loss: several measures at once, each on a scale of its own, with a floor on trades."""

import math
from datetime import datetime
from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from tradekit import epochs, metrics

LEAST_TRADES = 50
# What counts as good for each measure, and its weight. Beyond twice good nothing is gained.
SCALES = {
    "sharpe": (2.0, 0.25),
    "sortino": (4.0, 0.15),
    "calmar": (3.0, 0.25),
    "profit_factor": (0.5, 0.15),
    "ulcer": (0.05, 0.20),
}


class MultiMetricLoss(IHyperOptLoss):
    """Smaller is better: minus the weighted mean of Sharpe, Sortino, Calmar, profit factor and ulcer.

    Every measure is clipped to ± twice what is good, so that none buys the others. Fewer than 50
    trades are the worst there is.
    """

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        trade_count: int,
        min_date: datetime,
        max_date: datetime,
        starting_balance: float,
        **kwargs: Any,
    ) -> float:
        """Return the loss of one epoch; without trades, or with a ruined account, the worst."""
        if trade_count < LEAST_TRADES:
            return epochs.WORST
        equity = epochs.equity_of(results, starting_balance, min_date, max_date)
        if equity.min() <= 0.0:
            return epochs.WORST
        returns, years = metrics.returns_of(equity), epochs.years_of(equity)
        measured = {
            "sharpe": metrics.sharpe(returns),
            "sortino": metrics.sortino(returns),
            "calmar": metrics.calmar(equity, years),
            "profit_factor": metrics.profit_factor(results["profit_abs"].to_numpy()) - 1.0,
            "ulcer": -metrics.ulcer_frac(equity),
        }
        if any(math.isnan(value) for value in measured.values()):
            return epochs.WORST
        parts = (
            weight * min(max(measured[name] / good, -2.0), 2.0)
            for name, (good, weight) in SCALES.items()
        )
        return -sum(parts)
