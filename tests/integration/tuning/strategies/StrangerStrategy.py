"""A plain strategy of a stranger: signals in pandas, one parameter in its indicators."""

from typing import Any, ClassVar

import talib
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy
from pandas import DataFrame


class StrangerStrategy(IStrategy):
    """Long above an average, short below."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    can_short = True
    stoploss = -0.05
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.03, "120": 0.01, "600": 0.0}
    startup_candle_count = 60

    buy_fast = IntParameter(5, 20, default=12)
    buy_gap = DecimalParameter(0.0, 0.01, default=0.0, decimals=3)
    sell_gap = IntParameter(0, 5, default=0)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe["fast"] = talib.EMA(dataframe["close"], self.buy_fast.value)
        dataframe["slow"] = talib.SMA(dataframe["close"], 60)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        above = dataframe["fast"] > dataframe["slow"] * (1 + self.buy_gap.value)
        dataframe.loc[above, ["enter_long", "enter_tag"]] = (1, "up")
        below = dataframe["fast"] < dataframe["slow"] * (1 - self.buy_gap.value)
        dataframe.loc[below, ["enter_short", "enter_tag"]] = (1, "down")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        gap = 1 + self.sell_gap.value / 1000
        dataframe.loc[dataframe["fast"] * gap < dataframe["slow"], "exit_long"] = 1
        dataframe.loc[dataframe["fast"] > dataframe["slow"] * gap, "exit_short"] = 1
        return dataframe
