"""Is long whenever it may, for two minutes at a time; files beside its database tell it otherwise."""

import ctypes
import time
from pathlib import Path

from freqtrade.strategy import IStrategy


class Eager(IStrategy):
    timeframe = "1m"
    minimal_roi = {"0": 10, "2": -1}  # noqa: RUF012
    stoploss = -0.05
    startup_candle_count = 10
    process_only_new_candles = False

    def bot_loop_start(self, **_):
        if hang_s := self._told("hang-api"):
            ctypes.PyDLL(None).sleep(int(hang_s))  # keeps the interpreter's lock: nothing answers
        if hang_s := self._told("hang-loop"):
            time.sleep(hang_s)

    def custom_exit(self, pair, **_):
        return "told to" if (self._folder() / "exit-now").exists() else None

    def confirm_trade_exit(self, pair, **_):
        return not (self._folder() / "hold-on").exists()

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def _folder(self):
        return Path(self.config["user_data_dir"]).parent

    def _told(self, name):
        """Tell the seconds that a file asks for, once."""
        path = self._folder() / name
        if not path.exists():
            return 0.0
        seconds = float(path.read_text())
        path.unlink()
        return seconds
