"""Hyperopt loss: the Sharpe ratio of daily returns above what luck gives the best of so many epochs."""

import math
from datetime import datetime
from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from tradekit import epochs, metrics

EPOCHS = 100  # where the configuration does not say how many are tried


class DeflatedSharpeLoss(IHyperOptLoss):
    """Smaller is better: minus the standard errors above the luck of the best epoch.

    The luck is that of independent epochs without skill, whose daily ratios scatter by 1 / √days
    (Bailey and López de Prado 2014); its probability is `metrics.deflated_sharpe`.
    """

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        trade_count: int,
        min_date: datetime,
        max_date: datetime,
        starting_balance: float,
        config: dict[str, Any],
        **kwargs: Any,
    ) -> float:
        """Return the loss of one epoch; without trades, or with a ruined account, the worst."""
        if not trade_count:
            return epochs.WORST
        equity = epochs.equity_of(results, starting_balance, min_date, max_date)
        returns = metrics.returns_of(equity)
        luck = metrics.expected_best_sharpe(
            int(config.get("epochs") or EPOCHS), 1.0 / max(len(returns) - 1, 1)
        )
        score = metrics.sharpe_score(returns, luck)
        return epochs.WORST if math.isnan(score) or equity.min() <= 0.0 else -score
