"""Where strategies are put to the test: data, exchange, processes, cache, all in one place.

Decides how each question is asked (a backtest over a window, the checks that need Freqtrade) and
under which key its answer is kept. Refuses to know what a good answer is. Built by `app`, used by
`run`.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from automation.core.backtests import Backtester, BacktestJob
from automation.core.clock import from_ms
from automation.gates import limits
from automation.gates.cache import Cache, key_of
from automation.gates.config import GateSettings, TruncationSettings
from automation.gates.figures import DAY_MS
from automation.gates.results import WindowResult, from_document, reduce_outcome, to_document
from automation.gates.selection import Side

_WORKER = "automation.worker.checks"
_CODE = {
    "checks": Path(__file__).parents[1] / "worker" / "checks.py",
    "window": Path(__file__).with_name("results.py"),
}
_PARTS = 3
_RESERVE = 1.3  # trades cut off by the end of a range are not examined


@dataclass(frozen=True, slots=True)
class Answers:
    """What a process of checks told before it ended; `fault` says why it ended early, if it did."""

    lines: tuple[dict[str, Any], ...]
    fault: str = ""

    def of(self, stage: str) -> list[dict[str, Any]]:
        """Give the answers of one stage."""
        return [line for line in self.lines if line["stage"] == stage]

    def one(self, stage: str) -> dict[str, Any] | None:
        """Give the answer of a stage that answers once; None if it did not get there."""
        return next(iter(self.of(stage)), None)


@dataclass(frozen=True, slots=True)
class Range:
    """A range for lookahead-analysis, and how many trades it should examine there."""

    timerange: str
    trades: int


@dataclass(frozen=True, slots=True)
class Bench:
    """One unpacked bundle with an exchange in front of it.

    `overlay` is the last configuration layer of every run and points at the exchange; `slots`
    bounds the processes at one time.
    """

    data: Path
    address: str
    pairs: tuple[str, ...]
    timeframes: tuple[str, ...]
    overlay: Path
    backtester: Backtester
    settings: GateSettings
    cache: Cache
    versions: Mapping[str, str]
    import_paths: tuple[Path, ...]
    environment: Mapping[str, str]
    scratch: Path
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1))

    async def backtest(self, side: Side, window: str) -> WindowResult:
        """Backtest one version over one window, or take the answer from the cache.

        Raises FreqfleetError where the strategy does not run.
        """
        key = self._key("window", side, {"window": window, "arguments": self.settings.arguments})
        stored = self.cache.get(key)
        if stored is not None:
            return from_document(stored)
        job = BacktestJob(
            strategies=(side.source.name,),
            data=self.data,
            timerange=window,
            pairs=self.pairs,
            results=self._folder(),
            configs=side.configs,
            strategy_path=side.source.folder,
            arguments=self.settings.arguments,
        )
        async with self.slots:
            (outcome,) = await self.backtester.run(job)
        result = reduce_outcome(window, outcome)
        self.cache.put(key, to_document(result))
        return result

    async def inspect(
        self, side: Side, timerange: str, truncation: TruncationSettings | None, recursive: bool
    ) -> Answers:
        """Load a strategy, try truncation, and run recursive-analysis in one process."""
        cuts = 0 if truncation is None else truncation.cuts
        pairs = self.pairs[: 1 if truncation is None else truncation.pairs]
        asked: dict[str, Any] = {
            "truncation": {"timerange": timerange, "pairs": pairs, "cuts": cuts, "seed": 1}
        }
        if recursive:
            asked["recursive"] = {"timerange": timerange}
        return await self._check(side, asked, self.settings.process)

    async def look_ahead(self, side: Side, windows: Sequence[Sequence[Range]]) -> Answers:
        """Run lookahead-analysis over the ranges of several windows, a process a window."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look_ahead(side, one)) for one in windows]
        answers = [task.result() for task in tasks]
        lines = tuple(line for one in answers for line in one.lines)
        return Answers(lines, next((one.fault for one in answers if one.fault), ""))

    async def _look_ahead(self, side: Side, ranges: Sequence[Range]) -> Answers:
        asked = {
            "lookahead": [{"timerange": one.timerange, "trades": one.trades} for one in ranges]
        }
        return await self._check(side, asked, self.settings.lookahead)

    async def _check(self, side: Side, asked: dict[str, Any], bounds: Any) -> Answers:
        key = self._key("checks", side, asked)
        stored = self.cache.get(key)
        if stored is not None:
            return Answers(tuple(stored["lines"]))
        async with self.slots:
            answers = await self._run_checks(side, asked, bounds)
        if not answers.fault:
            self.cache.put(key, {"lines": list(answers.lines)})
        return answers

    async def _run_checks(self, side: Side, asked: dict[str, Any], bounds: Any) -> Answers:
        folder = self._folder()
        request, told = folder / "request.json", folder / "answers.jsonl"
        request.write_bytes(orjson.dumps({**self._request(side, folder), **asked}))
        command = limits.Command(
            argv=(sys.executable, "-m", _WORKER, str(request), str(told)),
            environment=self._environment(side),
            folder=folder,
            limits=limits.Limits(bounds.time_s, bounds.memory_mb),
        )
        fault = ""
        try:
            output = await limits.run(command)
        except limits.LimitExceeded as error:
            fault = str(error)
        else:
            if output.code != 0:
                fault = _last_words(output)
        lines = told.read_bytes().splitlines() if told.exists() else []
        return Answers(tuple(orjson.loads(line) for line in lines), fault)

    def _request(self, side: Side, folder: Path) -> dict[str, Any]:
        return {
            "strategy": side.source.name,
            "file": str(side.source.path),
            "folder": str(side.source.folder),
            "configs": [str(path) for path in (*side.configs, self.overlay)],
            "data": str(self.data),
            "userdir": str(folder),
            "pairs": self.pairs,
        }

    def _environment(self, side: Side) -> dict[str, str]:
        """The caller's, without FREQTRADE__ settings; modules beside the strategy come first."""
        kept = {key: value for key, value in os.environ.items() if "FREQTRADE__" not in key}
        paths = [str(path) for path in (side.source.folder.resolve(), *self.import_paths)]
        paths += filter(None, [os.environ.get("PYTHONPATH")])
        fixed = {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "160", "TZ": "UTC"}
        return {**kept, **self.environment, **fixed}

    def _key(self, kind: str, side: Side, asked: Mapping[str, Any]) -> str:
        question = {
            "strategy": side.source.name,
            "code": side.key,
            "bundle": self.address,
            "pairs": self.pairs,
            "versions": dict(self.versions),
            "asked": asked,
            "by": code_of(kind),
        }
        return key_of(kind, question)

    def _folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.scratch))


@lru_cache
def code_of(kind: str) -> str:
    """Hash the code that makes answers of one kind: where it changes, kept answers are not its own."""
    return hashlib.sha256(_CODE[kind].read_bytes()).hexdigest()


def _last_words(output: limits.Output) -> str:
    """Say how a process ended that was not stopped: its exception, or its exit code."""
    if output.code < 0:
        return f"it was killed by signal {-output.code}"
    spoken = [line.strip() for line in output.lines if line.strip()]
    return spoken[-1] if spoken else f"it ended with exit code {output.code}"


def plan_ranges(results: Sequence[WindowResult], trades: int) -> tuple[tuple[Range, ...], ...]:
    """Spread `trades` over the windows, and over three parts of each; one tuple a window.

    The analysis examines the earliest trades of a range and backtests it anew from its beginning
    for each of them: many short ranges see more of the data, and cost less, than few long ones.
    """
    share = -(-trades // (len(results) * _PARTS))
    return tuple(tuple(_parts(result, share)) for result in results if len(result.trades))


def _parts(result: WindowResult, share: int) -> Iterator[Range]:
    """In each part of a window, the first whole days that hold `share` trades and a reserve."""
    opens, closes = np.array(result.trades.open_ms), np.array(result.trades.close_ms)
    length = result.end_ms - result.start_ms
    edges = [_midnight(result.start_ms + length * part // _PARTS) for part in range(_PARTS + 1)]
    for start, end in pairwise((*edges[:-1], result.end_ms)):
        inside = np.sort(closes[(opens >= start) & (closes < end)])
        if not len(inside):
            continue
        wanted = int(share * _RESERVE)
        last = int(inside[wanted]) + DAY_MS if wanted < len(inside) else end
        stop = f"{from_ms(min(last, end)):%Y%m%d}"
        yield Range(f"{from_ms(start):%Y%m%d}-{stop}", share)


def _midnight(instant_ms: int) -> int:
    return -(-instant_ms // DAY_MS) * DAY_MS
