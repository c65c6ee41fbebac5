"""What is believed of each rung: hysteresis, so that health neither flickers nor flaps.

A rung that turns bad is believed after its confirmation time, one that turns good at once, unless
it has turned often lately: then it must stay good for 30 s, and twice that for each further turn.
Pure; one memory for one process of a bot. Called by the observer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from automation.core.model import Finding, Health
from automation.core.vitals import Rung
from automation.fleet.ladder.limits import Limits

_ORDER = {Health.HEALTHY: 0, Health.UNKNOWN: 0, Health.DEGRADED: 1, Health.UNHEALTHY: 2}


@dataclass(frozen=True, slots=True)
class Believed:
    """What is believed of one rung, and what would change that."""

    finding: Finding
    differs_s: float | None = None  # since when what is seen is better or worse than believed
    turns_s: tuple[float, ...] = ()  # when belief turned between good and bad lately


Beliefs = Mapping[Rung, Believed]


def settle(
    beliefs: Beliefs, seen: tuple[Finding, ...], limits: Limits, now_s: float
) -> dict[Rung, Believed]:
    """Fold one look into what is believed."""
    return {f.rung: _settle_one(beliefs.get(f.rung), f, limits, now_s) for f in seen}


def ladder_of(beliefs: Beliefs) -> tuple[Finding, ...]:
    """Tell the ladder as it is believed to be, from the ground up."""
    return tuple(beliefs[rung].finding for rung in Rung if rung in beliefs)


def _settle_one(was: Believed | None, seen: Finding, limits: Limits, now_s: float) -> Believed:
    if was is None:
        held_s = limits.confirm_s.get(seen.rung, 0.0)
        if held_s and _is_bad(seen):
            good = replace(seen, health=Health.UNKNOWN, is_due=False, since_s=now_s)
            return Believed(good, differs_s=now_s)
        return Believed(replace(seen, since_s=now_s))
    if seen.health is was.finding.health:
        kept = replace(seen, since_s=was.finding.since_s)
        return replace(was, finding=kept, differs_s=None)
    if _ORDER[seen.health] == _ORDER[was.finding.health]:  # between healthy and not judged
        return replace(was, finding=replace(seen, since_s=now_s), differs_s=None)
    differs_s = now_s if was.differs_s is None else was.differs_s
    if now_s - differs_s < _wait_s(was, seen, limits, now_s):
        return replace(was, differs_s=differs_s)
    return _turn(was, seen, limits, now_s)


def _turn(was: Believed, seen: Finding, limits: Limits, now_s: float) -> Believed:
    turns = _recent(was, limits, now_s)
    if _is_bad(seen) != _is_bad(was.finding):
        turns = (*turns, now_s)
    return Believed(replace(seen, since_s=now_s), None, turns)


def _wait_s(was: Believed, seen: Finding, limits: Limits, now_s: float) -> float:
    if _ORDER[seen.health] > _ORDER[was.finding.health]:
        return 0.0 if _is_bad(was.finding) else limits.confirm_s.get(seen.rung, 0.0)
    if _is_bad(seen):
        return 0.0  # from unhealthy to degraded
    beyond = len(_recent(was, limits, now_s)) - limits.flaps
    if beyond < 0:
        return 0.0
    return float(min(limits.flap_cap_s, limits.flap_base_s * 2.0 ** min(beyond, 30)))


def _recent(was: Believed, limits: Limits, now_s: float) -> tuple[float, ...]:
    return tuple(at_s for at_s in was.turns_s if now_s - at_s < limits.flap_window_s)


def _is_bad(finding: Finding) -> bool:
    return _ORDER[finding.health] > 0
