"""Tells the fleet's journal what long work came to: a gate's verdict, a tuning that is done.

Written only where there is a fleet's journal already, for a gate in CI has none; a store that takes
nothing does not fail the work, whose result its caller has anyway. Called by `app.gates` and by
what runs a tuning.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import BaseModel, ValidationError

from automation.app.storage import has_journal, open_journal
from automation.core.errors import ConfigError, DependencyError
from automation.core.leash import TOLD_VARIABLE
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


def take_down(line: str) -> None:
    """Append what a command in a container told; what is none of the above is left out."""
    try:
        said = _Told.model_validate_json(line)
        facts = _OURS[said.kind].model_validate(said.facts)
    except (ValidationError, KeyError):
        structlog.get_logger("journal").warning("a job told what no job tells", line=line[:200])
        return
    _tell(said.kind, said.kind.partition(".")[0], facts)


class _Told(BaseModel):
    """One line of what a command in a container told."""

    kind: str
    facts: dict[str, Any]


_OURS: dict[str, type[Facts]] = {"gate.done": GateDone, "tuning.done": TuningDone}


def _tell(kind: str, source: str, facts: BaseModel) -> None:
    aside = os.environ.get(TOLD_VARIABLE)
    if aside is not None:  # in a container, where the journal is not to be seen
        line = _Told(kind=kind, facts=facts.model_dump(mode="json")).model_dump_json()
        with Path(aside).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        return
    folder = Home(home())
    if not has_journal(folder):
        return
    try:
        with open_journal(folder) as journal:
            journal.append(kind, actor=actor(), source=source, payload=facts)
    except (DependencyError, ConfigError) as error:
        log = structlog.get_logger("journal")
        log.warning("not written down", kind=kind, reason=str(error))
