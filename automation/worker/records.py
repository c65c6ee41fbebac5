"""Backtests many jobs with the compiled engine and writes each one's trades as a line of JSON.

Runs in a process of its own: `python -m automation.worker.records < JOBS`, a JSON list of the fields
of `EngineJob`; Freqtrade's words for a trade, so that a record reads as one of its result files.
Decides nothing about what is run. Called by `automation.app.results`, never imported by it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.worker.engine import evaluate, prepare
from automation.worker.jobs import EngineJob
from automation.worker.prepared import Prepared
from automation.worker.results import EngineResult

_SAME = ("open_rate", "close_rate", "amount", "leverage", "profit_abs", "funding_fees")


def job_of(asked: dict[str, Any]) -> EngineJob:
    """Return the job that one entry of the list asks for."""
    folder = asked.get("strategy_path")
    return EngineJob(
        strategy=asked["strategy"],
        data=Path(asked["data"]),
        timerange=asked["timerange"],
        pairs=tuple(asked["pairs"]),
        overrides=asked.get("overrides", {}),
        strategy_path=Path(folder) if folder else None,
        exchange_info=asked["exchange_info"],
    )


def record_of(prepared: Prepared, result: EngineResult) -> dict[str, Any]:
    """Return the backtest as Freqtrade's result file would tell it, and the stops of its signals."""
    start, end = (int(when.astype(np.int64)) * 1000 for when in (result.start, result.end))
    opened, closed = (
        result.trades[name].astype("M8[ms]").astype(np.int64)
        for name in ("open_time", "close_time")
    )
    stops = _stops(prepared, result)
    trades = []
    for row, trade in enumerate(result.trades):
        told = {name: float(trade[name]) for name in _SAME}
        told |= {
            "pair": result.pairs[trade["pair"]],
            "open_timestamp": int(opened[row]),
            "close_timestamp": int(closed[row]),
            "is_short": bool(trade["is_short"]),
            "enter_tag": result.tags[trade["enter_tag"]],
            "exit_reason": result.tags[trade["exit_reason"]],
            "stop_loss_abs": float(trade["stop"]),
            "stop_dist_frac": float(stops[row]),
        }
        trades.append(told)
    return {
        "starting_balance": result.start_balance,
        "backtest_start_ts": start,
        "backtest_end_ts": end,
        "engine": result.engine,
        "reasons": list(result.reasons),
        "trades": trades,
    }


def _stops(prepared: Prepared, result: EngineResult) -> npt.NDArray[np.float64]:
    """Return each trade's stop distance on the candle whose signal it followed; NaN without one."""
    found = np.full(len(result.trades), np.nan)
    for place, pair in enumerate(result.pairs):
        frame = prepared.columns().frames[pair]
        if "stop_dist_frac" in frame.columns:
            ours = result.trades["pair"] == place
            dates = frame["date"].to_numpy(dtype="datetime64[s]")
            rows = np.searchsorted(dates, result.trades["open_time"][ours], side="left") - 1
            found[ours] = frame["stop_dist_frac"].to_numpy()[rows]
    return found


def main() -> None:
    """Run every job of the list on standard input, one line of JSON each."""
    for asked in json.load(sys.stdin):
        prepared = prepare(job_of(asked))
        sys.stdout.write(json.dumps(record_of(prepared, evaluate(prepared))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
