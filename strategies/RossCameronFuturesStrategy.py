"""Momentum in the manner of day traders: a surge on volume, a short pullback, the first new high."""

from typing import ClassVar

import numpy as np
from freqtrade.strategy import DecimalParameter, IntParameter

from tradekit import funding, guards, risk
from tradekit import indicators as ind
from tradekit.base import RISK_PLOTS, PackStrategy
from tradekit.edge import Edge
from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Parameters, Rule

HOUR = 12  # candles of 5 minutes
DAY = 24 * HOUR


class RossCameronFuturesStrategy(PackStrategy):
    """Cameron's bull flag, mirrored for shorts, on contracts that trade around the clock."""

    startup_candle_count = 2 * DAY + 1
    holding_hours = 1.1
    edge = Edge(0.302, 1.61, 959, since="2025-07-01")  # out of sample, by `make results`
    # What does not move at once was no momentum.
    time_stop_candles = 2 * HOUR
    time_stop_least_r = 0.5
    trail_after_r = 2.0
    trail_dist_r = 1.0

    surge_rsi = IntParameter(60, 85, default=70, space="buy")
    surge_volume = DecimalParameter(1.5, 6.0, default=3.0, decimals=1, space="buy")
    pullback_candles = IntParameter(3, 18, default=9, space="buy")
    exit_gap_frac = DecimalParameter(0.0, 0.01, default=0.0, decimals=3, space="sell")

    plot_config: ClassVar[dict[str, object]] = {
        "main_plot": {"ema_fast": {"color": "#2a9d8f"}, "ema_slow": {"color": "#457b9d"}},
        "subplots": {
            "rsi": {"rsi": {"color": "#e76f51"}},
            "volume": {"volume_ratio": {"color": "#2a9d8f"}},
            **RISK_PLOTS,
        },
    }

    @property
    def protections(self) -> list[guards.Guard]:
        """Pause a pair after an exit; three stops in half a day end the day's trading."""
        return [
            guards.cooldown(3),
            guards.stops(3, within=12 * HOUR, pause=12 * HOUR),
        ]

    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return averages, RSI, volume against the day's, and the risk columns."""
        high, low, close = candles["high"], candles["low"], candles["close"]
        day_range = ind.mean_range_frac(high, low, close, DAY)
        stop = risk.stop_distance(day_range, 4.0, self.least_stop_frac, 0.02)
        volatility = ind.volatility_frac(close, DAY)
        calm = risk.calm_scale(volatility, ind.volatility_frac(close, 2 * DAY), 0.5)
        return {
            "ema_fast": ind.ema(close, 9),
            "ema_slow": ind.ema(close, 20),
            "rsi": ind.rsi(close, 14),
            "volume_ratio": ind.relative_volume(candles["volume"], DAY),
            **self.risk_columns(candles, volatility * np.sqrt(DAY), stop, calm),
        }

    @staticmethod
    def entries(c: Columns, p: Parameters) -> list[Rule]:
        """Enter on the first close above the pullback's last high, soon after a surge on volume."""
        window, hot = p["pullback_candles"], p["surge_rsi"]
        busy = c["volume_ratio"] > p["surge_volume"]
        surged = ind.rolling_any((c["rsi"] > hot) & busy, window)
        plunged = ind.rolling_any((c["rsi"] < 100 - hot) & busy, window)
        up, down = RossCameronFuturesStrategy.ablated(c, p)
        return [up._replace(holds=up.holds & surged), down._replace(holds=down.holds & plunged)]

    @staticmethod
    def ablated(c: Columns, p: Parameters) -> list[Rule]:  # noqa: ARG004
        """Return the entries without the defining condition: any pullback, no surge on volume."""
        before = ind.shifted(c["close"], 1)
        fell, rose = before < ind.shifted(c["close"], 2), before > ind.shifted(c["close"], 2)
        rising = (c["ema_fast"] > c["ema_slow"]) & (c["low"] > c["ema_slow"]) & (c["rsi"] < 85)
        falling = (c["ema_fast"] < c["ema_slow"]) & (c["high"] < c["ema_slow"]) & (c["rsi"] > 15)
        long = rising & fell & (c["close"] > ind.shifted(c["high"], 1))
        short = falling & rose & (c["close"] < ind.shifted(c["low"], 1))
        rules = [Rule("long", "flag_up", long), Rule("short", "flag_down", short)]
        return funding.bearable(rules, c)

    @staticmethod
    def exits(c: Columns, p: Parameters) -> list[Rule]:
        """Leave when the close is back behind the slow average."""
        gap = p["exit_gap_frac"]
        return [
            Rule("long", "momentum_lost", c["close"] < c["ema_slow"] * (1.0 - gap)),
            Rule("short", "momentum_lost", c["close"] > c["ema_slow"] * (1.0 + gap)),
        ]
