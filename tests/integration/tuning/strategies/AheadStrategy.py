"""A strategy that knows the next candle."""

from typing import Any, ClassVar

from freqtrade.strategy import IntParameter, IStrategy
from pandas import DataFrame


class AheadStrategy(IStrategy):
    """Buys before a rise."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    stoploss = -0.1
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.05}
    startup_candle_count = 30
    buy_wait = IntParameter(1, 3, default=1)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe["tomorrow"] = dataframe["close"].shift(-1)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe.loc[dataframe["tomorrow"] > dataframe["close"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe.loc[dataframe["tomorrow"] < dataframe["close"], "exit_long"] = 1
        return dataframe
