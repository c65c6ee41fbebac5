"""Is long whenever it may, for a minute at a time; hangs when a file beside its database says so."""

import ctypes
from pathlib import Path

from freqtrade.strategy import IStrategy


class Eager(IStrategy):
    timeframe = "1m"
    minimal_roi = {"0": 10, "1": -1}  # noqa: RUF012
    stoploss = -0.05
    startup_candle_count = 10
    process_only_new_candles = False
    order_types = {  # noqa: RUF012
        "entry": "market", "exit": "market", "stoploss": "market", "emergency_exit": "market",
        "stoploss_on_exchange": True, "stoploss_on_exchange_interval": 5,
    }  # fmt: skip

    def bot_loop_start(self, **_):
        folder = Path(self.config["user_data_dir"]).parent
        if (folder / "hang-api").exists():
            (folder / "hang-api").unlink()
            ctypes.PyDLL(None).sleep(120)  # keeps the interpreter's lock: nothing answers

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
