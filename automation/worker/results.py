"""What the engine answers: trades as one structured array, counters, and who computed them.

Plain numpy; the same form for the kernel and for Freqtrade's own backtest, so that both can be
compared and counted by the same code.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

Trades = npt.NDArray[np.void]

TRADE_DTYPE = np.dtype(
    [
        ("pair", np.int32),  # index into EngineResult.pairs
        ("is_short", np.bool_),
        ("open_time", "M8[s]"),  # the entry order's candle
        ("fill_time", "M8[s]"),
        ("close_time", "M8[s]"),
        ("open_rate", np.float64),
        ("close_rate", np.float64),
        ("amount", np.float64),
        ("stake_amount", np.float64),
        ("leverage", np.float64),
        ("fee_open", np.float64),  # fraction
        ("fee_close", np.float64),
        ("funding_fees", np.float64),  # stake currency, positive is income
        ("profit_ratio", np.float64),  # of the margin
        ("profit_abs", np.float64),
        ("enter_tag", np.int32),  # index into EngineResult.tags
        ("exit_reason", np.int32),  # index into EngineResult.tags
        ("initial_stop", np.float64),
        ("stop", np.float64),
        ("liquidation", np.float64),  # 0: none
        ("lowest", np.float64),
        ("highest", np.float64),
    ]
)


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One backtest. `engine` is "kernel" or "freqtrade"; `reasons` say why not the kernel."""

    pairs: tuple[str, ...]
    trades: Trades
    tags: tuple[str | None, ...]
    start_balance: float
    final_balance: float
    rejected_signals: int
    timed_out_entries: int
    timed_out_exits: int
    start: np.datetime64
    end: np.datetime64
    engine: str
    reasons: tuple[str, ...] = ()


_PLAIN = (
    *("pairs", "tags", "start_balance", "final_balance", "rejected_signals", "timed_out_entries"),
    *("timed_out_exits", "engine", "reasons"),
)


def save(result: EngineResult, file: Path) -> None:
    """Write a result to `file` (numpy's npz), for another process to read."""
    plain = json.dumps({name: getattr(result, name) for name in _PLAIN})
    span = np.array([result.start, result.end], dtype="M8[s]")
    with file.open("wb") as target:
        np.savez(target, trades=result.trades, span=span, plain=np.array(plain))


def read(file: Path) -> EngineResult:
    """Read what `save` wrote."""
    with np.load(file, allow_pickle=False) as kept:
        trades, (start, end), plain = kept["trades"], kept["span"], json.loads(str(kept["plain"]))
    made = EngineResult(**plain, trades=trades, start=start, end=end)
    return replace(
        made, pairs=tuple(made.pairs), tags=tuple(made.tags), reasons=tuple(made.reasons)
    )


class Tags:
    """Numbers texts in the order in which they are met."""

    def __init__(self) -> None:
        self._places: dict[str | None, int] = {}

    def place(self, text: str | None) -> int:
        """Return the number of `text`."""
        return self._places.setdefault(text, len(self._places))

    def texts(self) -> tuple[str | None, ...]:
        """Return all texts, by number."""
        return tuple(self._places)
