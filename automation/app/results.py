"""Runs the pack's strategies over real candles and writes what came out into their pages.

`make results` (`python -m automation.app.results --data DIR`). Each strategy, and the same without
its defining condition, is backtested by Freqtrade itself, in sample and out of sample, with fees
and funding; Freqtrade's own sample strategy too, where its file is given. A run whose strategies,
configuration and range are unchanged is taken from `user_data/results`. Pages keep their words;
only the part between the marks is written anew.
"""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from automation.app.backtests import BacktestRequest, backtest
from automation.app.results_page import Curve, Row, hold, page_part, plot
from automation.core.errors import FreqfleetError
from automation.core.files import write_whole
from automation.core.paths import configs, root, strategies

MARKS = ("<!-- results: written by make results -->", "<!-- end of results -->")
SAMPLE = "FSampleStrategy"
_MAJORS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
_FIVE = (*_MAJORS, "SOL/USDT:USDT", "BNB/USDT:USDT", "XRP/USDT:USDT")
IN_SAMPLE, OUT_OF_SAMPLE = "20230110-20240701", "20240701-20250629"
PERIODS = {"in sample": IN_SAMPLE, "out of sample": OUT_OF_SAMPLE}


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
    parser.add_argument("--only", nargs="*", help="names of strategies")
    parser.add_argument(
        "--cached", action="store_true", help="run nothing; leave out what is not at hand"
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
    rows: list[tuple[str, Row]] = []
    curves: dict[str, list[Curve]] = {}
    for period, span in PERIODS.items():
        records = _rivals(subject, span, source)
        held = hold(source.data, subject.pairs, span)
        rows += [(period, Row.of_record(name, record)) for name, record in records]
        rows.append((period, Row.of_curve("buy and hold", held)))
        curves[period] = [held, *(Curve.of_record(name, record) for name, record in records)]
    (folder / "img").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "img" / f"{subject.name}.svg", plot(curves).encode())
    page = folder / f"{subject.name}.md"
    part = page_part(subject.name, subject.timeframe, subject.pairs, PERIODS, rows)
    write_whole(page, _replaced(page.read_text(), part).encode())


def _rivals(subject: Subject, span: str, source: Source) -> list[tuple[str, dict[str, Any]]]:
    """Return the records of the strategy, of it without its condition, and of the sample."""
    found: list[tuple[str, dict[str, Any] | None]] = []
    found.append((subject.name, _run(subject, span, source, strategies())))
    with TemporaryDirectory(prefix="freqfleet-results-") as made:
        ablated = _write_ablated(Path(made), subject)
        found.append(("without it", _run(ablated, span, source, Path(made))))
    if source.sample is not None:
        sample = Subject(SAMPLE, "1h", subject.pairs)
        found.append((SAMPLE, _run(sample, span, source, source.sample)))
    return [(name, record) for name, record in found if record is not None]


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
    """Hash what a result depends on: the strategy, the kit, the configuration, range and pairs."""
    digest = hashlib.sha256(f"{span} {subject}".encode())
    for path in _sources(subject, folder):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(subject: Subject, folder: Path) -> Iterable[Path]:
    stem = subject.name.removesuffix("Ablated")
    yield folder / f"{stem}.py"
    yield from sorted(configs() / f"{layer}.json" for layer in ("base", "futures", "offline"))
    if stem != SAMPLE:
        yield from sorted((strategies() / "tradekit").glob("*.py"))


def _replaced(text: str, part: str) -> str:
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before.rstrip()}\n\n{MARKS[0]}\n{part.strip()}\n{MARKS[1]}{after or chr(10)}"


if __name__ == "__main__":
    sys.exit(main())
