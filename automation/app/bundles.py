"""Makes the gate's bundles: from a data folder, a synthetic market, or Freqtrade's own download.

Called by the command line and, for smoke tests, by `app.gates`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from automation.app.coverage import cover
from automation.core.errors import ConfigError, DependencyError
from automation.core.paths import configs
from automation.core.timerange import TimeRange, parse_timerange
from automation.gates.bundle import Contents, write_bundle
from automation.gates.manifest import Manifest
from automation.simulator import DataFolder, open_market, write_data_folder

_VERSIONS = ("freqtrade", "ccxt")
_TIERS = "exchange/binance_leverage_tiers.json"
_BESIDE = (("mark", "1h"), ("funding_rate", "1h"))


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """What the user typed: candles from `data`, from a `download`, or made up from `seed`.

    Without `timeframes` every timeframe that covers the range is taken.
    """

    timerange: str
    pairs: tuple[str, ...] = ()
    data: Path | None = None
    seed: int | None = None
    download: bool = False
    timeframes: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()
    lead_days: int = 30


def make_bundle(request: BundleRequest, target: Path) -> Manifest:
    """Make a bundle at `target`; in a folder it is named by its address.

    Raises ConfigError for data that does not cover the range, DependencyError for a download that
    fails.
    """
    span = parse_timerange(request.timerange)
    if span.start is None or span.end is None:
        cure = "write it like 20250101-20250701"
        raise ConfigError("a bundle needs both ends of its range", where="--timerange", cure=cure)
    with _data(request, span) as data:
        folder = DataFolder(data)
        timeframes = request.timeframes or _covering(folder, request.pairs, span)
        pairs = cover(data, timeframes, span, request.pairs).pairs
        market = open_market(data, pairs)
        rules = {one.pair: asdict(one.rules) for one in market.instruments.values()}
        contents = Contents(
            timerange=request.timerange,
            pairs=pairs,
            timeframes=timeframes,
            files=_files(folder, pairs, timeframes),
            rules=rules,
            tiers=installed_tiers(pairs),
            versions=_versions(),
            lead_days=request.lead_days,
        )
        return write_bundle(contents, target)


def installed_tiers(pairs: Sequence[str]) -> dict[str, Any]:
    """Read the leverage tiers that the installed Freqtrade backtests with; empty without one."""
    spec = find_spec("freqtrade")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(spec.submodule_search_locations[0]) / _TIERS
    known: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {pair: known[pair] for pair in pairs if pair in known}


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _covering(folder: DataFolder, pairs: Sequence[str], span: TimeRange) -> tuple[str, ...]:
    """Name the timeframes that all the pairs (or any, if none is named) have over the range."""
    lengths = {one.timeframe.name: one.timeframe.length_ms for one in folder.series}
    found = []
    for name in sorted(lengths, key=lambda one: lengths[one]):
        try:
            cover(folder.path, (name,), span, pairs)
        except ConfigError:
            continue
        if all(_reaches(folder, pair, name, span) for pair in pairs):
            found.append(name)
    if not found:
        raise ConfigError(
            f"no timeframe of {', '.join(pairs) or 'any pair'} covers {span.text}",
            where=str(folder.path),
            cure="choose another range, or name timeframes with --timeframes",
        )
    return tuple(found)


def _reaches(folder: DataFolder, pair: str, name: str, span: TimeRange) -> bool:
    series = folder.find(pair, "futures", name)[0]
    assert span.start is not None
    assert span.end is not None
    length = series.timeframe.length_ms
    starts = series.first_ms <= span.start.timestamp() * 1000 + length
    return starts and series.end_ms + length >= span.end.timestamp() * 1000


def _files(folder: DataFolder, pairs: Sequence[str], timeframes: Sequence[str]) -> tuple[Path, ...]:
    wanted = {("futures", name) for name in timeframes} | set(_BESIDE)
    return tuple(
        series.file.path
        for series in folder.series
        if series.pair in pairs and (series.kind, series.timeframe.name) in wanted
    )


@contextmanager
def _data(request: BundleRequest, span: TimeRange) -> Iterator[Path]:
    chosen = [request.data is not None, request.seed is not None, request.download]
    if sum(chosen) != 1:
        cure = "give exactly one of --data, --seed and --download"
        raise ConfigError("where the candles come from is not clear", cure=cure)
    if request.data is not None:
        yield request.data
        return
    if not request.pairs or not request.timeframes:
        cure = "name them with --pairs and --timeframes"
        raise ConfigError("which pairs and timeframes to make is not clear", cure=cure)
    with TemporaryDirectory(prefix="freqfleet-bundle-") as name:
        if request.seed is not None:
            _make_up(request, span, Path(name))
        else:
            _download(request, span, Path(name))
        yield Path(name)


def _make_up(request: BundleRequest, span: TimeRange, folder: Path) -> None:
    assert request.seed is not None
    assert span.start is not None
    assert span.end is not None
    start = span.start - timedelta(days=request.lead_days)
    end = span.end + timedelta(days=1)
    write_data_folder(folder, request.pairs, request.timeframes, start, end, request.seed)


def _download(request: BundleRequest, span: TimeRange, folder: Path) -> None:
    """Let Freqtrade download candles, mark candles and funding, lead included."""
    assert span.start is not None
    assert span.end is not None
    first = span.start - timedelta(days=request.lead_days)
    layers = request.configs or tuple(configs() / name for name in ("base.json", "futures.json"))
    command = [
        *(sys.executable, "-m", "freqtrade", "download-data", "--trading-mode", "futures"),
        *(word for path in layers for word in ("-c", str(path))),
        *("--userdir", str(folder), "--datadir", str(folder), "--data-format-ohlcv", "feather"),
        *("--timerange", f"{first:%Y%m%d}-{span.end:%Y%m%d}", "--no-color"),
        *("--timeframes", *request.timeframes, "--pairs", *request.pairs),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode != 0 or not (folder / "futures").is_dir():
        lines = [line for line in done.stderr.splitlines() if " - ERROR - " in line]
        last = lines[-1].partition(" - ERROR - ")[2] if lines else f"exit code {done.returncode}"
        cure = "run it where the exchange can be reached"
        raise DependencyError(f"freqtrade download-data failed: {last}", cure=cure)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if "FREQTRADE__" not in key}
    return {**kept, "TZ": "UTC", "COLUMNS": "10000"}
