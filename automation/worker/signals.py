"""The strategy's signals for one set of parameters, as the kernel's codes, and the tags beside them.

Where the strategy offers masks (`PackStrategy.entries`, `.exits`) they are evaluated as numpy
expressions over columns; else its own populate_* methods are called on DataFrames. Either way a
signal stands on the candle after its row. Called by `engine`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pandas import DataFrame, DatetimeTZDtype

from automation.worker.columns import Columns
from automation.worker.kernel.layout import (
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    Bools,
    Bytes,
    Floats,
    Ints,
)
from automation.worker.tape import PRICES, Grid, on_grid
from tradekit import signals as masks

_BITS = (
    ("enter_long", ENTER_LONG),
    ("exit_long", EXIT_LONG),
    ("enter_short", ENTER_SHORT),
    ("exit_short", EXIT_SHORT),
)


@dataclass(frozen=True, slots=True)
class PairSignals:
    """Signals of one pair by row: the entry direction, the bits, and the tags."""

    direction: Bytes
    bits: Bytes
    enter_tags: "Tagged"
    exit_tags: "Tagged"


@dataclass(frozen=True, slots=True)
class Signalled:
    """Signals of all pairs, and why the kernel may not use them."""

    pairs: tuple[PairSignals, ...]
    reasons: tuple[str, ...] = ()

    def laid(self, grid: Grid) -> tuple[Bytes, Bytes]:
        """Lay directions and bits on the grid, one candle late."""
        return (
            on_grid(grid, [pair.direction for pair in self.pairs], np.int8, 0, shift=1),
            on_grid(grid, [pair.bits for pair in self.pairs], np.int8, 0, shift=1),
        )


class Tagged(Protocol):
    """Tags by row, looked up only where a trade asks."""

    def at(self, rows: Ints) -> list[str | None]:
        """Return the tags on `rows`; None where there is no text."""
        ...


class _MaskTags:
    """The tags of a mask's rules."""

    def __init__(self, rules: Sequence[masks.Rule], tag: Ints) -> None:
        self._names = [*(rule.tag for rule in rules), None]
        self._tag = tag

    def at(self, rows: Ints) -> list[str | None]:
        """Return the tags on `rows`."""
        return [self._names[place] for place in self._tag[rows]]


class _FrameTags:
    """A frame's column of tags, which may be absent and may hold anything."""

    def __init__(self, frame: DataFrame, name: str) -> None:
        self._column = frame[name] if name in frame.columns else None

    def at(self, rows: Ints) -> list[str | None]:
        """Return the tags on `rows`; None where there is no text."""
        if self._column is None:
            return [None] * len(rows)
        found = self._column.array.take(rows)
        return [tag if isinstance(tag, str) else None for tag in found]


def mask_signals(strategy: Any, columns: Columns) -> Signalled:
    """Evaluate the strategy's masks with its present parameters."""
    values = strategy.parameter_values()
    return Signalled(tuple(_masked(strategy, c, values) for c in columns.numbers))


def _masked(strategy: Any, c: dict[str, Floats], values: dict[str, Any]) -> PairSignals:
    entries = strategy.entries(c, values)
    entered = masks.resolve(entries, masks.tradable(c))
    with_entries = {
        **c,
        "enter_long": entered.long.astype(np.float64),
        "enter_short": entered.short.astype(np.float64),
    }
    exits = strategy.exits(with_entries, values)
    left = masks.resolve(exits, np.ones(len(entered.long), dtype=bool))
    return PairSignals(
        _direction(entered.long, left.long, entered.short, left.short, bool(strategy.can_short)),
        _bits([entered.long, left.long, entered.short, left.short]),
        _MaskTags(entries, entered.tag),
        _MaskTags(exits, left.tag),
    )


def frame_signals(strategy: Any, columns: Columns) -> Signalled:
    """Call the strategy's populate_entry_trend and populate_exit_trend with its present parameters."""
    found, reasons = [], []
    for pair, frame in columns.frames.items():
        answered = strategy.ft_advise_signals(frame.copy(deep=False), {"pair": pair})
        reasons += _unlike(pair, frame, answered)
        found.append(_framed(answered, bool(strategy.can_short)))
    return Signalled(tuple(found), tuple(reasons))


def _framed(frame: DataFrame, can_short: bool) -> PairSignals:
    raw = [_column(frame, name) for name, _ in _BITS]
    ones = [values == 1.0 for values in raw]
    return PairSignals(
        _direction(ones[0], ones[1], ones[2], ones[3], can_short),
        _bits([values != 0.0 for values in raw]),
        _FrameTags(frame, "enter_tag"),
        _FrameTags(frame, "exit_tag"),
    )


def _unlike(pair: str, before: DataFrame, after: DataFrame) -> list[str]:
    """Return whether computing signals changed rows or prices, which Freqtrade would then trade at."""
    if len(before) != len(after) or not _is_equal(_stamps(before), _stamps(after)):
        return [f"rows of {pair} that change while signals are computed"]
    changed = [
        name for name in PRICES if not _is_equal(before[name].to_numpy(), after[name].to_numpy())
    ]
    return [f"{name} of {pair} changes while signals are computed" for name in changed]


def _stamps(frame: DataFrame) -> npt.NDArray[Any]:
    """Return dates of a time zone as nanoseconds, of which numpy makes no objects; others as they are."""
    dates = frame["date"]
    if isinstance(dates.dtype, DatetimeTZDtype):
        dates = dates.dt.as_unit("ns").astype("int64")
    stamps: npt.NDArray[Any] = dates.to_numpy()
    return stamps


def _is_equal(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> bool:
    """Tell whether two columns hold the same; most often they are the same memory."""
    if before.__array_interface__ == after.__array_interface__:
        return True
    return before.dtype == after.dtype and np.array_equal(
        before, after, equal_nan=before.dtype.kind == "f"
    )


def _column(frame: DataFrame, name: str) -> Floats:
    """Return a signal column as numbers, missing ones as 0."""
    if name not in frame.columns:
        return np.zeros(len(frame))
    values: Floats = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.nan_to_num(values, nan=0.0)


def _direction(
    enter_long: Bools, exit_long: Bools, enter_short: Bools, exit_short: Bools, can_short: bool
) -> Bytes:
    """Mirror Backtesting.check_for_trade_entry."""
    if not can_short:
        return (enter_long & ~exit_long).astype(np.int8)
    longs = enter_long & ~exit_long & ~enter_short
    shorts = enter_short & ~exit_short & ~enter_long
    return longs.astype(np.int8) - shorts.astype(np.int8)


def _bits(columns: Sequence[Bools]) -> Bytes:
    bits = np.zeros(len(columns[0]), dtype=np.int8)
    for column, (_, bit) in zip(columns, _BITS, strict=True):
        bits |= column.astype(np.int8) * np.int8(bit)
    return bits
