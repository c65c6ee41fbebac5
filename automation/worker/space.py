"""What a strategy lets be searched, by Freqtrade's own words, and values back into parameters.

Spaces and their ranges come from `HyperOptAuto`, so that a strategy's nested `HyperOpt` class counts
here too. Called by `tuning`, in a worker's process.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from freqtrade.misc import round_dict
from freqtrade.optimize.hyperopt.hyperopt_auto import HyperOptAuto
from optuna.distributions import CategoricalDistribution, IntDistribution

from automation.core.errors import ConfigError
from automation.core.freqtradejson import read_layers
from automation.core.tunings import OWN_SPACES, Dimension
from automation.worker.jobs import Parameters, Trailing
from automation.worker.loading import layers_of
from automation.worker.prepared import Prepared

_DECIMALS = 13  # as Freqtrade writes them
# What a configuration says of these goes before what stands in a strategy's parameter file.
_SET_BY_CONFIG = {
    "roi": ("minimal_roi",),
    "stoploss": ("stoploss",),
    "trailing": ("trailing_stop", "trailing_stop_positive", "trailing_stop_positive_offset"),
    "trades": ("max_open_trades",),
}


class Searchable:
    """The chosen spaces of a prepared job."""

    def __init__(self, prepared: Prepared, spaces: Iterable[str]) -> None:
        """Choose spaces; none means all that the strategy declares. Raises ConfigError."""
        self._prepared = prepared
        self._auto = HyperOptAuto(prepared.loaded.backtesting.config)
        self._auto.strategy = prepared.strategy
        declared = {
            space: [p for _, p in prepared.strategy.enumerate_parameters(space) if p.optimize]
            for space in self._auto.get_available_spaces()
        }
        self._declared = {space: found for space, found in declared.items() if found}
        self.spaces = self._chosen(tuple(spaces))
        self.dimensions = tuple(d for space in self.spaces for d in self._dimensions(space))
        if not self.dimensions:
            raise ConfigError(
                "nothing of the strategy can be searched", where=prepared.loaded.job.strategy
            )

    def parameters(self, values: Mapping[str, Any] | None) -> Parameters:
        """Return what the engine is to set; None is the strategy as it stands."""
        if values is None:
            return Parameters()
        own = {d.name for d in self.dimensions if d.space not in OWN_SPACES}
        given = dict(values)
        return Parameters(
            values={name: value for name, value in given.items() if name in own},
            stoploss=given["stoploss"] if "stoploss" in self.spaces else None,
            roi=self._roi(given) if "roi" in self.spaces else None,
            trailing=self._trailing(given) if "trailing" in self.spaces else None,
            max_open_trades=self._slots(given) if "trades" in self.spaces else None,
        )

    def sections(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the sections of Freqtrade's parameter file that `values` decide."""
        if values is None:
            return {}
        made: dict[str, Any] = {}
        for space in self.spaces:
            if space == "roi":
                made["roi"] = round_dict(
                    {str(k): v for k, v in self._roi(values).items()}, _DECIMALS
                )
            elif space == "trailing":
                made["trailing"] = round_dict(
                    self._auto.generate_trailing_params(values), _DECIMALS
                )
            elif space == "trades":
                made["max_open_trades"] = {"max_open_trades": self._slots(values)}
            else:
                names = [d.name for d in self.dimensions if d.space == space]
                made[space] = round_dict({name: values[name] for name in names}, _DECIMALS)
        return made

    def current(self) -> dict[str, Any]:
        """Return the strategy's present values by dimension, where they can be told."""
        strategy = self._prepared.strategy
        found = {name: p.value for name, p in strategy.enumerate_parameters()}
        found["stoploss"] = strategy.stoploss
        slots = strategy.max_open_trades
        found["max_open_trades"] = -1 if slots == float("inf") else int(slots)
        if strategy.trailing_stop:
            positive, offset = (
                strategy.trailing_stop_positive,
                strategy.trailing_stop_positive_offset,
            )
            found |= {
                "trailing_stop": True,
                "trailing_stop_positive": positive,
                "trailing_stop_positive_offset_p1": offset - (positive or 0.0),
                "trailing_only_offset_is_reached": strategy.trailing_only_offset_is_reached,
            }
        found |= _steps_of(strategy.minimal_roi)
        return {d.name: _plain(found[d.name]) for d in self.dimensions if d.name in found}

    def _chosen(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        known = (*self._declared, *OWN_SPACES)
        fixed = self._set_by_config()
        if not asked or asked == ("default",):
            others = tuple(space for space in ("roi", "stoploss", "trailing") if space not in fixed)
            return tuple(self._declared) or others
        if asked == ("all",):
            return tuple(space for space in known if space not in fixed)
        for space in asked:
            if space not in known:
                cure = f"there are: {', '.join(known)}"
                raise ConfigError(f"the strategy has no space {space}", where="--spaces", cure=cure)
            if space in fixed:
                raise ConfigError(
                    f"the configuration sets {fixed[space]}, and Freqtrade prefers that to what a search finds",
                    where="--spaces",
                    cure=f"leave out {space}, or use a configuration (-c) without it",
                )
        return tuple(dict.fromkeys(asked))

    def _set_by_config(self) -> dict[str, str]:
        """Return the spaces that a configuration leaves no choice in, and its key."""
        said = read_layers(layers_of(self._prepared.loaded.job))
        return {
            space: key
            for space, keys in _SET_BY_CONFIG.items()
            for key in keys
            if said.get(key) is not None
        }

    def _dimensions(self, space: str) -> list[Dimension]:
        own = {
            "roi": self._auto.roi_space,
            "stoploss": self._auto.stoploss_space,
            "trailing": self._auto.trailing_space,
            "trades": self._auto.max_open_trades_space,
        }
        found = own[space]() if space in own else self._auto.get_indicator_space(space)
        return [_dimension(each, space) for each in found]

    def _roi(self, values: Mapping[str, Any]) -> dict[int, float]:
        return {int(k): float(v) for k, v in self._auto.generate_roi_table(dict(values)).items()}

    def _trailing(self, values: Mapping[str, Any]) -> Trailing:
        made = self._auto.generate_trailing_params(dict(values))
        return Trailing(
            stop=bool(made["trailing_stop"]),
            positive=made["trailing_stop_positive"],
            offset=float(made["trailing_stop_positive_offset"]),
            only_offset=bool(made["trailing_only_offset_is_reached"]),
        )

    def _slots(self, values: Mapping[str, Any]) -> int:
        """Return max_open_trades as hyperopt would set it: no limit needs a stake that is limited."""
        config = self._prepared.loaded.backtesting.config
        wanted = int(values["max_open_trades"])
        if wanted in (-1, 0) and config["stake_amount"] == "unlimited":
            wanted = config["max_open_trades"]
        return -1 if wanted in (-1, 0, float("inf")) else int(wanted)


def _dimension(found: Any, space: str) -> Dimension:
    name: str = found.name
    if isinstance(found, CategoricalDistribution):
        choices = tuple(_plain(each) for each in found.choices)
        return Dimension(name, space, "choice", choices=choices)
    if isinstance(found, IntDistribution):
        return Dimension(
            name, space, "whole", float(found.low), float(found.high), float(found.step)
        )
    step = None if found.step is None else float(found.step)
    return Dimension(name, space, "real", float(found.low), float(found.high), step)


def _steps_of(roi: Mapping[Any, float]) -> dict[str, float]:
    """Return Freqtrade's steps of a ROI table of its own form: four rows that fall to 0."""
    rows = sorted((int(minutes), float(profit)) for minutes, profit in roi.items())
    if len(rows) != 4 or rows[0][0] != 0 or rows[3][1] != 0.0:
        return {}
    (_, p0), (t3, p1), (t2, p2), (t1, _) = rows
    profits = {"roi_p1": p2, "roi_p2": p1 - p2, "roi_p3": p0 - p1}
    times = {"roi_t3": t3, "roi_t2": t2 - t3, "roi_t1": t1 - t2}
    return {**times, **{name: round(value, _DECIMALS) for name, value in profits.items()}}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
