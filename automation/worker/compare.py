"""Compares two backtests trade by trade.

Exact fields must be equal to the last bit; money within a tolerance of the stake. Called by the
parity suites and by the check of a tuned strategy before its export.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from automation.worker.results import EngineResult

EXACT = (
    "is_short",
    "open_time",
    "fill_time",
    "close_time",
    "open_rate",
    "close_rate",
    "amount",
    "leverage",
    "fee_open",
    "fee_close",
    "initial_stop",
    "stop",
)
TEXTS = ("enter_tag", "exit_reason")
TOLD = ("liquidation",)  # equal where it is told: a result file has none
MONEY = ("stake_amount", "funding_fees", "profit_abs")  # within `tolerance` of the stake
RATIOS = ("profit_ratio",)
TOLERANCE = 1e-8
COUNTERS = ("rejected_signals", "timed_out_entries", "timed_out_exits")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which two backtests disagree; `trade` is the place in closing order, −1: a counter."""

    trade: int
    field: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        where = "result" if self.trade < 0 else f"trade {self.trade}"
        return f"{where}: {self.field} {self.ours} != {self.theirs}"


def differences(
    ours: EngineResult, theirs: EngineResult, *, tolerance: float = TOLERANCE, most: int = 20
) -> list[Difference]:
    """Return the first `most` differences, in the order of the trades; none means equal."""
    found: list[Difference] = []
    if len(ours.trades) != len(theirs.trades):
        found.append(Difference(-1, "trades", len(ours.trades), len(theirs.trades)))
    found += [
        Difference(-1, name, getattr(ours, name), getattr(theirs, name))
        for name in COUNTERS
        if getattr(ours, name) != getattr(theirs, name)
    ]
    if abs(ours.final_balance - theirs.final_balance) > tolerance * max(ours.start_balance, 1.0):
        found.append(Difference(-1, "final_balance", ours.final_balance, theirs.final_balance))
    return (found + _by_trade(ours, theirs, tolerance))[:most]


def _by_trade(ours: EngineResult, theirs: EngineResult, tolerance: float) -> list[Difference]:
    count = min(len(ours.trades), len(theirs.trades))
    mine, other = ours.trades[:count], theirs.trades[:count]
    unlike: dict[str, Any] = {name: mine[name] != other[name] for name in EXACT}
    unlike |= {name: (mine[name] != other[name]) & ~np.isnan(other[name]) for name in TOLD}
    stake = np.maximum(np.abs(other["stake_amount"]), 1e-12)
    unlike |= {name: ~(np.abs(mine[name] - other[name]) <= tolerance * stake) for name in MONEY}
    unlike |= {name: ~(np.abs(mine[name] - other[name]) <= tolerance) for name in RATIOS}
    texts = {"pair": (ours.pairs, theirs.pairs), **dict.fromkeys(TEXTS, (ours.tags, theirs.tags))}
    values = {
        name: ([left[k] for k in mine[name]], [right[k] for k in other[name]])
        for name, (left, right) in texts.items()
    }
    unlike |= {
        name: np.array([a != b for a, b in zip(*pair, strict=True)], dtype=bool)
        for name, pair in values.items()
    }
    places = sorted((int(k), name) for name, bad in unlike.items() for k in np.flatnonzero(bad))
    return [
        Difference(
            k,
            name,
            values[name][0][k] if name in values else mine[name][k],
            values[name][1][k] if name in values else other[name][k],
        )
        for k, name in places
    ]
