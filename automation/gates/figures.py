"""The figures of a strategy over all its windows, for floors, ceilings and tables.

Money becomes a fraction of the balance here; the measures themselves are `tradekit.metrics`. Pure
functions of results. Called by `judgement`, `comparison` and the reports.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automation.gates.results import FloatArray, Trades, WindowResult
from tradekit import metrics

DAY_MS = 86_400_000
_DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Figures:
    """One strategy over all windows; fractions of the balance at a window's start.

    `profit_frac` is the mean over windows, `drawdown_frac`, `worst_day_frac` and `exposure` the
    worst. `profit_factor` pools all trades: infinite without losses, NaN without trades. `exposure`
    is the highest sum of open notionals over equity. `trade_risk_frac` is the 95th percentile of
    what a trade would have lost at its stop, `worst_trade_frac` what the worst one lost, both over
    the equity at its entry.
    """

    trades: int
    trades_a_month: float
    profit_frac: float
    drawdown_frac: float
    profit_factor: float
    worst_day_frac: float
    liquidations: int
    exposure: float
    sharpe: float
    trade_risk_frac: float
    worst_trade_frac: float


def figures(results: Sequence[WindowResult]) -> Figures:
    """Compute the figures of one strategy from its windows (at least one)."""
    trades = sum(len(one.trades) for one in results)
    months = sum(one.days for one in results) / _DAYS_A_MONTH
    profits = np.concatenate([one.trades.profits for one in results])
    days = np.concatenate([daily_fracs(one) for one in results])
    shares = np.concatenate([one.trades.profits / equity_at_entry(one) for one in results])
    risks = np.concatenate(
        [np.array(one.trades.stop_loss) / equity_at_entry(one) for one in results]
    )
    return Figures(
        trades=trades,
        trades_a_month=trades / months,
        profit_frac=float(np.mean([profit_frac(one) for one in results])),
        drawdown_frac=max(metrics.max_drawdown_frac(equity(one)) for one in results),
        profit_factor=metrics.profit_factor(profits),
        worst_day_frac=max(0.0, -float(np.min([worst_day(one) for one in results]))),
        liquidations=sum(one.trades.reason.count("liquidation") for one in results),
        exposure=max(exposure(one) for one in results),
        sharpe=metrics.sharpe(days),
        trade_risk_frac=float(np.percentile(risks, 95)) if trades else math.nan,
        worst_trade_frac=max(0.0, -float(np.min(shares))) if trades else math.nan,
    )


def profit_frac(result: WindowResult) -> float:
    """Tell the profit of a window as a fraction of its starting balance."""
    return float(np.sum(result.trades.profits)) / result.starting_balance


def equity(result: WindowResult) -> FloatArray:
    """Give the balance before the first and after each closed trade."""
    return metrics.equity_curve(result.starting_balance, result.trades.profits)


def equity_at_entry(result: WindowResult) -> FloatArray:
    """Give the balance of closed trades at the entry of each trade; never less than a cent."""
    trades = result.trades
    closed = np.searchsorted(np.array(trades.close_ms), np.array(trades.open_ms), side="right")
    return np.asarray(np.maximum(equity(result)[closed], 0.01), dtype=np.float64)


def daily_profits(result: WindowResult, pair: str | None = None) -> FloatArray:
    """Sum the profit of every day of the window, by day of closing, for all pairs or one."""
    trades = result.trades
    chosen = np.array([pair in (None, name) for name in trades.pair], dtype=bool)
    days = (np.array(trades.close_ms, dtype=np.int64) - result.start_ms) // DAY_MS
    return metrics.daily_profits(days[chosen], trades.profits[chosen], result.days)


def daily_fracs(result: WindowResult) -> FloatArray:
    """Give every day's profit as a fraction of the starting balance."""
    return daily_profits(result) / result.starting_balance


def worst_day(result: WindowResult) -> float:
    """Tell the lowest return of a day on the equity at its start; 0 if none lost."""
    curve = metrics.equity_curve(result.starting_balance, daily_profits(result))
    return min(0.0, float(np.min(metrics.returns_of(curve))))


def exposure(result: WindowResult) -> float:
    """Tell the highest sum of open notionals over the equity of that instant; 0 without trades.

    What closes at an instant is gone before what opens then.
    """
    trades = result.trades
    if not len(trades):
        return 0.0
    at = np.array([*trades.open_ms, *trades.close_ms])
    notional = np.array([*trades.notional, *(-one for one in trades.notional)])
    gains = np.array([*(0.0 for _ in trades.profit), *trades.profit])
    is_entry = np.arange(len(at)) < len(trades)
    order = np.lexsort((is_entry, at))
    equities = result.starting_balance + np.cumsum(gains[order])
    gross = np.cumsum(notional[order])
    usable = equities > 0
    return float(np.max(gross[usable] / equities[usable])) if usable.any() else math.inf


def by_pair(trades: Trades) -> dict[str, tuple[int, float]]:
    """Count trades and sum profits by pair."""
    found: dict[str, tuple[int, float]] = {}
    for pair, profit in zip(trades.pair, trades.profit, strict=True):
        count, total = found.get(pair, (0, 0.0))
        found[pair] = (count + 1, total + profit)
    return found
