"""Runs the pack's strategies over real candles and writes what came out into their pages.

`make results` (`python -m automation.app.results --data DIR`). Each strategy, the same without its
defining condition, and under the other profiles, in sample and out of sample, with fees, funding
and protections: by the compiled engine, whose trades equal Freqtrade's (docs/reference/engine.md),
in a process of its own. Freqtrade's sample strategy, where its file is given, is run by Freqtrade
itself and kept in `user_data/results`. Pages keep their words; only the part between the marks is
written anew.
"""

import argparse
import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from automation.app.backtests import BacktestRequest, backtest
from automation.app.results_page import Curve, Row, edge_part, hold, page_part, plot, profile_part
from automation.core.errors import DependencyError, FreqfleetError
from automation.core.files import write_whole
from automation.core.paths import configs, root, strategies
from automation.simulator.rules import KNOWN, exchange_info, symbol_info
from tradekit.profiles import MODERATE, PROFILES

MARKS = ("<!-- results: written by make results -->", "<!-- end of results -->")
SAMPLE = "FSampleStrategy"
_MAJORS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
_FIVE = (*_MAJORS, "SOL/USDT:USDT", "BNB/USDT:USDT", "XRP/USDT:USDT")
IN_SAMPLE, OUT_OF_SAMPLE = "20230110-20240701", "20240701-20250629"
PERIODS = {"in sample": IN_SAMPLE, "out of sample": OUT_OF_SAMPLE}
KNOWN_SINCE = "2025-07-01"  # the day from which an edge measured out of sample may act
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """A strategy, its candles, and the pairs that have them over both periods."""

    name: str
    timeframe: str
    pairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where candles and Freqtrade's sample strategy are, and whether anything may be run."""

    data: Path
    sample: Path | None = None
    is_cached_only: bool = False


SUBJECTS = (
    Subject("TrendFollowingStrategy", "5m", _MAJORS),
    Subject("FuturesAIRiskStrategy", "5m", _MAJORS),
    Subject("RossCameronFuturesStrategy", "5m", _MAJORS),
    Subject("VolatilityBreakoutStrategy", "15m", _FIVE),
    Subject("MeanReversionStrategy", "1h", _FIVE),
)


def main(arguments: list[str] | None = None) -> int:
    """Make the results and write them; 0 when done."""
    parser = argparse.ArgumentParser(prog="make results", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Freqtrade data folder")
    parser.add_argument("--sample", type=Path, help=f"folder that holds {SAMPLE}.py")
    parser.add_argument(
        "--only", nargs="+", choices=[each.name for each in SUBJECTS], help="names of strategies"
    )
    parser.add_argument(
        "--cached",
        action="store_true",
        help="do not run the sample strategy; leave it out where it is not at hand",
    )
    asked = parser.parse_args(arguments)
    try:
        for subject in SUBJECTS:
            if not asked.only or subject.name in asked.only:
                _write_page(subject, Source(asked.data, asked.sample, asked.cached))
    except FreqfleetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _write_page(subject: Subject, source: Source) -> None:
    folder = root() / "docs" / "strategies"
    records = _records(subject, source.data)
    rows: list[tuple[str, Row]] = []
    curves: dict[str, list[Curve]] = {}
    for period, span in PERIODS.items():
        rivals = [
            (subject.name, records[period, MODERATE.name]),
            ("without it", records[period, "ablated"]),
            *_sample(subject, span, source),
        ]
        held = hold(source.data, subject.pairs, span)
        rows += [(period, Row.of_record(name, record)) for name, record in rivals]
        rows.append((period, Row.of_curve("buy and hold", held)))
        curves[period] = [held, *(Curve.of_record(name, record) for name, record in rivals)]
    profiles = [
        (period, name, Row.of_record(name, records[period, name]))
        for period in PERIODS
        for name in PROFILES
    ]
    (folder / "img").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "img" / f"{subject.name}.svg", plot(curves).encode())
    page = folder / f"{subject.name}.md"
    part = page_part(subject.name, subject.timeframe, subject.pairs, PERIODS, rows)
    part += "\n\n" + profile_part(profiles)
    part += "\n\n" + edge_part(records["out of sample", MODERATE.name], KNOWN_SINCE)
    write_whole(page, _replaced(page.read_text(), part).encode())


def _records(subject: Subject, data: Path) -> dict[tuple[str, str], Record]:
    """Return the engine's records by period and profile; `ablated` without the condition."""
    with TemporaryDirectory(prefix="freqfleet-results-") as made:
        ablated = _write_ablated(Path(made), subject)
        asked = {
            (period, name): _job(subject, span, data, name)
            for period, span in PERIODS.items()
            for name in PROFILES
        }
        for period, span in PERIODS.items():
            job = _job(ablated, span, data, MODERATE.name)
            asked[period, "ablated"] = {**job, "strategy_path": made}
        found = compiled(list(asked.values()))
    return dict(zip(asked, found, strict=True))


def _job(subject: Subject, span: str, data: Path, profile: str) -> dict[str, Any]:
    """Return what `automation.worker.records` is asked; protections on, as in a running bot."""
    return {
        "strategy": subject.name,
        "data": str(data.resolve()),
        "timerange": span,
        "pairs": subject.pairs,
        "exchange_info": exchange_of(subject.pairs),
        "overrides": {"freqfleet": {"profile": profile}, "enable_protections": True},
    }


def exchange_of(pairs: Iterable[str]) -> dict[str, Any]:
    """Return what Binance answers to exchangeInfo for the pairs."""
    names = [pair.split("/")[0] for pair in pairs]
    symbols = [
        symbol_info((f"{name}USDT", name, "USDT"), KNOWN[f"{name}USDT"], 0, "TRADING")
        for name in names
    ]
    return exchange_info(symbols, 0)


def compiled(jobs: Sequence[dict[str, Any]]) -> list[Record]:
    """Return the record of each job, from the engine in a process of its own.

    Raises DependencyError with the worker's last words where it ends without all of them.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "automation.worker.records"],
        input=orjson.dumps(jobs),
        capture_output=True,
        cwd=root(),
        check=False,
    )
    records = [orjson.loads(line) for line in ran.stdout.splitlines()]
    if ran.returncode or len(records) != len(jobs):
        words = ran.stderr.decode(errors="replace").strip().splitlines()
        raise DependencyError(
            f"the compiled engine ended after {len(records)} of {len(jobs)} backtests: "
            f"{words[-1] if words else 'no words'}"
        )
    return records


def _sample(subject: Subject, span: str, source: Source) -> list[tuple[str, Record]]:
    """Return the record of Freqtrade's sample strategy on the same pairs, where there is one."""
    if source.sample is None:
        return []
    found = _run(Subject(SAMPLE, "1h", subject.pairs), span, source, source.sample)
    return [] if found is None else [(SAMPLE, found)]


def _run(subject: Subject, span: str, source: Source, folder: Path) -> dict[str, Any] | None:
    """Return the record of one backtest, from the cache where nothing it depends on has changed.

    None where it would have to be run and may not be.
    """
    key = _key(subject, span, folder)
    cache = root() / "user_data" / "results" / f"{subject.name}-{span}-{key}.json"
    if cache.exists():
        found: dict[str, Any] = orjson.loads(cache.read_bytes())
        return found
    if source.is_cached_only:
        return None
    sys.stderr.write(f"{subject.name} {span}\n")
    request = BacktestRequest(
        strategies=(subject.name,),
        timerange=span,
        data=source.data,
        pairs=subject.pairs,
        strategy_path=folder,
        timeframe=subject.timeframe,
        results=root() / "user_data" / "results",
    )
    raw = asyncio.run(backtest(request)).outcomes[0].raw
    record = {
        name: raw[name] for name in ("starting_balance", "backtest_start_ts", "backtest_end_ts")
    }
    record["trades"] = [{name: trade.get(name) for name in _KEPT} for trade in raw["trades"]]
    write_whole(cache, orjson.dumps(record))
    return record


_KEPT = (
    "pair", "open_timestamp", "close_timestamp", "open_rate", "close_rate", "amount", "is_short",
    "leverage", "profit_abs", "funding_fees", "exit_reason", "stop_loss_abs",
)  # fmt: skip


def _write_ablated(folder: Path, subject: Subject) -> Subject:
    """Write a strategy that is `subject` without its defining condition, beside a copy of it."""
    name = f"{subject.name}Ablated"
    source = strategies() / f"{subject.name}.py"
    (folder / source.name).write_text(source.read_text())
    (folder / f"{name}.py").write_text(
        f"from {subject.name} import {subject.name}\n\n\n"
        f"class {name}({subject.name}):\n"
        f'    timeframe = "{subject.timeframe}"\n'
        f"    entries = staticmethod({subject.name}.ablated)\n"
    )
    return Subject(name, subject.timeframe, subject.pairs)


def _key(subject: Subject, span: str, folder: Path) -> str:
    """Hash what the sample's result depends on: its file, the configuration, range and pairs."""
    digest = hashlib.sha256(f"{span} {subject}".encode())
    for path in _sources(subject, folder):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(subject: Subject, folder: Path) -> Iterable[Path]:
    yield folder / f"{subject.name}.py"
    yield from sorted(configs() / f"{layer}.json" for layer in ("base", "futures", "offline"))


def _replaced(text: str, part: str) -> str:
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before.rstrip()}\n\n{MARKS[0]}\n{part.strip()}\n{MARKS[1]}{after or chr(10)}"


if __name__ == "__main__":
    sys.exit(main())
