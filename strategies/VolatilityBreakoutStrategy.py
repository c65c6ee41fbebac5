"""Wait until the market is unusually calm, then go with the side on which it leaves the calm."""

from typing import ClassVar

import numpy as np
from freqtrade.strategy import DecimalParameter, IntParameter

from tradekit import funding, guards, risk
from tradekit import indicators as ind
from tradekit.base import RISK_PLOTS, PackStrategy
from tradekit.edge import Edge
from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Parameters, Rule

HOUR = 4  # candles of 15 minutes
DAY = 24 * HOUR


class VolatilityBreakoutStrategy(PackStrategy):
    """Bollinger's squeeze: narrow bands, then a close outside them with more volume than usual."""

    timeframe = "15m"
    startup_candle_count = 6 * DAY + 1
    holding_hours = 14.0
    edge = Edge(0.284, 2.4, 775, since="2025-07-01")  # out of sample, by `make results`

    squeeze = DecimalParameter(0.4, 1.0, default=0.7, decimals=2, space="buy")
    squeeze_candles = IntParameter(4, 48, default=24, space="buy")
    relative_volume = DecimalParameter(1.0, 3.0, default=1.5, decimals=1, space="buy")
    exit_gap_frac = DecimalParameter(0.0, 0.02, default=0.0, decimals=3, space="sell")

    plot_config: ClassVar[dict[str, object]] = {
        "main_plot": {
            "band_low": {"color": "#aaaaaa"},
            "band_mid": {"color": "#cccccc"},
            "band_high": {"color": "#aaaaaa"},
        },
        "subplots": {
            "width": {"relative_width": {"color": "#e76f51"}},
            "volume": {"volume_ratio": {"color": "#2a9d8f"}},
            **RISK_PLOTS,
        },
    }

    @property
    def protections(self) -> list[guards.Guard]:
        """Pause a pair after an exit, and everything after a run of false breakouts."""
        return [
            guards.cooldown(2),
            guards.stops(5, within=DAY, pause=4 * HOUR),
        ]

    def columns(self, candles: Columns) -> dict[str, FloatArray]:
        """Return bands, their width against its own past, volume and the risk columns."""
        high, low, close = candles["high"], candles["low"], candles["close"]
        lower, middle, upper = ind.bollinger(close, DAY, 2.0)
        width = ind.ratio(upper - lower, middle)
        usual = np.full(len(close), np.nan)
        usual[DAY - 1 :] = ind.sma(width[DAY - 1 :], 5 * DAY)
        day_range = ind.mean_range_frac(high, low, close, DAY)
        stop = risk.stop_distance(day_range, 6.0, self.least_stop_frac, self.most_stop_frac)
        volatility = ind.volatility_frac(close, DAY)
        calm = risk.calm_scale(volatility, ind.volatility_frac(close, 5 * DAY), 0.5)
        return {
            "band_low": lower,
            "band_mid": middle,
            "band_high": upper,
            "relative_width": ind.ratio(width, usual),
            "volume_ratio": ind.relative_volume(candles["volume"], DAY),
            **self.risk_columns(candles, volatility * np.sqrt(DAY), stop, calm),
        }

    @staticmethod
    def entries(c: Columns, p: Parameters) -> list[Rule]:
        """Enter when the close leaves the bands soon after they were narrow."""
        calm = ind.rolling_any(c["relative_width"] < p["squeeze"], p["squeeze_candles"])
        return [
            Rule(rule.side, rule.tag, rule.holds & calm)
            for rule in VolatilityBreakoutStrategy.ablated(c, p)
        ]

    @staticmethod
    def ablated(c: Columns, p: Parameters) -> list[Rule]:
        """Return the entries without the defining condition: any close outside the bands."""
        busy = c["volume_ratio"] > p["relative_volume"]
        rules = [
            Rule("long", "calm_left_upwards", busy & ind.crossed_above(c["close"], c["band_high"])),
            Rule("short", "calm_left_downwards", busy & ind.crossed_below(c["close"], c["band_low"])),
        ]  # fmt: skip
        return funding.bearable(rules, c)

    @staticmethod
    def exits(c: Columns, p: Parameters) -> list[Rule]:
        """Leave when the close is back behind the middle band."""
        gap = p["exit_gap_frac"]
        return [
            Rule("long", "fell_to_the_middle", c["close"] < c["band_mid"] * (1.0 - gap)),
            Rule("short", "rose_to_the_middle", c["close"] > c["band_mid"] * (1.0 + gap)),
        ]
