"""Join a trend after a pullback: RSI and Bollinger extremes inside the EMA trend.

Risk and leverage are scaled by the regime: by rules, or by a filter that `freqfleet train regime`
fitted, where the configuration names its file.
"""

from typing import ClassVar

import numpy as np
from freqtrade.strategy import DecimalParameter, IntParameter

from tradekit import funding, guards, regime, risk
from tradekit import indicators as ind
from tradekit.base import RISK_PLOTS, PackStrategy
from tradekit.edge import Edge
from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Parameters, Rule

HOUR = 12  # candles of 5 minutes
DAY = 24 * HOUR


class FuturesAIRiskStrategy(PackStrategy):
    """Waits for an oversold extreme in an uptrend, enters when price regains the middle band."""

    # The slow average begins as a simple one; after 1800 candles less than 2 % of that is left.
    startup_candle_count = 1800
    holding_hours = 35.0
    edge = Edge(0.272, 3.11, 283, since="2025-07-01")  # out of sample, by `make results`
    wild_risk = 0.5  # what the wild regime leaves of risk and leverage

    rsi_extreme = IntParameter(20, 40, default=30, space="buy")
    pullback_candles = IntParameter(12, 96, default=48, space="buy")
    trend_gap_frac = DecimalParameter(0.0, 0.02, default=0.0, decimals=3, space="buy")
    reversal_gap_frac = DecimalParameter(0.0, 0.02, default=0.0, decimals=3, space="sell")

    plot_config: ClassVar[dict[str, object]] = {
        "main_plot": {
            "ema_fast": {"color": "#2a9d8f"},
            "ema_slow": {"color": "#457b9d"},
            "band_low": {"color": "#aaaaaa"},
            "band_mid": {"color": "#cccccc"},
            "band_high": {"color": "#aaaaaa"},
        },
        "subplots": {
            "rsi": {"rsi": {"color": "#e76f51"}},
            "regime": {"regime_rule": {}, "regime_scale": {}},
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
        """Return trend, bands, RSI and the risk columns."""
        high, low, close = candles["high"], candles["low"], candles["close"]
        lower, middle, upper = ind.bollinger(close, 4 * HOUR, 2.0)
        day_range = ind.mean_range_frac(high, low, close, DAY)
        stop = risk.stop_distance(day_range, 10.0, self.least_stop_frac, self.most_stop_frac)
        volatility = ind.volatility_frac(close, DAY)
        slow_volatility = ind.volatility_frac(close, 5 * DAY)
        rules = regime.rule_regime(
            close, ind.efficiency_ratio(close, DAY), volatility, slow_volatility, DAY
        )
        calm = risk.calm_scale(volatility, slow_volatility, 0.5)
        scale = self.regime_scale_column(candles, rules, self.wild_risk)
        return {
            "ema_fast": ind.ema(close, 150),
            "ema_slow": ind.ema(close, 600),
            "band_low": lower,
            "band_mid": middle,
            "band_high": upper,
            "rsi": ind.rsi(close, 14),
            **self.risk_columns(candles, volatility * np.sqrt(DAY), stop, calm, scale),
            "regime_rule": rules.astype(np.float64),
            "regime_scale": scale,
        }

    @staticmethod
    def entries(c: Columns, p: Parameters) -> list[Rule]:
        """Enter when price regains the middle band soon after an extreme against the trend."""
        low, window = p["rsi_extreme"], p["pullback_candles"]
        sold = (c["close"] < c["band_low"]) & (c["rsi"] < low)
        bought = (c["close"] > c["band_high"]) & (c["rsi"] > 100 - low)
        up, down = FuturesAIRiskStrategy.ablated(c, p)
        return [
            up._replace(holds=up.holds & ind.rolling_any(sold, window)),
            down._replace(holds=down.holds & ind.rolling_any(bought, window)),
        ]

    @staticmethod
    def ablated(c: Columns, p: Parameters) -> list[Rule]:
        """Return the entries without the defining condition: no extreme came before."""
        gap = p["trend_gap_frac"]
        rising = c["ema_fast"] > c["ema_slow"] * (1.0 + gap)
        falling = c["ema_fast"] < c["ema_slow"] * (1.0 - gap)
        long = rising & ind.crossed_above(c["close"], c["band_mid"])
        short = falling & ind.crossed_below(c["close"], c["band_mid"])
        rules = [Rule("long", "dip_regained", long), Rule("short", "rally_faded", short)]
        return funding.bearable(rules, c)

    @staticmethod
    def exits(c: Columns, p: Parameters) -> list[Rule]:
        """Leave when the trend itself has turned."""
        gap = p["reversal_gap_frac"]
        return [
            Rule("long", "trend_turned_down", c["ema_fast"] < c["ema_slow"] * (1.0 - gap)),
            Rule("short", "trend_turned_up", c["ema_fast"] > c["ema_slow"] * (1.0 + gap)),
        ]
