"""Judges every selected strategy: which questions are asked, in which order, and what follows.

One strategy that does not load, runs for ever or eats memory is named and fails; the others are
judged all the same. Refuses to know processes and files. Called by `app`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from automation.core.clock import from_ms
from automation.core.errors import ConfigError, DependencyError, FreqfleetError
from automation.gates import judgement
from automation.gates.bench import Answers, Bench, plan_ranges
from automation.gates.comparison import compare
from automation.gates.config import CheckName, GateSettings
from automation.gates.figures import figures
from automation.gates.limits import LimitExceeded
from automation.gates.places import line_of
from automation.gates.results import WindowResult
from automation.gates.selection import Side, Subject
from automation.gates.verdicts import CHECKS, Check, Place, Status, StrategyReport

Progress = Callable[[str, str], None]
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows, and how much is asked: a smoke test loads, truncates and backtests once."""

    windows: tuple[str, ...]
    truncation_range: str
    is_smoke: bool = False


async def judge(
    subjects: Sequence[Subject], plan: Plan, bench: Bench, progress: Progress
) -> tuple[StrategyReport, ...]:
    """Judge all subjects, several at a time, and answer in their order."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_Judge(subject, plan, bench, progress).judge())
            for subject in subjects
        ]
    return tuple(task.result() for task in tasks)


@dataclass(frozen=True, slots=True)
class _Judge:
    subject: Subject
    plan: Plan
    bench: Bench
    progress: Progress

    async def judge(self) -> StrategyReport:
        subject, settings = self.subject, self.bench.settings
        source = subject.new.source
        if source.fault is not None:
            self._tell("does not load")
            return self._report([self._failed("loads", source.fault)])
        checks: list[Check] = []
        if self._wants("loads", "truncation", "recursive"):
            self._tell("loading, truncation, recursive analysis")
            answers = await self._inspect()
            checks, loaded = self._loading(answers)
            if loaded is None:
                self._tell("does not load")
                return self._report(checks)
            if loaded["timeframe"] not in self.bench.timeframes:
                self._tell("not judged")
                return self._report([*checks, self._without_candles(loaded["timeframe"])])
            checks += self._inspected(answers, loaded)
        self._tell("backtesting")
        try:
            new = await self._windows(subject.new)
        except FreqfleetError as error:
            self._tell("does not run")
            return self._report([*checks, self._not_run(error)])
        checks.append(Check("runs", Status.PASS, f"{len(new)} windows"))
        found = figures(new)
        checks += judgement.judge_limits(found, settings.limits_of(subject.name))
        report = StrategyReport(
            subject.name, str(subject.path), (), figures=found, windows=tuple(new)
        )
        async with asyncio.TaskGroup() as group:
            compared = group.create_task(self._compare(report, checks))
            if not self.plan.is_smoke and self._wants("look-ahead") and found.trades:
                group.create_task(self._look_ahead(new, checks))
        report = replace(compared.result(), checks=self._kept(checks))
        self._tell(str(report.verdict))
        return report

    async def _inspect(self) -> Answers:
        settings = self.bench.settings
        truncation = settings.truncation if self._wants("truncation") else None
        recursive = self._wants("recursive") and not self.plan.is_smoke
        return await self.bench.inspect(
            self.subject.new, self.plan.truncation_range, truncation, recursive
        )

    def _loading(self, answers: Answers) -> tuple[list[Check], dict[str, Any] | None]:
        loaded = answers.one("load")
        if loaded is None:
            return [self._failed("loads", answers.fault or "it told nothing")], None
        if "error" in loaded:
            return [self._failed("loads", loaded["error"])], None
        sentence = f"{loaded['timeframe']} candles, {loaded['startup_candles']} to start up"
        return [Check("loads", Status.PASS, sentence)], loaded

    def _inspected(self, answers: Answers, loaded: dict[str, Any]) -> list[Check]:
        checks, settings = [], self.bench.settings
        if self._wants("truncation"):
            answer = answers.one("truncation")
            columns = [str(one["column"]) for one in (answer or {"findings": ()})["findings"]]
            places = self._places(columns, "changes when later candles are taken away")
            checks.append(judgement.judge_truncation(answer, answers.fault, places))
        if self._wants("recursive") and not self.plan.is_smoke:
            startup = loaded["startup_candles"]
            answer = answers.one("recursive")
            checks.append(
                judgement.judge_recursion(answer, answers.fault, settings.recursive, startup)
            )
        return checks

    async def _windows(self, side: Side) -> list[WindowResult]:
        """Backtest every window; the first that fails ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self.bench.backtest(side, window))
                    for window in self.plan.windows
                ]
        except* FreqfleetError as failures:
            raise _first(failures) from None
        return [task.result() for task in tasks]

    async def _compare(self, report: StrategyReport, checks: list[Check]) -> StrategyReport:
        subject, settings = self.subject, self.bench.settings
        if subject.base is None or self.plan.is_smoke or not self._wants("comparison", "stops"):
            if subject.base_refused and not self.plan.is_smoke:
                checks.append(Check("comparison", Status.NOT_JUDGED, subject.base_note))
            return replace(report, base_note=subject.base_note)
        self._tell("comparing with the base")
        try:
            base = await self._windows(subject.base)
        except DependencyError as error:
            if not isinstance(error, LimitExceeded):
                checks.append(Check("comparison", Status.NOT_JUDGED, f"the base: {error}"))
            return replace(report, base_note=f"the base does not run: {error}")
        except ConfigError as error:
            return replace(report, base_note=f"the base does not run: {error}")
        before = figures(base)
        made = await asyncio.to_thread(compare, base, report.windows, settings.comparison)
        checks.append(judgement.judge_comparison(made))
        assert report.figures is not None
        checks.append(judgement.judge_stops(before, report.figures, settings.comparison))
        return replace(
            report,
            base_figures=before,
            comparison=made,
            base_windows=tuple(base),
            base_note=subject.base_note,
        )

    async def _look_ahead(self, results: Sequence[WindowResult], checks: list[Check]) -> None:
        self._tell("look-ahead analysis")
        settings = self.bench.settings.lookahead
        ranges = plan_ranges(results, settings.trades)
        answers = await self.bench.look_ahead(self.subject.new, ranges)
        found = answers.of("lookahead")
        columns = sorted({name for one in found for name in one.get("columns", ())})
        entries = any(one.get("entries") for one in found)
        exits = any(one.get("exits") for one in found)
        if not columns:
            columns = ["enter_long"] * entries + ["exit_long"] * (exits and not entries)
        places = self._places(columns, "uses later candles")
        checks.append(judgement.judge_lookahead(found, answers.fault, settings, places))

    def _places(self, columns: Sequence[str], what: str) -> list[Place]:
        source, shown = self.subject.new.source, str(self.subject.path)
        return [
            Place(shown, line_of(column, source.name, source.path), f"{column} {what}")
            for column in columns
        ]

    def _failed(self, name: CheckName, sentence: str) -> Check:
        told = self._from_the_repository(sentence)
        place = Place(str(self.subject.path), 1, told)
        return Check(name, Status.FAIL, told, (place,))

    def _from_the_repository(self, sentence: str) -> str:
        """Leave out where the repository is on this machine: equal runs write equal reports."""
        whole = str(self.subject.new.source.path)
        return sentence.replace(whole.removesuffix(str(self.subject.path)), "")

    def _not_run(self, error: FreqfleetError) -> Check:
        """The strategy's own fault fails it; a full disk or a missing program is not judged."""
        if isinstance(error, ConfigError | LimitExceeded):
            return self._failed("runs", str(error))
        return Check("runs", Status.NOT_JUDGED, str(error))

    def _without_candles(self, timeframe: str) -> Check:
        there = ", ".join(self.bench.timeframes)
        sentence = (
            f"the bundle has no {timeframe} candles, only {there}; renew it with --timeframes"
        )
        return Check("runs", Status.NOT_JUDGED, sentence)

    def _wants(self, *names: CheckName) -> bool:
        return any(name not in self.bench.settings.without for name in names)

    def _kept(self, checks: Sequence[Check]) -> tuple[Check, ...]:
        """Drop what is left out, and order the rest as they are named."""
        kept = [check for check in checks if self._wants(check.name)]
        return tuple(sorted(kept, key=lambda check: CHECKS.index(check.name)))

    def _report(self, checks: Sequence[Check]) -> StrategyReport:
        return StrategyReport(
            self.subject.name,
            str(self.subject.path),
            self._kept(checks),
            base_note=self.subject.base_note,
        )

    def _tell(self, stage: str) -> None:
        self.progress(self.subject.name, stage)


def _first(failures: BaseExceptionGroup[FreqfleetError]) -> FreqfleetError:
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, FreqfleetError)
    return found


def plan_windows(settings: GateSettings, start_ms: int, end_ms: int) -> Plan:
    """Split a bundle's range into windows of whole days, or take those of the configuration.

    Raises ConfigError for windows outside the bundle.
    """
    if isinstance(settings.windows, int):
        windows = _split(start_ms, end_ms, settings.windows)
    else:
        windows = settings.windows
        for window in windows:
            first, last = window.split("-")
            if first < f"{from_ms(start_ms):%Y%m%d}" or last > f"{from_ms(end_ms):%Y%m%d}":
                raise ConfigError(
                    f"window {window} is outside the bundle's range",
                    where="windows",
                    cure=f"it has {_range(start_ms, end_ms)}",
                )
    return Plan(windows, _last_days(start_ms, end_ms, settings.truncation.days))


def plan_smoke(settings: GateSettings, start_ms: int, end_ms: int) -> Plan:
    """One window: the last thirty days."""
    days = _last_days(start_ms, end_ms, settings.truncation.days)
    return Plan((_last_days(start_ms, end_ms, 30),), days, is_smoke=True)


def _split(start_ms: int, end_ms: int, count: int) -> tuple[str, ...]:
    days = (end_ms - start_ms) // _DAY_MS
    if days < count:
        raise ConfigError(f"the bundle's {days} days are too few for {count} windows")
    edges = [start_ms + days * number // count * _DAY_MS for number in range(count + 1)]
    return tuple(_range(low, high) for low, high in pairwise(edges))


def _last_days(start_ms: int, end_ms: int, days: int) -> str:
    return _range(max(start_ms, end_ms - days * _DAY_MS), end_ms)


def _range(start_ms: int, end_ms: int) -> str:
    return f"{from_ms(start_ms):%Y%m%d}-{from_ms(end_ms):%Y%m%d}"
