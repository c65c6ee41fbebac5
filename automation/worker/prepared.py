"""A loaded job with its parameters: what is set on the strategy, and the columns that follow from it.

Used by `engine` and `reference`, which both must see the same strategy in the same state.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from automation.core.errors import ConfigError
from automation.worker.columns import Columns, compute
from automation.worker.jobs import Parameters, Trailing
from automation.worker.loading import Loaded

_KEPT = 4  # sets of columns


@dataclass(slots=True)
class Prepared:
    """A job ready to be evaluated many times; not for several threads."""

    loaded: Loaded
    baseline: dict[str, Any]
    kept: list[Columns] = field(default_factory=list)

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
        """Return the columns for the strategy's present state, computed only if none kept holds."""
        for made in self.kept:
            if made.holds(self.strategy):
                return made
        made = compute(self.loaded)
        self.kept.insert(0, made)
        del self.kept[_KEPT:]
        return made


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
