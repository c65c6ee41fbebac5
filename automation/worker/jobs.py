"""What the engine is asked: one strategy over one range of one data folder, and parameters to try.

Plain values without Freqtrade, so that any process can make them and send them to a worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One strategy, one range, one data folder.

    `timerange` is Freqtrade's text form `A-B`, end excluded. `configs` are Freqtrade configurations,
    layered in order, `overrides` the last layer; without `configs` the pack's own are used.
    `exchange_info` is the body that the exchange's exchangeInfo would answer: with it nothing is
    asked of any exchange; without it Freqtrade asks the one its configuration names.
    """

    strategy: str
    data: Path
    timerange: str
    pairs: tuple[str, ...]
    configs: tuple[Path, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    strategy_path: Path | None = None
    exchange_info: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Trailing:
    """Freqtrade's four trailing settings; fractions of the margin."""

    stop: bool
    positive: float | None = None
    offset: float = 0.0
    only_offset: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """What differs from the strategy as it was loaded; None and absent names leave it as it was.

    `values` go to the strategy's hyperopt parameters by name; `roi` maps minutes to profit
    fractions; `max_open_trades` −1 is no limit.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    stoploss: float | None = None
    roi: Mapping[int, float] | None = None
    trailing: Trailing | None = None
    max_open_trades: int | None = None
