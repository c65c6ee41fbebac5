"""Follow breakouts of the channel of the last days, with the trend, and leave on the opposite break."""

from typing import ClassVar

import numpy as np
from freqtrade.strategy import CategoricalParameter, DecimalParameter

from tradekit import funding, guards, risk
from tradekit import indicators as ind
from tradekit.base import RISK_PLOTS, PackStrategy
from tradekit.edge import Edge
from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Parameters, Rule

HOUR = 12  # candles of 5 minutes
DAY = 24 * HOUR


class TrendFollowingStrategy(PackStrategy):
    """Channel breakout in the manner of Donchian and the Turtles, on the time scale of days."""

    startup_candle_count = 3 * DAY + 1
    holding_hours = 29.0
    edge = Edge(0.284, 3.1, 257, since="2025-07-01")  # out of sample, by `make results`

    breakout_hours = CategoricalParameter([24, 48, 72], default=72, space="buy")
    trend_gap_frac = DecimalParameter(0.0, 0.03, default=0.0, decimals=3, space="buy")
    exit_hours = CategoricalParameter([12, 24, 36], default=24, space="sell")

    plot_config: ClassVar[dict[str, object]] = {
        "main_plot": {
            "high_72h": {"color": "#2a9d8f"},
            "low_72h": {"color": "#e76f51"},
            "trend": {"color": "#457b9d"},
        },
        "subplots": {
            **RISK_PLOTS,
        },
    }

    @property
    def protections(self) -> list[guards.Guard]:
        """Pause a pair after an exit, and everything after a run of stops or a deep drawdown."""
        return [
            guards.cooldown(2),
            guards.stops(6, within=DAY, pause=4 * HOUR),
            guards.deep_drawdown(0.15, least_trades=10, within=7 * DAY, pause=DAY),
        ]

    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return channels, trend and risk columns; none remembers more than three days."""
        high, low, close = candles["high"], candles["low"], candles["close"]
        day_range = ind.mean_range_frac(high, low, close, DAY)
        stop = risk.stop_distance(day_range, 8.0, self.least_stop_frac, self.most_stop_frac)
        volatility = ind.volatility_frac(close, DAY)
        calm = risk.calm_scale(volatility, ind.volatility_frac(close, 3 * DAY), 0.5)
        made = {
            "trend": ind.sma(close, 2 * DAY),
            **self.risk_columns(candles, volatility * np.sqrt(DAY), stop, calm),
        }
        for hours in sorted({*self.breakout_hours.opt_range, *self.exit_hours.opt_range}):
            made[f"high_{hours}h"] = ind.prior_high(high, hours * HOUR)
            made[f"low_{hours}h"] = ind.prior_low(low, hours * HOUR)
        return made

    @staticmethod
    def entries(c: Columns, p: Parameters) -> list[Rule]:
        """Enter when the close leaves the channel on the trend's side."""
        hours, gap = p["breakout_hours"], p["trend_gap_frac"]
        up = (c["close"] > c[f"high_{hours}h"]) & (c["close"] > c["trend"] * (1.0 + gap))
        down = (c["close"] < c[f"low_{hours}h"]) & (c["close"] < c["trend"] * (1.0 - gap))
        rules = [Rule("long", "channel_break_up", up), Rule("short", "channel_break_down", down)]
        return funding.bearable(rules, c)

    @staticmethod
    def ablated(c: Columns, p: Parameters) -> list[Rule]:
        """Return the entries without the defining condition: no channel is broken, only the average."""
        gap = p["trend_gap_frac"]
        up = ind.crossed_above(c["close"], c["trend"] * (1.0 + gap))
        down = ind.crossed_below(c["close"], c["trend"] * (1.0 - gap))
        rules = [Rule("long", "average_crossed", up), Rule("short", "average_crossed", down)]
        return funding.bearable(rules, c)

    @staticmethod
    def exits(c: Columns, p: Parameters) -> list[Rule]:
        """Leave when the close breaks the shorter channel on the other side."""
        hours = p["exit_hours"]
        return [
            Rule("long", "channel_lost", c["close"] < c[f"low_{hours}h"]),
            Rule("short", "channel_regained", c["close"] > c[f"high_{hours}h"]),
        ]
