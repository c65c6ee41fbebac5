"""Checks on one strategy that need Freqtrade: loading, truncation, and Freqtrade's own analyses.

Runs in a process of its own: `python -m automation.worker.checks REQUEST ANSWERS`. The request is
JSON; every stage that ends appends one JSON line to the answers, so that a process that is stopped
half-way has still told what it knew. A strategy's own exception is not caught here: its traceback
is what the caller reads. Called by `automation.gates` through the command line, never imported.
"""

import json
import logging
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import timeframe_to_minutes
from freqtrade.main import main as freqtrade_main
from freqtrade.optimize.analysis.lookahead_helpers import LookaheadAnalysisSubFunctions
from freqtrade.optimize.analysis.recursive_helpers import RecursiveAnalysisSubFunctions
from freqtrade.optimize.backtesting import Backtesting
from pandas import DataFrame, DatetimeTZDtype, isna

_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
Answer = Callable[[dict[str, Any]], None]


class _Journal:
    """Keeps what Freqtrade warned of and complained of."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []

    def keep(self, record: logging.LogRecord) -> None:
        """Keep one message, with its exception if it has one."""
        if record.levelno < logging.WARNING or record.name.partition(".")[0] != "freqtrade":
            return
        raised = record.exc_info[1] if record.exc_info else None
        what = f"{type(raised).__name__}: {raised}" if raised is not None else record.getMessage()
        self.said.append((record.levelno, what))

    def errors(self) -> list[str]:
        """Tell the complaints alone."""
        return [what for level, what in self.said if level >= logging.ERROR]


@contextmanager
def _listening() -> Iterator[_Journal]:
    """Hear every record where it is made: Freqtrade takes all handlers away when it starts."""
    journal, make = _Journal(), logging.getLogRecordFactory()

    def keep(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        journal.keep(record)
        return record

    logging.setLogRecordFactory(keep)
    try:
        yield journal
    finally:
        logging.setLogRecordFactory(make)


def load(request: dict[str, Any], answer: Answer) -> Any:
    """Load the strategy through Freqtrade's resolver; None, and the reason told, if it refuses."""
    with _listening() as journal:
        try:
            backtesting = Backtesting(_configuration(request))
        except FreqtradeException as error:
            name = Path(request["file"]).name
            why = [what for _, what in journal.said if name in what and "Could not import" in what]
            answer({"stage": "load", "error": (why or [str(error)])[-1].strip()})
            return None
    strategy = backtesting.strategylist[0]
    backtesting._set_strategy(strategy)
    told = {
        "timeframe": strategy.timeframe,
        "startup_candles": int(strategy.startup_candle_count),
        "can_short": bool(strategy.can_short),
        "stoploss": float(strategy.stoploss),
    }
    answer({"stage": "load", **told})
    return backtesting


def _configuration(request: dict[str, Any]) -> dict[str, Any]:
    arguments = {
        "config": request["configs"],
        "strategy": request["strategy"],
        "strategy_path": request["folder"],
        "timerange": request["truncation"]["timerange"],
        "pairs": request["truncation"]["pairs"],
        "datadir": request["data"],
        "user_data_dir": request["userdir"],
        "export": "none",
        "backtest_cache": "none",
    }
    config: dict[str, Any] = Configuration(arguments, RunMode.BACKTEST).get_config()
    return config


def truncate(
    backtesting: Any,
    request: dict[str, Any],
    answer: Answer,
    candles: dict[str, DataFrame] | None = None,
) -> None:
    """Take later candles away and tell every column whose earlier rows change.

    Other pairs and timeframes are cut too, at their last candle that had closed. `candles` are those
    of `load_bt_data`, where they are loaded already.
    """
    if candles is None:
        candles, _ = backtesting.load_bt_data()
    whole = _signals(backtesting, candles)
    startup = backtesting.required_startup
    rng = np.random.default_rng(request["truncation"]["seed"])
    found: dict[str, dict[str, Any]] = {}
    cuts = 0
    for pair, frame in whole.items():
        for row in _cut_rows(frame, startup, request["truncation"]["cuts"], rng):
            cuts += 1
            part = _signals(backtesting, _cut(candles, frame["date"].iat[row]), pair)
            for column, rows in _differences(frame, part[pair], row).items():
                one = found.setdefault(
                    column, {"column": column, "pair": pair, "cuts": 0, "rows": 0}
                )
                one["cuts"] += 1
                one["rows"] = max(one["rows"], rows)
                one.setdefault("at", frame["date"].iat[row].isoformat())
    entries = sum(int(_entry_rows(frame).sum()) for frame in whole.values())
    answer(
        {
            "stage": "truncation",
            "findings": sorted(found.values(), key=lambda one: str(one["column"])),
            "cuts": cuts,
            "entries": entries,
        }
    )


def _signals(backtesting: Any, candles: dict[str, DataFrame], pair: str = "") -> dict[str, Any]:
    """Compute indicators and signals of all pairs or one, knowing nothing after the last candle."""
    strategy = backtesting.strategy
    chosen = {name: frame for name, frame in candles.items() if pair in ("", name)}
    if pair:
        last: Any = chosen[pair]["date"].iat[-1]
        closed = last + timedelta(minutes=timeframe_to_minutes(strategy.timeframe))
        strategy.dp._set_dataframe_max_date(closed)
    try:
        made = strategy.advise_all_indicators(chosen)
        return {
            name: strategy.ft_advise_signals(frame, {"pair": name}) for name, frame in made.items()
        }
    finally:
        strategy.dp._set_dataframe_max_date(None)


def _cut(candles: dict[str, DataFrame], last: Any) -> dict[str, DataFrame]:
    return {
        pair: frame.loc[frame["date"] <= last].reset_index(drop=True)
        for pair, frame in candles.items()
    }


def _entry_rows(frame: DataFrame) -> Any:
    names = [name for name in ("enter_long", "enter_short") if name in frame.columns]
    return (frame[names] == 1).any(axis=1).to_numpy()


def _cut_rows(frame: DataFrame, startup: int, cuts: int, rng: np.random.Generator) -> list[int]:
    """Choose where to cut: half at entries, if there are any, the rest anywhere after start-up."""
    rows = np.arange(len(frame) - 1)
    usable = rows[rows >= min(startup, len(frame) // 2)]
    entries = usable[_entry_rows(frame)[usable]]
    at_entries = rng.permutation(entries)[: cuts // 2]
    others = rng.permutation(np.setdiff1d(usable, at_entries))[: cuts - len(at_entries)]
    return sorted(int(row) for row in np.concatenate([at_entries, others]))


def _differences(whole: DataFrame, part: DataFrame, last: int) -> dict[str, int]:
    """Count by column the rows up to `last` that differ; −1 for a column that one side lacks."""
    names = {str(one) for one in whole.columns} ^ {str(one) for one in part.columns}
    found = dict.fromkeys(sorted(names), -1)
    for name in whole.columns.intersection(part.columns):
        left, right = _values(whole[name])[: last + 1], _values(part[name])[: last + 1]
        rows = _unequal(left, right)
        if rows:
            found[str(name)] = rows
    return found


def _values(column: Any) -> Any:
    """Return a column's values; instants as numbers, which compare a hundred times faster."""
    if isinstance(column.dtype, DatetimeTZDtype):
        return column.dt.tz_convert(None).to_numpy().astype("M8[s]").astype(np.int64)
    return column.to_numpy()


def _unequal(left: Any, right: Any) -> int:
    if len(left) != len(right):
        return max(len(left), len(right))
    if left.dtype.kind in "fiub" and right.dtype.kind in "fiub":
        left, right = left.astype(float), right.astype(float)
        same = np.isclose(left, right, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    else:
        nothing = np.asarray(isna(left)) & np.asarray(isna(right))  # None and NaN are one
        same = nothing | np.fromiter(map(operator.eq, left, right), dtype=bool, count=len(left))
    return int(len(same) - np.sum(same))


def analyse_recursion(request: dict[str, Any], answer: Answer) -> None:
    """Run `freqtrade recursive-analysis` at the strategy's own start-up length."""
    asked = request["recursive"]
    arguments = ["--startup-candle", str(request["startup_candles"])]
    taken: list[Any] = []
    with _taking(RecursiveAnalysisSubFunctions, "text_table_recursive_analysis_instances", taken):
        ended = _freqtrade("recursive-analysis", request, asked["timerange"], arguments)
    if not taken or ended.has_failed:
        answer({"stage": "recursive", "error": ended.why})
        return
    (instance,) = taken[0][0]
    own = instance._strat_scc
    variances = {
        str(name): _number(values.get(own)) for name, values in instance.dict_recursive.items()
    }
    answer({"stage": "recursive", "variances": variances, "empty": _still_empty(instance)})


def _still_empty(instance: Any) -> list[str]:
    """Name what a longer past fills and the strategy's own start-up length leaves empty.

    Freqtrade writes "nan" for these, as it does for words and zeros.
    """
    pair, own = instance.pair_to_used, instance._strat_scc
    (short,) = (one for one in instance.partial_varHolder_array if one.startup_candle == own)
    whole, part = (one.indicators[pair].iloc[-1] for one in (instance.full_varHolder, short))
    known = [name for name in instance.dict_recursive if name in whole and name in part]
    return sorted(str(name) for name in known if isna(part[name]) and not isna(whole[name]))


def analyse_lookahead(request: dict[str, Any], answer: Answer) -> None:
    """Run `freqtrade lookahead-analysis` over every asked range."""
    for asked in request["lookahead"]:
        arguments = ["--targeted-trade-amount", str(asked["trades"])]
        arguments += ["--minimum-trade-amount", "1"]
        taken: list[Any] = []
        helpers = LookaheadAnalysisSubFunctions
        with _taking(helpers, "text_table_lookahead_analysis_instances", taken):
            ended = _freqtrade("lookahead-analysis", request, asked["timerange"], arguments)
        told: dict[str, Any] = {"stage": "lookahead", "timerange": asked["timerange"]}
        if not taken or ended.has_failed:
            answer({**told, "error": ended.why})
            continue
        (instance,) = taken[0][1]
        analysis = instance.current_analysis
        answer(
            {
                **told,
                "trades": int(analysis.total_signals),
                "entries": int(analysis.false_entry_signals),
                "exits": int(analysis.false_exit_signals),
                "columns": [str(name) for name in analysis.false_indicators],
            }
        )


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a command of Freqtrade's ended: its exit code, and what it complained of."""

    code: object
    errors: list[str]

    @property
    def has_failed(self) -> bool:
        """A contradiction in the configuration leaves without any code, like success."""
        return self.code not in (0, None)

    @property
    def why(self) -> str:
        """Tell the last complaint; without one, that there was none."""
        silent = f"it ended without a result and without a word, exit code {self.code}"
        return (self.errors or [silent])[-1]


def _freqtrade(command: str, request: dict[str, Any], timerange: str, more: list[str]) -> _Ended:
    """Run one command of Freqtrade's."""
    configs = [word for path in request["configs"] for word in ("-c", path)]
    argv = [command, *configs, "--strategy", request["strategy"]]
    argv += ["--strategy-path", request["folder"], "--userdir", request["userdir"]]
    argv += ["--datadir", request["data"], "--timerange", timerange, *more]
    argv += ["--no-color", "--pairs", *request["pairs"]]
    with _listening() as journal:
        try:
            freqtrade_main(argv)
        except SystemExit as exit_:
            return _Ended(exit_.code, journal.errors())
    return _Ended(None, journal.errors())


@contextmanager
def _taking(owner: Any, name: str, taken: list[Any]) -> Iterator[None]:
    """Keep the arguments with which Freqtrade calls its own printing of results."""
    original = getattr(owner, name)

    def keep(*arguments: Any, **named: Any) -> Any:
        taken.append(arguments)
        return original(*arguments, **named)

    setattr(owner, name, staticmethod(keep))
    try:
        yield
    finally:
        setattr(owner, name, staticmethod(original))


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def main(request_file: str, answers_file: str) -> None:
    """Run the stages that the request names, in their order."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))

    def answer(document: dict[str, Any]) -> None:
        with Path(answers_file).open("a", encoding="utf-8") as file:
            file.write(json.dumps(document) + "\n")

    if "truncation" in request:
        backtesting = load(request, answer)
        if backtesting is None:
            return
        request["startup_candles"] = int(backtesting.strategy.startup_candle_count)
        if request["truncation"]["cuts"]:
            truncate(backtesting, request, answer)
    if "recursive" in request:
        analyse_recursion(request, answer)
    if "lookahead" in request:
        analyse_lookahead(request, answer)


if __name__ == "__main__":
    main(*sys.argv[1:3])
