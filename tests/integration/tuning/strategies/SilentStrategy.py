"""A strategy whose conditions cannot hold."""

from typing import Any, ClassVar

from freqtrade.strategy import IntParameter, IStrategy
from pandas import DataFrame


class SilentStrategy(IStrategy):
    """Waits for a negative price."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    stoploss = -0.1
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.05}
    startup_candle_count = 30
    buy_below = IntParameter(-900, 0, default=0)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe.loc[dataframe["close"] < self.buy_below.value, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe
