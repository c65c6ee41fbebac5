"""Changes that change nothing: for three strategies of different style, read as text by the tests."""

CROSSING = '''"""Crossings of two averages, long and short."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Crossing(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "15m"
    can_short = True
    minimal_roi = {"0": 0.2}
    stoploss = -0.04
    startup_candle_count = 250

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=5)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=20)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "exit_short"] = 1
        return dataframe
'''

CHANNEL = '''"""Breaks of a channel, with an hour's trend."""

import talib.abstract as ta
from freqtrade.strategy import IntParameter, IStrategy, informative


class Channel(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "15m"
    can_short = False
    minimal_roi = {"0": 0.05, "120": 0.02}
    stoploss = -0.03
    trailing_stop = True
    startup_candle_count = 250
    width = IntParameter(10, 40, default=16, space="buy")

    @informative("1h")
    def populate_indicators_1h(self, dataframe, metadata):
        dataframe["trend"] = ta.SMA(dataframe, timeperiod=10)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = dataframe["high"].rolling(self.width.value).max().shift(1)
        dataframe["slow"] = dataframe["low"].rolling(self.width.value).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["fast"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
'''

REVERSION = '''"""Extremes of the relative strength index, left by a callback."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Reversion(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "15m"
    can_short = True
    minimal_roi = {"0": 0.1}
    stoploss = -0.05
    startup_candle_count = 250

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.RSI(dataframe, timeperiod=7)
        dataframe["slow"] = ta.RSI(dataframe, timeperiod=21)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < 28, "enter_long"] = 1
        dataframe.loc[dataframe["fast"] > 72, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        minutes = (current_time - trade.open_date_utc).total_seconds() / 60
        return "time" if minutes >= 90 else None
'''

STRATEGIES = {"Crossing": CROSSING, "Channel": CHANNEL, "Reversion": REVERSION}


def _move_first_method_last(text: str) -> str:
    """Reorder the methods: populate_indicators comes last."""
    start = text.index("    def populate_indicators(")
    end = text.index("    def populate_entry_trend(")
    return text[:start] + text[end:].rstrip() + "\n\n" + text[start:end].rstrip() + "\n"


def _swap_indicator_lines(text: str) -> str:
    lines = text.splitlines(keepends=True)
    fast = next(n for n, line in enumerate(lines) if 'dataframe["fast"] =' in line)
    slow = next(n for n, line in enumerate(lines) if 'dataframe["slow"] =' in line)
    lines[fast], lines[slow] = lines[slow], lines[fast]
    return "".join(lines)


def _extract_helper(text: str) -> str:
    """Give the exit rule a method of its own that does nothing more."""
    body = "    def same(self, dataframe):\n        return dataframe.copy()\n\n"
    return text.replace(
        "    def populate_entry_trend(self, dataframe, metadata):\n",
        body
        + "    def populate_entry_trend(self, dataframe, metadata):\n        dataframe = self.same(dataframe)\n",
    )


def _assign(text: str) -> str:
    """Write the columns with assign instead of by item."""
    text = text.replace('        dataframe["fast"] =', "        fast =")
    text = text.replace('        dataframe["slow"] =', "        slow =")
    at = text.index("        slow =")
    end = text.index("        return dataframe\n", at)
    return (
        text[:end]
        + "        return dataframe.assign(fast=fast, slow=slow)\n"
        + text[end:].partition("\n")[2]
    )


def _mirror(text: str) -> str:
    """Turn comparisons around: a > b becomes b < a."""
    pairs = ('dataframe["fast"]', 'dataframe["slow"]')
    one, other = f"{pairs[0]} > {pairs[1]}", f"{pairs[1]} < {pairs[0]}"
    two, another = f"{pairs[0]} < {pairs[1]}", f"{pairs[1]} > {pairs[0]}"
    mirrored = text.replace(one, other).replace(two, another)
    mirrored = mirrored.replace(
        'dataframe["close"] > dataframe["fast"]', 'dataframe["fast"] < dataframe["close"]'
    )
    return mirrored.replace('dataframe["fast"] < 28', '28 > dataframe["fast"]')


EDITS = {
    "comment": lambda text: text.replace("    def populate", "    # what follows\n    def populate"),
    "docstring": lambda text: text.replace('"""\n', ' In other words."""\n', 1),
    "blank lines": lambda text: text.replace("\n\n", "\n\n\n", 4),
    "rename columns": lambda text: text.replace('"fast"', '"quick"').replace('"slow"', '"lazy"'),
    "rename argument": lambda text: text.replace("dataframe", "df"),
    "reorder methods": _move_first_method_last,
    "reorder columns": _swap_indicator_lines,
    "extract a method": _extract_helper,
    "assign": _assign,
    "mirror comparisons": _mirror,
    "unused column": lambda text: text.replace(
        "        return dataframe\n", '        dataframe["spare"] = dataframe["close"] * 2\n        return dataframe\n', 1
    ),
    "unused import": lambda text: text.replace("import talib", "import math\n\nimport talib", 1),
    "unused attribute": lambda text: text.replace("    INTERFACE", "    remark = 'x'\n    INTERFACE"),
    "type hints": lambda text: text.replace(
        "(self, dataframe, metadata):", "(self, dataframe: object, metadata: dict) -> object:"
    ),
    "constants": lambda text: text.replace("startup_candle_count = 250", "startup_candle_count = 5 * 50"),
    "base class": lambda text: text.replace("(IStrategy):", "(IStrategy, object):"),
    "logging": lambda text: text.replace("import talib", "import logging\n\nimport talib", 1).replace(
        "        return dataframe\n", "        logging.getLogger(__name__).debug('here')\n        return dataframe\n", 1
    ),
}  # fmt: skip
