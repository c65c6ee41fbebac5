"""Loads strategy, configuration, exchange and candles the way `freqtrade hyperopt` does.

Everything comes through Freqtrade's own Configuration, resolvers and data handler; the one thing
that may be replaced is what the exchange answers to exchangeInfo. Called by `engine`, in a worker's
process: Freqtrade keeps its backtest state in class attributes, so one process runs one at a time.
"""

import json
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from freqtrade.configuration import Configuration
from freqtrade.data.converter import trim_dataframes
from freqtrade.data.history import get_timerange
from freqtrade.enums import HyperoptState, RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.optimize.hyperopt_tools import HyperoptStateContainer
from freqtrade.resolvers import ExchangeResolver
from pandas import DataFrame

from automation.core.errors import ConfigError
from automation.core.paths import configs, strategies
from automation.worker.jobs import EngineJob

PACK_LAYERS = ("base.json", "futures.json", "offline.json")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Freqtrade's objects for one job; `candles` are what `load_bt_data` returned."""

    job: EngineJob
    backtesting: Backtesting
    strategy: Any
    candles: dict[str, DataFrame]

    def indicators(self) -> dict[str, DataFrame]:
        """Compute the strategy's columns with its present parameter values, every pair."""
        HyperoptStateContainer.set_state(HyperoptState.INDICATORS)
        try:
            with quiet(logging.WARNING):  # of parameters read here: `columns` sees to them
                made: dict[str, DataFrame] = self.strategy.advise_all_indicators(self.candles)
        finally:
            HyperoptStateContainer.set_state(HyperoptState.OPTIMIZE)
        return made

    def span(self, frames: dict[str, DataFrame]) -> tuple[datetime, datetime]:
        """Return the first and last candle that Freqtrade's backtest would use.

        Raises ConfigError if the start-up candles leave nothing.
        """
        bt = self.backtesting
        trimmed = trim_dataframes(frames, bt.timerange, bt.required_startup)
        if not trimmed:
            raise ConfigError(
                f"no candle is left after {bt.required_startup} start-up candles",
                where=f"{self.job.strategy}, {self.job.timerange}",
                cure="choose a longer range",
            )
        first, last = get_timerange(trimmed)
        return first, last


def load(job: EngineJob) -> Loaded:
    """Load a job; raises ConfigError with Freqtrade's own words where it refuses."""
    _importable()
    with quiet():
        try:
            config = _configuration(job)
            exchange = None if job.exchange_info is None else _exchange(config, job.exchange_info)
            backtesting = Backtesting(config, exchange)
            strategy = backtesting.strategylist[0]
            backtesting._set_strategy(strategy)
            candles, _ = backtesting.load_bt_data()
            backtesting.exchange.close()  # as hyperopt does: from here on nothing is asked
        except (FreqtradeException, ImportError, ValueError) as error:
            raise ConfigError(str(error).strip().rstrip("."), where=job.strategy) from error
    return Loaded(job, backtesting, strategy, candles)


def layers_of(job: EngineJob) -> tuple[Path, ...]:
    """Return the job's configurations, or the pack's."""
    return job.configs or tuple(configs() / name for name in PACK_LAYERS)


def _configuration(job: EngineJob) -> dict[str, Any]:
    """Merge the layers through Freqtrade's Configuration in hyperopt's run mode, all spaces open."""
    layers = layers_of(job)
    with tempfile.TemporaryDirectory(prefix="freqfleet-") as scratch:
        last = Path(scratch) / "overrides.json"
        last.write_text(json.dumps(_overlay(job)))
        arguments = {
            "config": [*map(str, layers), str(last)],
            "strategy": job.strategy,
            "strategy_path": str(job.strategy_path or strategies()),
            "timerange": job.timerange,
            "pairs": list(job.pairs) or None,
            "datadir": str(job.data),
            "user_data_dir": scratch,
            "spaces": ["all"],
        }
        config: dict[str, Any] = Configuration(arguments, RunMode.HYPEROPT).get_config()
    return config


def _overlay(job: EngineJob) -> dict[str, Any]:
    overlay = dict(job.overrides)
    if job.pairs:
        exchange = {**overlay.get("exchange", {}), "pair_whitelist": list(job.pairs)}
        overlay["exchange"] = exchange
    return overlay


def _exchange(config: dict[str, Any], info: Mapping[str, Any]) -> Any:
    """Make Freqtrade's exchange and let ccxt parse `info` as if the exchange had answered it."""
    exchange = ExchangeResolver.load_exchange(config, validate=False, load_leverage_tiers=True)
    api = exchange._api
    api.set_markets([api.parse_market(symbol) for symbol in info["symbols"]])
    exchange._markets = api.markets
    exchange.validate_config(config)
    return exchange


def _importable() -> None:
    """Let strategies import `tradekit`, for as long as this process lives."""
    folder = str(strategies())
    if folder not in sys.path:
        sys.path.insert(0, folder)


@contextmanager
def quiet(level: int = logging.INFO) -> Iterator[None]:
    """Keep Freqtrade's messages up to `level` out of the worker's output."""
    before = logging.root.manager.disable
    logging.disable(max(before, level))
    try:
        yield
    finally:
        logging.disable(before)
