"""Trade all the time, for demonstrations: the machinery is seen at work within a candle or two.

It has no edge and pays the fees; its risk is bounded like any other strategy's here. Never give it
money.
"""

from typing import ClassVar

import numpy as np

from tradekit import indicators as ind
from tradekit import risk
from tradekit.base import PackStrategy
from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Parameters, Rule

DAY = 24 * 12  # candles of 5 minutes


class DemoPulseStrategy(PackStrategy):
    """Is always long above the average of the last candles and short below it."""

    startup_candle_count = DAY + 1
    risk_share = 0.2
    holding_hours = 0.5

    plot_config: ClassVar[dict[str, object]] = {"main_plot": {"pulse": {"color": "#457b9d"}}}

    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return the short average and the risk columns."""
        high, low, close = candles["high"], candles["low"], candles["close"]
        day_range = ind.mean_range_frac(high, low, close, DAY)
        stop = risk.stop_distance(day_range, 4.0, self.least_stop_frac, self.most_stop_frac)
        day_volatility = ind.volatility_frac(close, DAY) * np.sqrt(DAY)
        return {
            "pulse": ind.sma(close, 10),
            **self.risk_columns(candles, day_volatility, stop, np.ones(len(close))),
        }

    @staticmethod
    def entries(c: Columns, p: Parameters) -> list[Rule]:  # noqa: ARG004  nothing to tune
        """Enter on whichever side of the average the close is."""
        return [
            Rule("long", "above_average", c["close"] > c["pulse"]),
            Rule("short", "below_average", c["close"] < c["pulse"]),
        ]

    @staticmethod
    def exits(c: Columns, p: Parameters) -> list[Rule]:  # noqa: ARG004  nothing to tune
        """Leave when the close has changed sides."""
        return [
            Rule("long", "fell_below_average", c["close"] < c["pulse"]),
            Rule("short", "rose_above_average", c["close"] > c["pulse"]),
        ]
