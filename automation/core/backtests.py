"""What a backtest is asked and what it answers, shared by every room that runs or reads one.

The seam is `Backtester`; `automation.backtest` implements it with the real `freqtrade` command.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class BacktestJob:
    """One or several strategies over one range of one data folder.

    `timerange` is Freqtrade's text form `A-B`, end excluded. `configs` are Freqtrade
    configurations, layered in order; without any the pack's own are used. `strategy_path` is also
    where modules are first looked for that a strategy imports. `arguments` go to `freqtrade
    backtesting` as they are.
    """

    strategies: tuple[str, ...]
    data: Path
    timerange: str
    pairs: tuple[str, ...]
    results: Path
    configs: tuple[Path, ...] = ()
    strategy_path: Path | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StrategyOutcome:
    """What Freqtrade's backtest found for one strategy.

    Fractions are of the starting balance; Sharpe, Sortino and Calmar are Freqtrade's own figures
    (`freqtrade/data/metrics.py`); `profit_factor` is None without a losing trade.
    """

    name: str
    timeframe: str
    trades: int
    longs: int
    shorts: int
    wins: int
    profit_frac: float
    profit_abs: float
    long_profit_frac: float
    short_profit_frac: float
    max_drawdown_frac: float
    sharpe: float
    sortino: float
    calmar: float
    profit_factor: float | None
    market_change_frac: float
    funding_fees: float
    liquidations: int
    rejected_signals: int
    starting_balance: float
    final_balance: float
    start: datetime
    end: datetime
    result_file: Path
    raw: dict[str, Any] = field(repr=False, compare=False)


Progress = Callable[[str, str], None]
"""Called with a strategy's name and the stage that it reached."""

Guard = Callable[[int], AbstractAsyncContextManager[None]]
"""Watches the process of a pid for as long as its context is open, and may end it.

Leaving the context raises a FreqfleetError that says why, if it did.
"""


class Backtester(Protocol):
    """Runs backtests; the seam for gates and tuning."""

    async def run(
        self, job: BacktestJob, progress: Progress | None = None
    ) -> tuple[StrategyOutcome, ...]:
        """Run every strategy of the job and answer in its order.

        Raises ConfigError where the user can mend it, DependencyError elsewhere.
        """
        ...
