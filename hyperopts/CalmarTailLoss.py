"""Hyperopt loss: a Calmar ratio that pays for bad days, and believes little in few trades."""

import math
from datetime import datetime
from typing import Any

import numpy as np
from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from tradekit import metrics

LEAST_TRADES = 100  # fewer say little: a gain counts only by their part of these
TAIL_DAYS = 3.0
WORST = 1e6
HIGHEST_SCORE = 1e3  # a record without any loss has no finite one


class CalmarTailLoss(IHyperOptLoss):
    """Smaller is better: minus `metrics.calmar_with_tail`, scaled down for too few trades."""

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
        if not trade_count:
            return WORST
        equity = metrics.daily_equity(
            starting_balance,
            results["close_date"].to_numpy(dtype="datetime64[s]").astype(np.int64),
            results["profit_abs"].to_numpy(dtype=np.float64),
            int(min_date.timestamp()),
            int(max_date.timestamp()),
        )
        score = metrics.calmar_with_tail(
            equity, (len(equity) - 1) / metrics.DAYS_PER_YEAR, TAIL_DAYS
        )
        if math.isnan(score) or equity.min() <= 0.0:
            return WORST
        share = min(trade_count / LEAST_TRADES, 1.0)
        gain = min(score, HIGHEST_SCORE) * share if score > 0.0 else score
        return (1.0 - share) - gain
