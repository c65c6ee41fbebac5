"""Rehearses what a bot shall run before it may: loading, truncation, a short backtest.

The gate's own checks on a synthetic market, with the bot's layers, in processes of their own that
are bounded in time and memory. What was judged once is not judged again, so that ten bots of one
strategy cost one rehearsal. Called by `rehearsal_job`, and by the command that it runs in containers.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from pydantic import ValidationError

from automation.app.rehearsal_job import LONGEST, PAIRS, read_asked, settled
from automation.backtest import FreqtradeBacktester, find_strategy
from automation.core.clock import to_ms
from automation.core.errors import ConfigError, Refusal
from automation.core.freqtradejson import read_layers
from automation.core.paths import configs, home
from automation.fleet.lifecycle.changes import Rehearsal
from automation.gates.bench import Bench
from automation.gates.cache import Cache, installed_versions
from automation.gates.config import GateSettings
from automation.gates.limits import Limits, guarded
from automation.gates.run import judge, plan_smoke
from automation.gates.selection import Side, Subject
from automation.gates.sources import find_sources
from automation.gates.verdicts import CHECKS, Status
from automation.simulator import Simulator, freqtrade_overlay, open_market, write_data_folder

TIMEFRAMES = ("5m", "15m", "1h", "4h", "1d")
FIRST, LAST = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 4, 11, tzinfo=UTC)
BEGIN = datetime(2024, 3, 11, tzinfo=UTC)  # the judged month; what lies before is for start-up
_ASKED = ("loads", "truncation", "runs")


async def rehearse(asked: Rehearsal) -> Refusal | None:
    """Try it; a Refusal says why it may not fly.

    Raises DependencyError where something outside failed.
    """
    with TemporaryDirectory(prefix="freqfleet-rehearsal-") as name:
        scratch = Path(name)
        layers = _layers(asked, scratch / "layers")
        try:
            timeframe = _timeframe(asked, layers)
            subject = _subject(asked, layers)
        except ConfigError as error:  # it is not even Python
            return Refusal(str(error))
        if subject is None:
            return Refusal(f"no strategy {asked.bot.strategy} in {asked.strategies}")
        async with _bench(asked, timeframe, scratch) as bench:
            plan = plan_smoke(bench.settings, to_ms(BEGIN), to_ms(LAST))
            (report,) = await judge([subject], plan, bench, lambda _name, _stage: None)
    wrong = [check for check in report.reasons if check.status in (Status.FAIL, Status.NOT_JUDGED)]
    if not wrong:
        return None
    return Refusal("; ".join(f"{check.name}: {check.sentence}" for check in wrong)[:LONGEST])


async def answer(file: Path) -> Refusal | None:
    """Try what `rehearsal_job` handed to a container.

    Raises ConfigError for a file that is none of its, DependencyError as `rehearse`.
    """
    try:
        asked = read_asked(file)
    except (OSError, ValidationError) as error:
        raise ConfigError(f"is no rehearsal: {error}", where=str(file)) from None
    return await rehearse(asked)


def _layers(asked: Rehearsal, folder: Path) -> tuple[Path, ...]:
    """Lay the bot's settings over the pack's for backtests."""
    folder.mkdir()
    file = folder / "bot.json"
    file.write_bytes(orjson.dumps(settled(asked)))
    return (file, configs() / "offline.json")


def _timeframe(asked: Rehearsal, layers: tuple[Path, ...]) -> str | None:
    said = asked.bot.timeframe or read_layers(layers).get("timeframe")
    if said:
        return str(said)
    return find_strategy(asked.bot.strategy, asked.strategies).timeframe


def _subject(asked: Rehearsal, layers: tuple[Path, ...]) -> Subject | None:
    sources = {source.name: source for source in find_sources(asked.strategies)}
    own = sources.get(asked.bot.strategy)
    if own is None:  # a file that is not Python is listed under its own name
        broken = [one for one in sources.values() if one.fault is not None]
        own = broken[0] if broken else None
    if own is None:
        return None
    digest = hashlib.sha256(own.fingerprint.encode())
    for layer in layers:
        digest.update(layer.read_bytes())
    name = own.path.relative_to(asked.strategies)
    return Subject(own.name, name, Side(own, layers, digest.hexdigest()), None)


def _market(timeframe: str | None) -> tuple[Path, tuple[str, ...]]:
    """Make the synthetic market once for each set of timeframes."""
    timeframes = tuple(dict.fromkeys((*TIMEFRAMES, *([timeframe] if timeframe else []))))
    folder = home() / "rehearsal" / "-".join(timeframes)
    if not (folder / "whole").exists():
        write_data_folder(folder, PAIRS, timeframes, FIRST, LAST)
        (folder / "whole").touch()
    return folder, timeframes


@asynccontextmanager
async def _bench(asked: Rehearsal, timeframe: str | None, scratch: Path) -> AsyncIterator[Bench]:
    settings = GateSettings(without=tuple(name for name in CHECKS if name not in _ASKED))
    data, timeframes = await asyncio.to_thread(_market, timeframe)
    bounds = Limits(settings.process.time_s, settings.process.memory_mb)
    environment: dict[str, Any] = {"PYTHONDONTWRITEBYTECODE": "1"}
    async with Simulator(open_market(data)) as simulator:
        overlay = freqtrade_overlay(simulator.url, PAIRS)
        file = scratch / "overlay.json"
        file.write_bytes(orjson.dumps({**overlay, "datadir": str(data)}))
        yield Bench(
            data=data,
            address=f"rehearsal-{'-'.join(timeframes)}",
            pairs=PAIRS,
            timeframes=timeframes,
            overlay=file,
            backtester=FreqtradeBacktester(
                overlay, 1, environment, lambda pid: guarded(pid, bounds)
            ),
            settings=settings,
            cache=Cache(home() / "rehearsal" / "cache", {}),
            versions=installed_versions(),
            import_paths=(asked.strategies,),
            environment=environment,
            scratch=scratch,
            slots=asyncio.Semaphore(1),
        )
