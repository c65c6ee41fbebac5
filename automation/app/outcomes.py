"""Tells the fleet's journal what long work came to: a gate's verdict, a tuning that is done.

Written only where there is a fleet's journal already, for a gate in CI has none; a store that takes
nothing does not fail the work, whose result its caller has anyway. Called by `app.gates` and by
what runs a tuning.
"""

from typing import TYPE_CHECKING

import structlog
from pydantic import BaseModel

from automation.app.storage import has_journal, open_journal
from automation.core.errors import ConfigError, DependencyError
from automation.core.paths import home
from automation.fleet.commands import actor
from automation.fleet.home import Home
from automation.journal import Facts, define

if TYPE_CHECKING:
    from automation.gates.verdicts import GateReport, StrategyReport


class GateDone(Facts):
    """The gate judged a strategy."""

    strategy: str
    passed: bool
    verdict: str
    reason: str
    bundle: str


class TuningDone(Facts):
    """A tuning of a strategy is done."""

    strategy: str
    study: str
    trials: int
    took_s: float
    best: str
    """What was found, in a sentence."""


define("gate.done", GateDone, "The gate on {strategy}: {verdict}; {reason}")
define("tuning.done", TuningDone, "Tuning of {strategy} is done after {trials} trials: {best}")


def tell_gate(report: "GateReport") -> None:
    """Append the gate's verdict on each strategy."""
    for one in report.strategies:
        facts = GateDone(
            strategy=one.name,
            passed=one.verdict.value in {"pass", "changed, not worse"},
            verdict=one.verdict.value,
            reason=_reason(one),
            bundle=report.bundle,
        )
        _tell("gate.done", "gate", facts)


def tell_tuning(facts: TuningDone) -> None:
    """Append that a tuning is done."""
    _tell("tuning.done", "tuning", facts)


def _reason(report: "StrategyReport") -> str:
    failed = [f"{check.name}: {check.sentence}" for check in report.reasons]
    return "; ".join(failed)[:500] or "every check passed"


def _tell(kind: str, source: str, facts: BaseModel) -> None:
    folder = Home(home())
    if not has_journal(folder):
        return
    try:
        with open_journal(folder) as journal:
            journal.append(kind, actor=actor(), source=source, payload=facts)
    except (DependencyError, ConfigError) as error:
        log = structlog.get_logger("journal")
        log.warning("not written down", kind=kind, reason=str(error))
