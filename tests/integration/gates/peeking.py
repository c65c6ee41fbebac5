"""Strategies that see the future, one form each, and columns that do not.

Read as text by the tests: each form is a piece of `populate_indicators` that writes column `signal`
(or, for the last, a callback).
"""

HONEST = {
    "shifted": 'frame["close"].shift(1) > frame["close"].shift(2)',
    "rolling": 'frame["close"] > frame["close"].rolling(20).mean()',
    "ema": 'frame["close"] > ta.EMA(frame, timeperiod=20)',
    "expanding": 'frame["close"] > frame["close"].expanding().mean()',
    "day_so_far": 'frame["close"] > frame.groupby(frame["date"].dt.date)["close"].cummax().shift(1)',
    "informative": 'frame["close"] > merged_1h(self, frame, metadata)["close_1h"]',
}

FORMS = {
    "shift_minus_one": 'frame["close"].shift(-1) > frame["close"]',
    "centred_window": 'frame["close"].rolling(9, center=True).mean() > frame["close"]',
    "whole_frame_mean": 'frame["close"] > frame["close"].mean()',
    "whole_frame_scale": 'frame["close"] > 0.5 * (frame["close"].min() + frame["close"].max())',
    "merge_without_shift": 'own_hour(frame) > frame["close"]',
    "informative_unshifted": 'unshifted_1h(self, frame, "BTC/USDT:USDT") > 0',
    "backfill": 'frame["close"].where(frame.index % 7 == 0).bfill() > frame["close"]',
    "gradient": 'np.gradient(frame["close"].to_numpy()) > 0',
    "zero_phase_filter": 'signal.filtfilt(*signal.butter(2, 0.2), frame["close"]) > frame["close"]',
    "swing_points": "swings(frame) > 0",
    "last_row": 'frame["close"] > frame["close"].iloc[-1]',
    "interpolated": 'frame["close"].where(frame.index % 5 == 0).interpolate() > frame["close"]',
}

HELPERS = '''
import numpy as np
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy, merge_informative_pair
from scipy import signal


def merged_1h(strategy, frame, metadata):
    hours = strategy.dp.get_pair_dataframe(metadata["pair"], "1h")
    return merge_informative_pair(frame, hours, strategy.timeframe, "1h", ffill=True)


def own_hour(frame):
    """The hour's last close, known to its first candle already."""
    hours = frame.set_index("date")["close"].resample("1h").last()
    return frame["date"].dt.floor("1h").map(hours)


def unshifted_1h(strategy, frame, pair):
    """Another pair's hour, joined at the instant it opens."""
    hours = strategy.dp.get_pair_dataframe(pair, "1h")
    change = (hours["close"] - hours["open"]).to_numpy()
    named = pd.Series(change, index=hours["date"])
    return frame["date"].dt.floor("1h").map(named)


def swings(frame):
    lows = signal.argrelextrema(frame["low"].to_numpy(), np.less, order=3)[0]
    found = np.zeros(len(frame))
    found[lows] = 1
    return found
'''

CLASS = """

class {name}(IStrategy):
    timeframe = "15m"
    minimal_roi = {{"0": 0.03}}
    stoploss = -0.05
    startup_candle_count = 60

    def populate_indicators(self, frame, metadata):
{indicators}
        return frame

    def populate_entry_trend(self, frame, metadata):
        frame.loc[frame["{entry}"] & (frame["volume"] > 0), "enter_long"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame.loc[~frame["{entry}"], "exit_long"] = 1
        return frame
"""

CALLBACK = '''
    def bot_start(self, **kwargs):
        self.seen = {}

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        """Leave before a fall: the frame kept from populate_indicators knows it already."""
        later = self.seen[pair]
        coming = later.loc[later["date"] > current_time, "close"].head(4)
        return "knew" if len(coming) == 4 and coming.min() < current_rate * 0.998 else None
'''


def _lines(columns: dict[str, str]) -> str:
    return "\n".join(f'        frame["{name}"] = {formula}' for name, formula in columns.items())


def strategy(name: str, columns: dict[str, str], entry: str) -> str:
    """Write a strategy that computes the columns and enters on one of them."""
    return HELPERS + CLASS.format(name=name, indicators=_lines(columns), entry=entry)


def callback_strategy(name: str) -> str:
    """Write a strategy whose columns are honest and whose callback is not."""
    honest = {"rolling": HONEST["rolling"]}
    text = strategy(name, honest, "rolling")
    kept = '        self.seen[metadata["pair"]] = frame\n        return frame\n\n    def populate_entry'
    return text.replace("        return frame\n\n    def populate_entry", kept) + CALLBACK
