"""Reads the trades of `freqtrade backtesting`'s own result file into the engine's form.

So that an engine's result can be compared with what the real command line found, trade by trade.
Called by the check of tuned parameters before their export, and by tests.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from automation.worker.results import TRADE_DTYPE, EngineResult, Tags

_SAME = (
    *("is_short", "open_rate", "close_rate", "amount", "stake_amount", "leverage", "fee_open"),
    *("fee_close", "funding_fees", "profit_ratio", "profit_abs"),
)


def exported(figures: Mapping[str, Any], pairs: tuple[str, ...]) -> EngineResult:
    """Return the backtest that `figures` (one strategy of a result file) describes.

    A result file has no fill times, so those are the opening times; extremes are 0 and liquidation
    prices NaN: not told. `pairs` gives the order of pairs.
    """
    tags = Tags()
    rows = sorted(figures["trades"], key=lambda trade: trade["close_timestamp"])
    trades = np.zeros(len(rows), dtype=TRADE_DTYPE)
    for made, row in zip(trades, rows, strict=True):
        for name in _SAME:
            made[name] = row[name]
        made["pair"] = pairs.index(row["pair"])
        made["open_time"] = made["fill_time"] = np.datetime64(row["open_timestamp"], "ms")
        made["close_time"] = np.datetime64(row["close_timestamp"], "ms")
        made["enter_tag"] = tags.place(row["enter_tag"])
        made["exit_reason"] = tags.place(row["exit_reason"])
        made["liquidation"] = np.nan
        made["initial_stop"], made["stop"] = row["initial_stop_loss_abs"], row["stop_loss_abs"]
    return EngineResult(
        pairs=pairs,
        trades=trades,
        tags=tags.texts(),
        start_balance=float(figures["starting_balance"]),
        final_balance=float(figures["final_balance"]),
        rejected_signals=int(figures["rejected_signals"]),
        timed_out_entries=int(figures["timedout_entry_orders"]),
        timed_out_exits=int(figures["timedout_exit_orders"]),
        start=np.datetime64(figures["backtest_start_ts"], "ms").astype("M8[s]"),
        end=np.datetime64(figures["backtest_end_ts"], "ms").astype("M8[s]"),
        engine="freqtrade",
    )
