"""A plain strategy of a stranger: two averages, whose lengths are parameters read by its indicators."""

from typing import Any, ClassVar

import talib
from freqtrade.strategy import IntParameter, IStrategy
from pandas import DataFrame


class CrossStrategy(IStrategy):
    """Long above, short below; leaves on the cross back."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    can_short = True
    stoploss = -0.02
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.03, "120": 0.01, "600": 0.0}
    trailing_stop = True
    trailing_stop_positive = 0.004
    trailing_stop_positive_offset = 0.01
    trailing_only_offset_is_reached = True
    use_exit_signal = True
    exit_profit_only = False
    ignore_roi_if_entry_signal = False
    startup_candle_count = 120

    buy_fast = IntParameter(5, 50, default=12)
    sell_gap = IntParameter(0, 5, default=0)

    @property
    def protections(self) -> list[dict[str, Any]]:
        return [
            {"method": "CooldownPeriod", "stop_duration_candles": 3},
            {"method": "StoplossGuard", "lookback_period_candles": 100, "trade_limit": 2,
             "stop_duration_candles": 20, "only_per_side": True},
            {"method": "LowProfitPairs", "lookback_period": 600, "trade_limit": 2,
             "stop_duration": 61, "required_profit": 0.01},
            {"method": "MaxDrawdown", "lookback_period": 3000, "trade_limit": 20,
             "stop_duration": 45, "max_allowed_drawdown": 0.05},
        ]  # fmt: skip

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe["fast"] = talib.EMA(dataframe["close"], self.buy_fast.value)
        dataframe["slow"] = talib.EMA(dataframe["close"], 60)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        above = dataframe["fast"] > dataframe["slow"]
        dataframe.loc[above & ~above.shift(1, fill_value=False), ["enter_long", "enter_tag"]] = (
            1,
            "up",
        )
        dataframe.loc[~above & above.shift(1, fill_value=False), ["enter_short", "enter_tag"]] = (
            1,
            "down",
        )
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        gap = 1 + self.sell_gap.value / 1000
        dataframe.loc[dataframe["fast"] * gap < dataframe["slow"], ["exit_long", "exit_tag"]] = (
            1,
            "back",
        )
        dataframe.loc[dataframe["fast"] > dataframe["slow"] * gap, "exit_short"] = 1
        return dataframe
