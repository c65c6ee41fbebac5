"""A plain strategy whose signals are written into the candles' volume: one bit each."""

from typing import Any, ClassVar

import numpy as np
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class ProbeStrategy(IStrategy):
    """Does what the test's market says; every setting is set by the test."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    can_short = True
    stoploss = -0.1
    minimal_roi: ClassVar[dict[str, float]] = {}
    use_exit_signal = True
    exit_profit_only = False
    exit_profit_offset = 0.0
    ignore_roi_if_entry_signal = False
    startup_candle_count = 0
    protections: ClassVar[list[dict[str, Any]]] = []

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe.assign(code=dataframe["volume"].astype(np.int64))

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        code = dataframe["code"].to_numpy()
        dataframe["enter_long"] = code & 1
        dataframe["enter_short"] = code >> 2 & 1
        dataframe.loc[code & 16 != 0, "enter_tag"] = "tagged"
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        code = dataframe["code"].to_numpy()
        dataframe["exit_long"] = code >> 1 & 1
        dataframe["exit_short"] = code >> 3 & 1
        dataframe.loc[code & 32 != 0, "exit_tag"] = "left"
        return dataframe
