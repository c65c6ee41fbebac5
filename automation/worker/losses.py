"""Freqtrade's hyperopt losses, given the engine's trades.

A loss is any `IHyperOptLoss`: Freqtrade's own and those of hyperopts/. It gets what `freqtrade
hyperopt` gives it; Freqtrade's statistics, which take longer than the backtest, only where its source
names them. Called by `tuning`, in a worker's process.
"""

import inspect
import math
from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any

from freqtrade.exceptions import OperationalException
from freqtrade.optimize.optimize_reports import generate_strategy_stats
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

from automation.core.errors import ConfigError
from automation.core.paths import root
from automation.core.tunings import WORST_LOSS
from automation.worker.loading import quiet
from automation.worker.prepared import Prepared
from automation.worker.reports import trade_frame
from automation.worker.results import EngineResult


class Losses:
    """The losses of a study, in their order."""

    def __init__(self, prepared: Prepared, names: Sequence[str]) -> None:
        """Load them through Freqtrade's resolver; raises ConfigError for a name that is none."""
        self._prepared = prepared
        self._config = prepared.loaded.backtesting.config
        self._losses = [_load(self._config, name) for name in names]
        self._wants_stats = [_names_statistics(loss) for loss in self._losses]

    def of(self, result: EngineResult) -> tuple[float, ...]:
        """Return every loss; Freqtrade's worst where there are too few trades, or no number."""
        if len(result.trades) < self._config.get("hyperopt_min_trades", 1):
            return (WORST_LOSS,) * len(self._losses)
        frame, columns = trade_frame(result), self._prepared.columns()
        given = {
            "trade_count": len(frame),
            "min_date": columns.start,
            "max_date": columns.end,
            "config": self._config,
            "processed": columns.frames,
            "starting_balance": self._prepared.start_balance,
        }
        made = []
        for loss, wants in zip(self._losses, self._wants_stats, strict=True):
            stats = self._statistics(result, columns.start, columns.end) if wants else {}
            found = float(loss.hyperopt_loss_function(results=frame, backtest_stats=stats, **given))
            made.append(found if math.isfinite(found) else WORST_LOSS)
        return tuple(made)

    def _statistics(self, result: EngineResult, start: datetime, end: datetime) -> dict[str, Any]:
        strategy = self._prepared.strategy
        content = {
            "results": trade_frame(result),
            "config": copy(self._config),
            "locks": [],
            "rejected_signals": result.rejected_signals,
            "timedout_entry_orders": result.timed_out_entries,
            "timedout_exit_orders": result.timed_out_exits,
            "canceled_trade_entries": 0,
            "canceled_entry_orders": 0,
            "replaced_entry_orders": 0,
            "final_balance": result.final_balance,
            "run_id": "",
            "backtest_start_time": 0,
            "backtest_end_time": 0,
        }
        with quiet():
            made: dict[str, Any] = generate_strategy_stats(
                list(result.pairs), strategy.get_strategy_name(), content, start, end, 0.0, True
            )
        return made


def _load(config: dict[str, Any], name: str) -> Any:
    asked = {**config, "hyperopt_loss": name, "hyperopt_path": str(root() / "hyperopts")}
    try:
        with quiet():
            return HyperOptLossResolver.load_hyperoptloss(asked)
    except OperationalException:
        cure = "name a class of hyperopts/ or one of Freqtrade's"
        raise ConfigError(f"no loss is named {name}", where="--loss", cure=cure) from None


def _names_statistics(loss: Any) -> bool:
    try:
        return "backtest_stats" in inspect.getsource(loss.hyperopt_loss_function)
    except (OSError, TypeError):
        return True
