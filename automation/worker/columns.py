"""The strategy's columns, computed once and laid out for the kernel, and kept while they hold.

Columns depend on the candles and on those parameters that `populate_indicators` reads. Freqtrade
marks a parameter whose value is read there (`_warned_static_use`); settings such as the stoploss
are watched by a subclass that stands in during the computation. Columns are used again as long as
everything that was read has the same value, else they are computed anew. Called by `engine`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pandas import DataFrame

from automation.worker.kernel.layout import Floats, Tape
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
RISK_COLUMNS = ("stop_dist_frac", "leverage_cap", "risk_scale")


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
    risk: Floats
    numbers: tuple[dict[str, Floats], ...]
    reasons: tuple[str, ...]

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
        risk=_risk(loaded.strategy, frames, grid) if grid is not None else no_risk(),
        numbers=tuple(_numbers(frame) for frame in frames.values()),
        reasons=reasons,
    )


def no_risk() -> Floats:
    """Return risk columns for strategies that have none."""
    return np.full((1, 1, 3), np.nan)


def _risk(strategy: Any, frames: dict[str, DataFrame], grid: Grid) -> Floats:
    """Lay the pack's risk columns on the candles on which they are asked for."""
    if not any(name in frame.columns for frame in frames.values() for name in RISK_COLUMNS):
        return no_risk()
    laid = np.full((len(frames), grid.candles, 3), np.nan)
    if not getattr(strategy, "stale_after_candles", 2) > 1:
        return laid
    for k, name in enumerate(RISK_COLUMNS):
        arrays = [_finite(frame, name) for frame in frames.values()]
        laid[:, :, k] = on_grid(grid, arrays, np.float64, np.nan, shift=1)
    return laid


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
