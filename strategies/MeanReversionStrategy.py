"""Fade the edges of a range: enter far from the mean while the market goes nowhere, leave at the mean."""

from typing import ClassVar

import numpy as np
from freqtrade.strategy import DecimalParameter

from tradekit import funding, guards, risk
from tradekit import indicators as ind
from tradekit.base import RISK_PLOTS, PackStrategy
from tradekit.edge import Edge
from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Parameters, Rule

DAY = 24  # candles of an hour


class MeanReversionStrategy(PackStrategy):
    """Bollinger's reversion to the mean on hourly candles, only where Kaufman's efficiency is low.

    Hourly, because on 5 minutes the fees are larger than the bounce.
    """

    timeframe = "1h"
    startup_candle_count = 5 * DAY + 1
    holding_hours = 16.5
    edge = Edge(0.591, 0.58, 756, since="2025-07-01")  # out of sample, by `make results`
    time_stop_candles = 2 * DAY

    entry_z = DecimalParameter(1.5, 3.0, default=2.0, decimals=1, space="buy")
    range_efficiency = DecimalParameter(0.1, 0.5, default=0.3, decimals=2, space="buy")
    exit_z = DecimalParameter(-1.0, 1.0, default=0.0, decimals=1, space="sell")

    plot_config: ClassVar[dict[str, object]] = {
        "main_plot": {"mean": {"color": "#457b9d"}},
        "subplots": {
            "distance": {"z": {"color": "#e76f51"}},
            "efficiency": {"efficiency": {"color": "#2a9d8f"}},
            **RISK_PLOTS,
        },
    }

    @property
    def protections(self) -> list[guards.Guard]:
        """Pause a pair after an exit, and everything after a run of stops: the range is over."""
        return [
            guards.cooldown(2),
            guards.stops(4, within=2 * DAY, pause=DAY),
        ]

    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return distance from the mean, efficiency and the risk columns; finite memory."""
        high, low, close = candles["high"], candles["low"], candles["close"]
        _, mean, above = ind.bollinger(close, 2 * DAY, 1.0)
        day_range = ind.mean_range_frac(high, low, close, DAY)
        stop = risk.stop_distance(day_range, 4.0, self.least_stop_frac, self.most_stop_frac)
        volatility = ind.volatility_frac(close, DAY)
        calm = risk.calm_scale(volatility, ind.volatility_frac(close, 5 * DAY), 0.5)
        return {
            "mean": mean,
            # a deviation of the last digit only is none
            "z": ind.ratio(close - mean, np.where(above - mean > 1e-9 * mean, above - mean, 0.0)),
            "efficiency": ind.efficiency_ratio(close, 2 * DAY),
            **self.risk_columns(candles, volatility * np.sqrt(DAY), stop, calm),
        }

    @staticmethod
    def entries(c: Columns, p: Parameters) -> list[Rule]:
        """Enter where the close turned back at the edge of a range."""
        ranging = c["efficiency"] < p["range_efficiency"]
        return [
            Rule(rule.side, rule.tag, rule.holds & ranging)
            for rule in MeanReversionStrategy.ablated(c, p)
        ]

    @staticmethod
    def ablated(c: Columns, p: Parameters) -> list[Rule]:
        """Return the entries without the defining condition: the edges of trends are faded too."""
        far, before = p["entry_z"], ind.shifted(c["z"], 1)
        long = (before < -far) & (c["z"] > before) & (c["z"] < p["exit_z"])
        short = (before > far) & (c["z"] < before) & (c["z"] > -p["exit_z"])
        rules = [Rule("long", "range_low_turned", long), Rule("short", "range_high_turned", short)]
        return funding.bearable(rules, c)

    @staticmethod
    def exits(c: Columns, p: Parameters) -> list[Rule]:
        """Leave at the mean."""
        return [
            Rule("long", "mean_reached", c["z"] >= p["exit_z"]),
            Rule("short", "mean_reached", c["z"] <= -p["exit_z"]),
        ]
