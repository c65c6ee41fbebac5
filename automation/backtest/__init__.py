"""Hermetic Freqtrade runs: the real command line, no exchange, results parsed.

`FreqtradeBacktester` runs `freqtrade backtesting` in a process of its own for each strategy, so
that no strategy's start-up period or crash changes another's result. It is told where an exchange
answers (an `exchange` section made by the simulator) and knows nothing else of it.
"""

from automation.backtest.run import FreqtradeBacktester
from automation.backtest.source import StrategyFile, find_strategy

__all__ = ["FreqtradeBacktester", "StrategyFile", "find_strategy"]
