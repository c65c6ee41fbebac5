"""What a hyperopt epoch hands to a loss, as equity per day.

Every loss in `hyperopts/` judges by the same curve: equity at the start and after each day, closed
trades counted on the day they closed. Decides nothing; called by the losses.
"""

from datetime import datetime

import numpy as np
from pandas import DataFrame

from tradekit import metrics
from tradekit.indicators import FloatArray

WORST = 1e6
"""The loss of an epoch that nobody wants: no trades, too few, or a ruined account."""


def equity_of(
    results: DataFrame, starting_balance: float, min_date: datetime, max_date: datetime
) -> FloatArray:
    """Return the daily equity of an epoch's trades, in the stake currency."""
    return metrics.daily_equity(
        starting_balance,
        results["close_date"].to_numpy(dtype="datetime64[s]").astype(np.int64),
        results["profit_abs"].to_numpy(dtype=np.float64),
        int(min_date.timestamp()),
        int(max_date.timestamp()),
    )


def years_of(equity: FloatArray) -> float:
    """Return the years that a daily equity curve covers."""
    return (len(equity) - 1) / metrics.DAYS_PER_YEAR
