"""The words of an answer: checks and their statuses, a verdict per strategy, the whole report.

Plain values without behaviour but for what follows from them. Made by `judgement` and `run`, read
by every report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from automation.gates.comparison import Comparison
from automation.gates.config import CheckName
from automation.gates.figures import Figures
from automation.gates.results import WindowResult

CHECKS: tuple[CheckName, ...] = get_args(CheckName)


class Status(StrEnum):
    """What became of one check."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_JUDGED = "not judged"
    OFF = "off"


class Verdict(StrEnum):
    """What became of one strategy."""

    PASS = "pass"  # noqa: S105
    CHANGED = "changed, not worse"
    NOT_JUDGED = "not judged"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the sources a finding is; `path` is relative to the repository."""

    path: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one strategy, with its reason in a sentence."""

    name: CheckName
    status: Status
    sentence: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class StrategyReport:
    """Everything that is said of one strategy."""

    name: str
    path: str
    checks: tuple[Check, ...]
    figures: Figures | None = None
    base_figures: Figures | None = None
    comparison: Comparison | None = None
    windows: tuple[WindowResult, ...] = ()
    base_windows: tuple[WindowResult, ...] = ()
    base_note: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of its checks; a pass that changed outcomes says so."""
        statuses = {check.status for check in self.checks}
        if Status.FAIL in statuses:
            return Verdict.FAIL
        if Status.NOT_JUDGED in statuses:
            return Verdict.NOT_JUDGED
        changed = self.comparison is not None and not self.comparison.is_identical
        return Verdict.CHANGED if changed else Verdict.PASS

    @property
    def reasons(self) -> tuple[Check, ...]:
        """The checks that kept it from passing: failures first."""
        order = {Status.FAIL: 0, Status.NOT_JUDGED: 1}
        kept = [check for check in self.checks if check.status in order]
        return tuple(sorted(kept, key=lambda check: order[check.status]))


@dataclass(frozen=True, slots=True)
class GateReport:
    """One run of the gate."""

    strategies: tuple[StrategyReport, ...]
    bundle: str
    timerange: str
    pairs: tuple[str, ...]
    windows: tuple[str, ...]
    base: str
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every strategy passed; what was not judged has not."""
        good = {Verdict.PASS, Verdict.CHANGED}
        return all(one.verdict in good for one in self.strategies)

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        if not self.strategies:
            return "pass: no strategy is touched by the change"
        counts = dict.fromkeys(Verdict, 0)
        for one in self.strategies:
            counts[one.verdict] += 1
        parts = [f"{count} {verdict}" for verdict, count in counts.items() if count]
        return f"{'pass' if self.passed else 'fail'}: {', '.join(parts)}"
