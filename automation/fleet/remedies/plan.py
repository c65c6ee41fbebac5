"""Which remedy a failing rung gets: the cheapest that was not tried, one at a time.

    api        restart · replace · quarantine          it hangs, or never came up
    running    reload · restart · replace · quarantine  Freqtrade stopped itself after an error
    loop       restart · replace · quarantine          a loop that hangs reads no order to reload
    candles    reload · restart · replace · quarantine
    signals    reload · restart · quarantine
    exchange   reload · restart                        this bot alone does not reach it
    orders     reload · halt                           then a person
    stops      halt · reload · restart                 an unprotected position: no new ones first
    database   halt · restart · replace · quarantine
    resources  halt · restart · quarantine             memory or files of its own

Login, clock and log get none: a person must see to them. A remedy has its time to work before the
next is tried. None is done while a dependency that could explain the rung is failing, and none that
reloads or ends the process between an order and its confirmation, unless that lasts too long. A
plan that is used up leaves the bot as it is, degraded, for a person. Pure; called by `decide`.
"""

from collections.abc import Mapping

from automation.core.model import (
    Action,
    ActionKind,
    Finding,
    FleetSnapshot,
    Health,
    UnitSnapshot,
)
from automation.core.vitals import Remedy, Rung
from automation.fleet.ladder.limits import Limits
from automation.fleet.remedies import breakers, budget

PLANS: Mapping[Rung, tuple[Remedy, ...]] = {
    Rung.API: (Remedy.RESTART, Remedy.REPLACE, Remedy.QUARANTINE),
    Rung.TRADER: (Remedy.RELOAD, Remedy.RESTART, Remedy.REPLACE, Remedy.QUARANTINE),
    Rung.LOOP: (Remedy.RESTART, Remedy.REPLACE, Remedy.QUARANTINE),
    Rung.CANDLES: (Remedy.RELOAD, Remedy.RESTART, Remedy.REPLACE, Remedy.QUARANTINE),
    Rung.SIGNALS: (Remedy.RELOAD, Remedy.RESTART, Remedy.QUARANTINE),
    Rung.EXCHANGE: (Remedy.RELOAD, Remedy.RESTART),
    Rung.ORDERS: (Remedy.RELOAD, Remedy.HALT),
    Rung.STOPS: (Remedy.HALT, Remedy.RELOAD, Remedy.RESTART),
    Rung.DATABASE: (Remedy.HALT, Remedy.RESTART, Remedy.REPLACE, Remedy.QUARANTINE),
    Rung.RESOURCES: (Remedy.HALT, Remedy.RESTART, Remedy.QUARANTINE),
}

KINDS: Mapping[Remedy, ActionKind] = {
    Remedy.RELOAD: ActionKind.RELOAD,
    Remedy.HALT: ActionKind.HALT,
    Remedy.RESTART: ActionKind.STOP,  # the rule for the dead starts it again
    Remedy.REPLACE: ActionKind.STOP,
    Remedy.QUARANTINE: ActionKind.QUARANTINE,
}

_DISTURBING = frozenset({Remedy.RELOAD, Remedy.RESTART, Remedy.REPLACE})
_COSTLY = frozenset({Remedy.RESTART, Remedy.REPLACE})


def prescribe(
    unit: UnitSnapshot, snapshot: FleetSnapshot, limits: Limits, now_s: float
) -> Action | None:
    """Tell what to do about a living bot's lowest rung that is due; None for nothing now."""
    finding = due(unit)
    if finding is None or unit.quarantine:
        return None
    remedy = following(unit, finding, limits, now_s)
    if remedy is None or breakers.explaining(finding.rung, snapshot.breakers):
        return None
    if remedy in _DISTURBING and is_amid_order(unit, finding, limits, now_s):
        return None
    if remedy in _COSTLY and budget.refusal(unit, snapshot, limits, now_s):
        return None
    reason = _reason(finding, unit)
    is_remedy = remedy in _COSTLY
    return Action(KINDS[remedy], unit.name, reason, is_remedy, remedy, finding.rung)


def due(unit: UnitSnapshot) -> Finding | None:
    """Find the lowest rung that calls for a remedy and has one."""
    for finding in unit.findings:
        if finding.is_due and finding.rung in PLANS:
            return finding
    return None


def following(unit: UnitSnapshot, finding: Finding, limits: Limits, now_s: float) -> Remedy | None:
    """Tell the next remedy of a rung; None while the last may still help, or none is left."""
    tried, memory = unit.remedy.tried, unit.remedy
    if memory.rung is not finding.rung:
        tried = ()
    elif tried and now_s - memory.at_s < _works_within_s(tried[-1], limits):
        return None
    left = [remedy for remedy in PLANS[finding.rung] if remedy not in tried]
    return left[0] if left else None


def is_amid_order(unit: UnitSnapshot, finding: Finding, limits: Limits, now_s: float) -> bool:
    """Tell whether the bot waits for an order's confirmation, and has not done so for too long."""
    return bool(unit.vitals.orders) and now_s - finding.since_s < limits.order_wait_s


def is_lifted(unit: UnitSnapshot) -> bool:
    """Tell whether nothing keeps the bot's entries stopped any more.

    A hold that needs no person ends once its rung is healthy again.
    """
    healthy = {str(f.rung) for f in unit.findings if f.health is Health.HEALTHY}
    return all(not hold.needs_person and hold.cause in healthy for hold in unit.holds)


def _works_within_s(remedy: Remedy, limits: Limits) -> float:
    return limits.restart_works_within_s if remedy in _COSTLY else limits.works_within_s


def _reason(finding: Finding, unit: UnitSnapshot) -> str:
    tried = unit.remedy.tried if unit.remedy.rung is finding.rung else ()
    said = f"{finding.rung}: {finding.evidence}"
    return f"{said}; {' and '.join(tried)} did not help" if tried else said
