"""The strategy's columns, computed once and laid out for the kernel, and kept while they hold.

Columns depend on the candles and on those parameters that `populate_indicators` reads. Freqtrade
marks a parameter whose value is read there (`_warned_static_use`); settings such as the stoploss
are watched by a subclass that stands in during the computation. Columns are used again as long as
everything that was read has the same value, else they are computed anew. Called by `engine`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from pandas import DataFrame

from automation.worker.capability import is_pack
from automation.worker.kernel.layout import MARK, PACK_COLUMNS, Floats, Tape
from automation.worker.loading import Loaded
from automation.worker.tape import Grid, NotExact, make_grid, make_tape, on_grid

SETTINGS = (
    "stoploss",
    "minimal_roi",
    "trailing_stop",
    "trailing_stop_positive",
    "trailing_stop_positive_offset",
    "trailing_only_offset_is_reached",
    "max_open_trades",
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Everything about the candles that one set of indicator parameters decides.

    `tape` is None where the kernel would not be exact; `reasons` say why. `numbers` are the numeric
    columns of every pair's frame, for strategies that offer masks.
    """

    frames: dict[str, DataFrame]
    start: datetime
    end: datetime
    read: Mapping[str, Any]
    grid: Grid | None
    tape: Tape | None
    pack: Floats
    numbers: tuple[dict[str, Floats], ...]
    reasons: tuple[str, ...]

    @property
    def candles(self) -> int:
        """How many candles the range has."""
        if self.grid is not None:
            return self.grid.candles
        frame = next(iter(self.frames.values()))
        return int(((frame["date"] > self.start) & (frame["date"] <= self.end)).sum())

    @property
    def span_s(self) -> int:
        """Seconds from the first candle to the last."""
        return int((self.end - self.start).total_seconds())

    def holds(self, strategy: Any) -> bool:
        """Tell whether the strategy's present values would give the same columns."""
        return all(_value(strategy, name) == value for name, value in self.read.items())


def compute(loaded: Loaded) -> Columns:
    """Compute the columns with the strategy's present parameters; raises ConfigError if none is left."""
    with _watched(loaded.strategy) as read:
        frames = loaded.indicators()
    start, end = loaded.span(frames)
    grid: Grid | None = None
    tape: Tape | None = None
    reasons: tuple[str, ...] = ()
    try:
        grid = make_grid(loaded.backtesting, frames, start, end)
        tape = make_tape(loaded.backtesting, frames, grid)
    except NotExact as reason:
        reasons = (str(reason),)
    return Columns(
        frames=frames,
        start=start,
        end=end,
        read=dict(read),
        grid=grid,
        tape=tape,
        pack=_pack(loaded.strategy, frames, grid),
        numbers=tuple(_numbers(frame) for frame in frames.values()),
        reasons=reasons,
    )


def head_of(columns: Columns, frac: float) -> Columns:
    """Return the same columns up to `frac` of the range, as if the range ended there."""
    candle = (
        columns.span_s // max(1, columns.candles) if columns.grid is None else columns.grid.candle_s
    )
    candles = min(columns.candles, max(2, int(columns.candles * frac)))
    end = columns.start + timedelta(seconds=candle * candles)
    rows = [int((frame["date"] <= end).sum()) for frame in columns.frames.values()]
    grid, tape = columns.grid, columns.tape
    if grid is not None:
        last = np.minimum(grid.last, candles - 1)
        first = np.where(grid.first > last, 1, grid.first)
        grid = replace(
            grid, candles=candles, first=first, last=np.where(grid.first > last, 0, last)
        )
        if tape is not None:
            markets = tape.markets.copy()
            markets["first"], markets["last"] = grid.first, grid.last
            cut = np.ascontiguousarray(tape.candles[:, :candles])
            tape = tape._replace(markets=markets, candles=cut)
    return replace(
        columns,
        frames={
            pair: frame.iloc[:count]
            for (pair, frame), count in zip(columns.frames.items(), rows, strict=True)
        },
        end=end,
        grid=grid,
        tape=tape,
        pack=np.ascontiguousarray(columns.pack[:, :candles]),
        numbers=tuple(
            {name: values[:count] for name, values in each.items()}
            for each, count in zip(columns.numbers, rows, strict=True)
        ),
    )


def _pack(strategy: Any, frames: dict[str, DataFrame], grid: Grid | None) -> Floats:
    """Lay PackStrategy's columns on the candles on which its callbacks ask for them."""
    if grid is None or not is_pack(strategy):
        return np.full((1, 1, len(PACK_COLUMNS)), np.nan)
    laid = np.full((len(frames), grid.candles, len(PACK_COLUMNS)), np.nan)
    if strategy.stale_after_candles > 1:
        for k, name in enumerate(PACK_COLUMNS[:MARK]):
            arrays = [_finite(frame, name) for frame in frames.values()]
            laid[:, :, k] = on_grid(grid, arrays, np.float64, np.nan, shift=1)
    for p, pair in enumerate(frames):
        laid[p, :, MARK] = _marks(strategy, pair, grid)
    return laid


def _marks(strategy: Any, pair: str, grid: Grid) -> Floats:
    """Return what PackStrategy._mark answers on every candle; NaN where it has no close."""
    opened_s, closes = strategy._marks.get(pair, (np.zeros(0), np.zeros(0)))
    starts = grid.start_s + grid.candle_s * (np.arange(grid.candles) - 1)
    rows = np.searchsorted(opened_s, starts, side="right") - 1
    return np.where(rows >= 0, np.append(closes, np.nan)[rows], np.nan)


def _finite(frame: DataFrame, name: str) -> Floats:
    if name not in frame.columns or frame[name].dtype.kind not in "fiu":
        return np.full(len(frame), np.nan)
    values = frame[name].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _numbers(frame: DataFrame) -> dict[str, Floats]:
    return {
        str(name): frame[name].to_numpy(dtype=np.float64)
        for name, kind in frame.dtypes.items()
        if kind.kind in "fiub"
    }


def _value(strategy: Any, name: str) -> Any:
    if name in SETTINGS:
        return getattr(strategy, name)
    found = next(p for found, p in strategy.enumerate_parameters() if found == name)
    return found._value


@contextmanager
def _watched(strategy: Any) -> Iterator[dict[str, Any]]:
    """Collect the parameters and settings that are read meanwhile, with their values.

    Parameters that may not be optimised are not marked by Freqtrade; they count as read.
    """
    parameters = dict(strategy.enumerate_parameters())
    for parameter in parameters.values():
        parameter._warned_static_use = False
    kind = type(strategy)
    settings: set[str] = set()

    def watch(self: Any, name: str) -> Any:
        if name in SETTINGS:
            settings.add(name)
        return object.__getattribute__(self, name)

    read: dict[str, Any] = {}
    strategy.__class__ = type(kind.__name__, (kind,), {"__getattribute__": watch})
    try:
        yield read
    finally:
        strategy.__class__ = kind
    for name, parameter in parameters.items():
        if parameter._warned_static_use or not (parameter.optimize and parameter.in_space):
            read[name] = parameter._value
    read.update({name: getattr(strategy, name) for name in sorted(settings)})
