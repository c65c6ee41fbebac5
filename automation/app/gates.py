"""The gate as a user asks for it: bundle, base, exchange, processes and cache brought together.

Called by the command line. The room `gates` gets everything it needs of other rooms from here.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from automation.app.bundles import BundleRequest, installed_tiers, make_bundle
from automation.app.outcomes import tell_gate
from automation.backtest import FreqtradeBacktester
from automation.core.clock import to_ms
from automation.core.errors import ConfigError
from automation.core.paths import configs, home, strategies
from automation.core.timerange import parse_timerange
from automation.gates.bench import Bench
from automation.gates.bundle import Bundle, open_bundle
from automation.gates.cache import Cache, installed_versions, read_baseline, write_baseline
from automation.gates.config import GateSettings
from automation.gates.limits import Limits, guarded
from automation.gates.revisions import Repository, find_repository
from automation.gates.run import Plan, judge, plan_smoke, plan_windows
from automation.gates.selection import Request, Selection, select
from automation.gates.settings import load_settings
from automation.gates.verdicts import GateReport
from automation.simulator import Simulator, freqtrade_overlay
from automation.simulator.rules import Rules
from automation.simulator.sources import open_market

DEFAULT_CONFIG = Path("configs/gate.yaml")
_LAYERS = ("base.json", "futures.json", "offline.json")
_SMOKE = BundleRequest(
    timerange="20240301-20240501",
    timeframes=("5m", "15m", "1h", "4h", "1d"),
    pairs=("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"),
    seed=1,
    lead_days=40,
)
Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What the user typed; see `freqfleet gate run --help`."""

    folder: Path
    bundle: Path | None = None
    config: Path | None = None
    ref: str | None = None
    with_base: bool = True
    is_all: bool = False
    is_smoke: bool = False
    names: Collection[str] = ()
    files: Collection[Path] = ()
    cache: Path | None = None
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)


async def run_gate(request: GateRequest, progress: Progress) -> GateReport:
    """Judge the strategies that a change can touch.

    Raises ConfigError where nothing can be judged (bundle, configuration, names), DependencyError
    where something outside failed.
    """
    report, _ = await _run(request, progress)
    tell_gate(report)
    return report


def list_touched(request: GateRequest) -> tuple[str, ...]:
    """Name the strategies that `run_gate` would judge; nothing is run, no bundle is needed."""
    with TemporaryDirectory(prefix="freqfleet-gate-") as name:
        repository, top = _checkout(request)
        settings = _settings(request, top)
        selection = _select(request, settings, repository, top, Path(name))
        return tuple(subject.name for subject in selection.subjects)


async def make_baseline(request: GateRequest, target: Path, progress: Progress) -> GateReport:
    """Judge everything as it stands, without a base, and keep the results at `target`."""
    asked = replace(request, with_base=False, is_all=True)
    report, cache = await _run(asked, progress)
    write_baseline(target, cache.used)
    return report


async def _run(request: GateRequest, progress: Progress) -> tuple[GateReport, Cache]:
    repository, top = _checkout(request)
    settings = _settings(request, top)
    cache = _cache(request, settings, top)
    with TemporaryDirectory(prefix="freqfleet-gate-") as name:
        scratch = Path(name)
        bundle = _open(request, settings, top, scratch)
        selection = _select(request, settings, repository, top, scratch)
        plan = _plan(request, settings, bundle)
        async with _bench(request, settings, bundle, cache, scratch) as bench:
            reports = await judge(selection.subjects, plan, bench, progress)
        return _report(selection, plan, bundle, bench, reports), cache


def _checkout(request: GateRequest) -> tuple[Repository | None, Path]:
    repository = find_repository(request.folder)
    return repository, repository.root if repository else request.folder.resolve()


def _select(
    request: GateRequest,
    settings: GateSettings,
    repository: Repository | None,
    top: Path,
    scratch: Path,
) -> Selection:
    measures = [
        path for path in (_file(request, top), _bundle_file(request, settings, top)) if path
    ]
    asked = Request(
        root=top,
        ref=request.ref,
        is_all=request.is_all,
        with_base=request.with_base,
        names=request.names,
        files=request.files,
        measures=measures,
    )
    layers = tuple(configs() / layer for layer in _LAYERS)
    return select(asked, settings, repository, scratch / "base", layers)


def _report(
    selection: Selection, plan: Plan, bundle: Bundle, bench: Bench, reports: Any
) -> GateReport:
    return GateReport(
        strategies=reports,
        bundle=bundle.address,
        timerange=bundle.manifest.timerange,
        pairs=bench.pairs,
        windows=plan.windows,
        base=selection.base,
        versions=bench.versions,
        notes=(*selection.notes, *_tier_notes(bundle), *_version_notes(bundle, bench.versions)),
    )


def _file(request: GateRequest, top: Path) -> Path | None:
    if request.config is not None:
        return request.config
    found = [path for path in (top / DEFAULT_CONFIG, top / "gate.yaml") if path.is_file()]
    return found[0] if found else None


def _settings(request: GateRequest, top: Path) -> GateSettings:
    file = _file(request, top)
    return GateSettings() if file is None else load_settings(file)


def _bundle_file(request: GateRequest, settings: GateSettings, top: Path) -> Path | None:
    if request.bundle is not None:
        return request.bundle
    return None if settings.bundle is None else top / settings.bundle


def _cache(request: GateRequest, settings: GateSettings, top: Path) -> Cache:
    stored: Mapping[str, Any] = {}
    if settings.baseline is not None and (top / settings.baseline).exists():
        stored = read_baseline(top / settings.baseline)
    return Cache(request.cache or home() / "gate" / "cache", stored)


def _open(request: GateRequest, settings: GateSettings, top: Path, scratch: Path) -> Bundle:
    path = _bundle_file(request, settings, top)
    if path is None or (request.is_smoke and request.bundle is None and not path.exists()):
        if not request.is_smoke:
            cure = "name one with --bundle, or make one with freqfleet gate bundle"
            raise ConfigError("there is no bundle to judge on", cure=cure)
        path = _smoke_bundle()
    return open_bundle(path, scratch / "data")


def _smoke_bundle() -> Path:
    """A synthetic market for smoke tests where there is no bundle; made once."""
    path = home() / "gate" / f"smoke-{_SMOKE.seed}.tar.zst"
    if not path.exists():
        make_bundle(_SMOKE, path)
    return path


def _plan(request: GateRequest, settings: GateSettings, bundle: Bundle) -> Plan:
    span = parse_timerange(bundle.manifest.timerange)
    assert span.start is not None
    assert span.end is not None
    plan = plan_smoke if request.is_smoke else plan_windows
    return plan(settings, to_ms(span.start), to_ms(span.end))


@asynccontextmanager
async def _bench(
    request: GateRequest, settings: GateSettings, bundle: Bundle, cache: Cache, scratch: Path
) -> AsyncIterator[Bench]:
    pairs = bundle.manifest.pairs
    bounds = Limits(settings.process.time_s, settings.process.memory_mb)
    environment = {"PYTHONPYCACHEPREFIX": str(home() / "gate" / "bytecode")}
    environment["PYTHONDONTWRITEBYTECODE"] = ""
    async with Simulator(_ruled(bundle)) as simulator:
        overlay = freqtrade_overlay(simulator.url, pairs)
        file = scratch / "overlay.json"
        file.write_bytes(orjson.dumps({**overlay, "datadir": str(bundle.data)}))
        yield Bench(
            data=bundle.data,
            address=bundle.address,
            pairs=pairs,
            timeframes=bundle.manifest.timeframes,
            overlay=file,
            backtester=FreqtradeBacktester(
                overlay, 1, environment, lambda pid: guarded(pid, bounds)
            ),
            settings=settings,
            cache=cache,
            versions=installed_versions(),
            import_paths=(strategies(),),
            environment=environment,
            scratch=scratch,
            slots=asyncio.Semaphore(request.workers),
        )


class _RuledMarket:
    """A replayed market whose instruments have the bundle's rules, whatever the data suggests."""

    def __init__(self, market: Any, rules: Mapping[str, Any]) -> None:
        self._market = market
        self.instruments = {
            symbol: replace(one, rules=Rules(**rules[one.pair])) if one.pair in rules else one
            for symbol, one in market.instruments.items()
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)


def _ruled(bundle: Bundle) -> Any:
    return _RuledMarket(open_market(bundle.data, bundle.manifest.pairs), bundle.rules)


def _tier_notes(bundle: Bundle) -> list[str]:
    """Freqtrade reads leverage tiers from its own package: say where they are not the bundle's."""
    now = installed_tiers(bundle.manifest.pairs)
    other = [pair for pair, tiers in bundle.tiers.items() if now.get(pair) != tiers]
    if not other:
        return []
    return [
        f"the installed Freqtrade has other leverage tiers for {', '.join(other)}; renew the bundle"
    ]


def _version_notes(bundle: Bundle, versions: Mapping[str, str]) -> list[str]:
    return [
        f"the bundle was made with {name} {made}, this is {versions.get(name, 'none')}"
        for name, made in bundle.manifest.versions.items()
        if versions.get(name) != made
    ]
