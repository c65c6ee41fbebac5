"""A loaded job with its parameters: what is set on the strategy, and the columns that follow from it.

Used by `engine` and `reference`, which both must see the same strategy in the same state.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from automation.core.errors import ConfigError
from automation.worker.columns import Columns, compute, head_of
from automation.worker.jobs import Parameters, Trailing
from automation.worker.loading import Loaded

_KEPT = 4  # sets of columns


@dataclass(slots=True)
class Prepared:
    """A job ready to be evaluated many times; not for several threads."""

    loaded: Loaded
    baseline: dict[str, Any]
    kept: list[Columns] = field(default_factory=list)
    head_frac: float | None = None
    heads: dict[int, Columns] = field(default_factory=dict)

    @property
    def strategy(self) -> Any:
        """Freqtrade's strategy object."""
        return self.loaded.strategy

    @property
    def start_balance(self) -> float:
        """The wallet at the start, in the stake currency."""
        bt = self.loaded.backtesting
        wallet = bt.config["dry_run_wallet"]
        return float(wallet if isinstance(wallet, (int, float)) else bt.starting_balance)

    def apply(self, parameters: Parameters) -> None:
        """Set the strategy to its loaded state with `parameters` on top; raises ConfigError on unknown names."""
        strategy = self.strategy
        known = dict(strategy.enumerate_parameters())
        unknown = sorted(set(parameters.values) - set(known))
        if unknown:
            raise ConfigError(
                f"the strategy has no parameter {unknown[0]}",
                where=self.loaded.job.strategy,
                cure=f"use one of {', '.join(sorted(known)) or 'none'}",
            )
        for name, parameter in known.items():
            parameter.value = parameters.values.get(name, self.baseline["values"][name])
        for name, value in _settings(self.baseline["settings"], parameters).items():
            setattr(strategy, name, value)

    def columns(self) -> Columns:
        """Return the columns for the strategy's present state, computed only if none kept holds.

        Where `head_frac` is set, only that first part of the range.
        """
        made = next((each for each in self.kept if each.holds(self.strategy)), None)
        if made is None:
            made = compute(self.loaded)
            self.kept.insert(0, made)
            for old in self.kept[_KEPT:]:
                self.heads.pop(id(old), None)
            del self.kept[_KEPT:]
        return made if self.head_frac is None else self._head(made, self.head_frac)

    def _head(self, made: Columns, frac: float) -> Columns:
        if id(made) not in self.heads:
            self.heads[id(made)] = head_of(made, frac)
        return self.heads[id(made)]

    @contextmanager
    def first_part(self, frac: float) -> Iterator[None]:
        """Have everything inside run over the first `frac` of the range; always the same part."""
        self.head_frac = frac
        try:
            yield
        finally:
            self.head_frac = None


def baseline_of(strategy: Any) -> dict[str, Any]:
    """Remember the parameters and settings as they were loaded."""
    names = (
        "stoploss",
        "minimal_roi",
        "trailing_stop",
        "trailing_stop_positive",
        "trailing_stop_positive_offset",
        "trailing_only_offset_is_reached",
        "max_open_trades",
    )
    return {
        "values": {name: p.value for name, p in strategy.enumerate_parameters()},
        "settings": {name: deepcopy(getattr(strategy, name)) for name in names},
    }


def _settings(loaded: dict[str, Any], parameters: Parameters) -> dict[str, Any]:
    made = dict(loaded)
    if parameters.stoploss is not None:
        made["stoploss"] = float(parameters.stoploss)
    if parameters.roi is not None:
        made["minimal_roi"] = {
            minutes: parameters.roi[minutes] for minutes in sorted(parameters.roi)
        }
    if parameters.trailing is not None:
        made.update(_trailing(parameters.trailing))
    if parameters.max_open_trades is not None:
        unlimited = parameters.max_open_trades < 0
        made["max_open_trades"] = float("inf") if unlimited else parameters.max_open_trades
    return made


def _trailing(trailing: Trailing) -> dict[str, Any]:
    return {
        "trailing_stop": trailing.stop,
        "trailing_stop_positive": trailing.positive,
        "trailing_stop_positive_offset": trailing.offset,
        "trailing_only_offset_is_reached": trailing.only_offset,
    }
