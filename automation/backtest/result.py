"""Parses the result file of `freqtrade backtesting` and keeps it under a name that its content decides.

Freqtrade names results by the clock; here the same trades give the same name, so two equal runs
answer equally to the last digit, and FreqUI still finds them.
"""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import orjson

from automation.core.backtests import StrategyOutcome
from automation.core.errors import DependencyError, PermanentError

_PREFIX = "backtest-result-"


def read_result(folder: Path, strategy: str) -> tuple[Path, dict[str, Any]]:
    """Read the one result that a run left in `folder`: its archive and the strategy's figures.

    Raises PermanentError if there is none or it cannot be read.
    """
    archives = sorted(folder.glob(f"{_PREFIX}*.zip"))
    if len(archives) != 1:
        raise PermanentError(f"freqtrade left {len(archives)} result files", where=strategy)
    archive = archives[0]
    try:
        with ZipFile(archive) as content:
            raw = json.loads(content.read(f"{archive.stem}.json"))
        figures: dict[str, Any] = raw["strategy"][strategy]
    except (BadZipFile, KeyError, ValueError) as error:
        raise PermanentError(
            f"freqtrade's result cannot be read: {error}", where=strategy
        ) from None
    return archive, figures


def keep_result(archive: Path, figures: dict[str, Any], results: Path) -> Path:
    """Move the archive and its metadata to `results` under a name made from the trades.

    Raises DependencyError if the folder cannot be written.
    """
    name = f"{_PREFIX}{figures['strategy_name']}-{_digest(figures)}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        _rewrite(archive, results / f"{name}.zip", name)
        meta = archive.with_suffix(".meta.json")
        if meta.exists():
            _write(results / f"{name}.meta.json", meta.read_bytes())
        latest = {"latest_backtest": f"{name}.zip"}
        _write(results / ".last_result.json", orjson.dumps(latest))
    except OSError as error:
        cure = "choose another folder with --results"
        raise DependencyError(
            f"cannot be written: {error}", where=str(results), cure=cure
        ) from None
    return results / f"{name}.zip"


def outcome(figures: dict[str, Any], result_file: Path) -> StrategyOutcome:
    """Translate Freqtrade's figures into ours; fractions stay fractions."""
    trades = figures["trades"]
    factor = float(figures.get("profit_factor") or 0.0)
    lost = any(trade["profit_abs"] < 0 for trade in trades)
    return StrategyOutcome(
        name=figures["strategy_name"],
        timeframe=figures["timeframe"],
        trades=len(trades),
        longs=sum(not trade["is_short"] for trade in trades),
        shorts=sum(bool(trade["is_short"]) for trade in trades),
        wins=int(figures["wins"]),
        profit_frac=figures["profit_total"],
        profit_abs=figures["profit_total_abs"],
        long_profit_frac=figures["profit_total_long"],
        short_profit_frac=figures["profit_total_short"],
        max_drawdown_frac=figures["max_drawdown_account"],
        sharpe=figures["sharpe"],
        sortino=figures["sortino"],
        calmar=figures["calmar"],
        profit_factor=factor if lost else None,
        market_change_frac=figures["market_change"],
        funding_fees=round(sum(float(trade.get("funding_fees") or 0) for trade in trades), 8),
        liquidations=sum(trade["exit_reason"] == "liquidation" for trade in trades),
        rejected_signals=int(figures["rejected_signals"]),
        starting_balance=figures["starting_balance"],
        final_balance=figures["final_balance"],
        start=datetime.fromtimestamp(figures["backtest_start_ts"] / 1000, UTC),
        end=datetime.fromtimestamp(figures["backtest_end_ts"] / 1000, UTC),
        result_file=result_file,
        raw=figures,
    )


def _digest(figures: dict[str, Any]) -> str:
    """Hash what the backtest found, apart from when and how fast it was run."""
    clocked = {"backtest_run_start_ts", "backtest_run_end_ts"}
    stable = {key: value for key, value in figures.items() if key not in clocked}
    return hashlib.sha256(orjson.dumps(stable, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _rewrite(archive: Path, target: Path, name: str) -> None:
    """Copy an archive, renaming its members from the old stem to `name`."""
    temporary = target.with_suffix(".partial")
    with ZipFile(archive) as source, ZipFile(temporary, "w") as copy:
        for member in source.infolist():
            renamed = member.filename.replace(archive.stem, name)
            copy.writestr(renamed, source.read(member), member.compress_type)
    temporary.replace(target)


def _write(target: Path, content: bytes) -> None:
    temporary = target.with_name(f"{target.name}.partial")
    temporary.write_bytes(content)
    temporary.replace(target)
