"""Hyperopt loss: annual return per expected shortfall of a day, for those who fear the tail."""

import math
from datetime import datetime
from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from tradekit import epochs, metrics

LEAST_TRADES = 30
HIGHEST_SCORE = 1e3  # a record without any bad day has no finite one
TAIL_FRAC = 0.05


class ExpectedShortfallLoss(IHyperOptLoss):
    """Smaller is better: minus the annual return over the mean loss of the worst 5 % of days.

    A loss is multiplied by one plus the shortfall instead of divided, so that a fatter tail never
    looks better. Fewer than 30 trades are the worst there is.
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
        yearly = metrics.annual_return_frac(equity, epochs.years_of(equity))
        shortfall = max(metrics.cvar_frac(metrics.returns_of(equity), TAIL_FRAC), 0.0)
        if math.isnan(yearly) or equity.min() <= 0.0:
            return epochs.WORST
        if yearly <= 0.0:
            return -yearly * (1.0 + shortfall)
        return -min(yearly / shortfall if shortfall > 0.0 else math.inf, HIGHEST_SCORE)
