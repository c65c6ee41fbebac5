"""What one backtest over one window found, reduced to what judging needs.

Decides what counts as the same outcome: equal trades, whatever the run's clock, folder or file
names were. Refuses to know floors and comparisons. Made from `core.backtests.StrategyOutcome`;
kept in the cache and in baselines as JSON.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from automation.core.backtests import StrategyOutcome
from automation.core.clock import to_ms

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trades:
    """Closed trades as columns, in order of closing.

    Instants in epoch ms; `profit` in the stake currency, after fees and funding; `notional` at
    entry; `stop_loss` is what the trade would have lost at its last stop (0 where that was in
    profit).
    """

    pair: tuple[str, ...]
    open_ms: tuple[int, ...]
    close_ms: tuple[int, ...]
    is_short: tuple[bool, ...]
    reason: tuple[str, ...]
    profit: tuple[float, ...]
    notional: tuple[float, ...]
    stop_loss: tuple[float, ...]

    def __len__(self) -> int:
        """Count the trades."""
        return len(self.pair)

    @property
    def profits(self) -> FloatArray:
        """Profit of each trade as an array."""
        return np.array(self.profit, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class WindowResult:
    """One strategy over one window."""

    window: str
    timeframe: str
    start_ms: int
    end_ms: int
    starting_balance: float
    market_change_frac: float
    rejected_signals: int
    trades: Trades

    @property
    def digest(self) -> str:
        """Hash of everything; equal for equal outcomes."""
        content = orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()

    @property
    def days(self) -> int:
        """Whole days of the window, at least one."""
        return max(1, round((self.end_ms - self.start_ms) / 86_400_000))


def reduce_outcome(window: str, outcome: StrategyOutcome) -> WindowResult:
    """Reduce a backtest's outcome to what is kept of it."""
    rows = sorted(
        outcome.raw["trades"],
        key=lambda one: (one["close_timestamp"], one["open_timestamp"], one["pair"]),
    )
    return WindowResult(
        window=window,
        timeframe=outcome.timeframe,
        start_ms=to_ms(outcome.start),
        end_ms=to_ms(outcome.end),
        starting_balance=outcome.starting_balance,
        market_change_frac=outcome.market_change_frac,
        rejected_signals=outcome.rejected_signals,
        trades=Trades(
            pair=tuple(one["pair"] for one in rows),
            open_ms=tuple(one["open_timestamp"] for one in rows),
            close_ms=tuple(one["close_timestamp"] for one in rows),
            is_short=tuple(one["is_short"] for one in rows),
            reason=tuple(one["exit_reason"] for one in rows),
            profit=tuple(float(one["profit_abs"]) for one in rows),
            notional=tuple(float(one["amount"] * one["open_rate"]) for one in rows),
            stop_loss=tuple(_loss_at_stop(one) for one in rows),
        ),
    )


def _loss_at_stop(trade: dict[str, Any]) -> float:
    return float(max(0.0, -(trade["stop_loss_ratio"] or 0.0)) * trade["stake_amount"])


def to_document(result: WindowResult) -> dict[str, Any]:
    """Write a result as plain JSON values."""
    return asdict(result)


def from_document(document: dict[str, Any]) -> WindowResult:
    """Read what `to_document` wrote; KeyError or TypeError for anything else."""
    columns = {name: tuple(column) for name, column in document["trades"].items()}
    rest = {name: value for name, value in document.items() if name != "trades"}
    return WindowResult(**rest, trades=Trades(**columns))
