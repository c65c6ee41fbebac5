"""Hyperopt loss: a Calmar ratio that pays for bad days, and believes little in few trades."""

import math
from datetime import datetime
from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from tradekit import epochs, metrics

LEAST_TRADES = 100  # fewer say little: a gain counts only by their part of these
TAIL_DAYS = 3.0
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
            return epochs.WORST
        equity = epochs.equity_of(results, starting_balance, min_date, max_date)
        score = metrics.calmar_with_tail(equity, epochs.years_of(equity), TAIL_DAYS)
        if math.isnan(score) or equity.min() <= 0.0:
            return epochs.WORST
        share = min(trade_count / LEAST_TRADES, 1.0)
        gain = min(score, HIGHEST_SCORE) * share if score > 0.0 else score
        return (1.0 - share) - gain
