"""Runs `freqtrade backtesting`, one process a strategy, in a private folder that leaves nothing.

It refuses to know what serves the exchange: it is given the configuration overlay that points
there. Called by `app`; gates and tuning reach it through the seam `core.backtests.Backtester`.
"""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from automation.backtest.failure import explain
from automation.backtest.result import keep_result, outcome, read_result
from automation.backtest.source import StrategyFile, find_strategy
from automation.core.backtests import BacktestJob, Guard, Progress, StrategyOutcome
from automation.core.errors import DependencyError
from automation.core.paths import strategies
from automation.core.processes import dies_with_parent

_STAGES = (
    (re.compile(r"Starting freqtrade in backtesting"), "starting"),
    (re.compile(r"tradekit\.base - WARNING - \w+: (no entry on candles from .+)"), r"\1"),
    (re.compile(r"Loading data from"), "loading candles"),
    (re.compile(r"Dataload complete"), "computing indicators"),
    (re.compile(r"Backtesting with data from"), "backtesting"),
    (re.compile(r"Result for strategy|BACKTESTING REPORT"), "counting"),
)


@dataclass(frozen=True, slots=True)
class FreqtradeBacktester:
    """A `Backtester` that runs the installed `freqtrade` against the exchange in `overlay`.

    `parallel` bounds the processes at one time, `guard` watches each of them; `environment` is laid
    over the caller's.
    """

    overlay: Mapping[str, Any]
    parallel: int = max(1, os.cpu_count() or 1)
    environment: Mapping[str, str] = field(default_factory=dict)
    guard: Guard | None = None

    async def run(
        self, job: BacktestJob, progress: Progress | None = None
    ) -> tuple[StrategyOutcome, ...]:
        """Run every strategy of the job and answer in its order.

        A strategy that fails ends the job: the others are stopped, nothing is kept. Raises
        ConfigError (the strategy or a configuration is wrong) or DependencyError.
        """
        folder = job.strategy_path or strategies()
        sources = [find_strategy(name, folder) for name in job.strategies]
        slots = asyncio.Semaphore(self.parallel)
        with _private_folder() as scratch:
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(self._one(job, source, Path(scratch), slots, progress))
                        for source in sources
                    ]
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None
            kept = [task.result() for task in tasks]
            return tuple(
                outcome(figures, keep_result(archive, figures, job.results))
                for archive, figures in kept
            )

    async def _one(
        self,
        job: BacktestJob,
        source: StrategyFile,
        scratch: Path,
        slots: asyncio.Semaphore,
        progress: Progress | None,
    ) -> tuple[Path, dict[str, Any]]:
        async with slots:
            place = scratch / source.name
            (place / "results").mkdir(parents=True)
            overlay = place / "overlay.json"
            overlay.write_bytes(orjson.dumps({**self.overlay, "datadir": str(job.data)}))
            command = _command(job, source, overlay, place)
            environment = {**_environment(job), **self.environment}
            lines = await _watch(command, environment, source, progress, self.guard)
        if lines.code != 0 or not any((place / "results").glob("*.zip")):
            # Freqtrade ends with code 0 after some complaints about the configuration.
            raise explain(source.name, source.path, lines.code, lines.text)
        return read_result(place / "results", source.name)


@dataclass(frozen=True, slots=True)
class _Output:
    code: int
    text: list[str]


def _private_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="freqfleet-")
    except OSError as error:
        raise DependencyError(
            f"no temporary folder can be made: {error}", cure="free disk space or set TMPDIR"
        ) from None


def _command(job: BacktestJob, source: StrategyFile, overlay: Path, place: Path) -> list[str]:
    configs = [argument for path in (*job.configs, overlay) for argument in ("-c", str(path))]
    pairs = ["--pairs", *job.pairs] if job.pairs else []
    return [
        *(sys.executable, "-m", "freqtrade", "backtesting", *configs),
        *("--strategy", source.name, "--strategy-path", str(source.path.parent)),
        *("--userdir", str(place), "--datadir", str(job.data), "--timerange", job.timerange),
        *("--backtest-directory", str(place / "results"), "--export", "trades"),
        *("--cache", "none", "--no-color", *job.arguments, *pairs),
    ]


def _environment(job: BacktestJob) -> dict[str, str]:
    """The caller's environment, with the pack importable and its Freqtrade settings left out.

    FREQTRADE__ variables would change the configuration behind the job's back. Modules beside the
    strategies come first, so that another checkout runs with its own kit.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FREQTRADE__")}
    beside = [str(job.strategy_path.resolve())] if job.strategy_path is not None else []
    paths = [*beside, str(strategies()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "10000", "TZ": "UTC"}


async def _watch(
    command: list[str],
    environment: Mapping[str, str],
    source: StrategyFile,
    progress: Progress | None,
    guard: Guard | None,
) -> _Output:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=dies_with_parent(),
        limit=1 << 20,
    )
    lines: list[str] = []
    reached = ""
    try:
        assert process.stdout is not None
        async with guard(process.pid) if guard else nullcontext():
            async for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                lines.append(line)
                found = ((pattern.search(line), stage) for pattern, stage in _STAGES)
                stage = next((match.expand(stage) for match, stage in found if match), reached)
                if progress is not None and stage != reached:
                    progress(source.name, stage)
                reached = stage
            code = await process.wait()
        return _Output(code, lines)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no process behind, however this run ends."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
