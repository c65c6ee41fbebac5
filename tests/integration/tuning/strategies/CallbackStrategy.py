"""The same with a callback that the compiled engine does not know."""

from typing import Any, ClassVar

import talib
from freqtrade.strategy import IntParameter, IStrategy
from pandas import DataFrame


class CallbackStrategy(IStrategy):
    """Leaves by a rule of its own."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    can_short = False
    stoploss = -0.05
    minimal_roi: ClassVar[dict[str, float]] = {"0": 0.05}
    startup_candle_count = 30

    buy_fast = IntParameter(5, 20, default=12)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe["average"] = talib.SMA(dataframe["close"], 20)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        turned = dataframe["close"] > dataframe["average"]
        dataframe.loc[
            turned & ~turned.shift(self.buy_fast.value, fill_value=False), "enter_long"
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe.loc[dataframe["close"] < dataframe["average"] * 0.99, "exit_long"] = 1
        return dataframe

    def custom_exit(self, pair: str, trade: Any, *args: Any, **kwargs: Any) -> str | None:
        return "enough" if len(args) > 2 and args[2] > 0.004 else None
