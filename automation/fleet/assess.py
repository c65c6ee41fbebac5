"""What the facts about a unit mean: its state, its health, and why, in one sentence.

Pure: facts, wish and the time in, a `Verdict` out. How a living bot is, its health ladder tells
(`fleet.ladder`); here the worst rung becomes one state and one sentence. Refuses to decide what to
do about it. Called by the supervisor each tick.
"""

from automation.core.model import (
    KILLED_FOR_MEMORY,
    ActionKind,
    BotState,
    Finding,
    Health,
    UnitSnapshot,
    Verdict,
    Wish,
)
from automation.core.vitals import Rung
from automation.fleet.ladder.climb import climb
from automation.fleet.timing import Timing


def assess(
    unit: UnitSnapshot,
    wish: Wish,
    timing: Timing,
    *,
    now_s: float,
    now_epoch_s: float,
    waits_for: str = "",
    findings: tuple[Finding, ...] | None = None,
) -> Verdict:
    """Judge one unit; `waits_for` names what it needs before it can start, "" for nothing.

    `findings` is its ladder as it is believed to be; without it the ladder is climbed here.
    """
    if not unit.process.is_alive:
        return _dead(unit, wish, now_s, waits_for)
    if unit.busy is ActionKind.STOP or wish is Wish.STOP:
        state = BotState.PAUSED if unit.api.trader == "paused" else BotState.RUNNING
        return Verdict(state, Health.UNKNOWN, "is being stopped")
    if findings is None:
        findings = climb(unit, timing, now_s=now_s, now_epoch_s=now_epoch_s)
    if unit.is_simulator:
        return _simulator(unit, findings)
    verdict = _alive(unit, findings, now_s - unit.process.seen_s)
    if wish is Wish.DRAIN and verdict.state is BotState.PAUSED:
        return _draining(unit, verdict)
    return verdict


def _draining(unit: UnitSnapshot, verdict: Verdict) -> Verdict:
    reason = verdict.reason
    if verdict.health is Health.HEALTHY:
        reason = f"is drained: it enters no trades and stops once its {unit.api.open_trades} close"
    return Verdict(BotState.DRAINING, verdict.health, reason)


def _simulator(unit: UnitSnapshot, findings: tuple[Finding, ...]) -> Verdict:
    api = next(finding for finding in findings if finding.rung is Rung.API)
    state = BotState.STARTING if unit.api.answered_s is None else BotState.RUNNING
    return Verdict(state, api.health, api.evidence)


def _dead(unit: UnitSnapshot, wish: Wish, now_s: float, waits_for: str) -> Verdict:
    if wish is Wish.STOP:
        return Verdict(BotState.STOPPED, Health.UNKNOWN, "is stopped as asked")
    if unit.busy is ActionKind.START:
        return Verdict(BotState.STARTING, Health.UNKNOWN, "is being started")
    return _down(unit, now_s, waits_for)


def _down(unit: UnitSnapshot, now_s: float, waits_for: str) -> Verdict:
    wait_s = unit.memory.not_before_s - now_s
    again = f"starts again in {wait_s:.0f} s" if wait_s >= 1 else "starts again now"
    if unit.quarantine:
        cure = f"see to it, then freqfleet bot start {unit.name}"
        last = f"; with open trades it {again}" if unit.had_trades else ""
        reason = f"is quarantined: {unit.quarantine}{last}; {cure}"
        return Verdict(BotState.QUARANTINED, Health.UNHEALTHY, reason)
    if waits_for and wait_s < 1:
        again = f"waits for {waits_for}"
    if unit.blocked:
        return Verdict(BotState.FAILED, Health.UNHEALTHY, f"{unit.blocked}; {again}")
    if unit.process.identity is not None and unit.memory.streak > 0:
        return Verdict(BotState.FAILED, Health.UNHEALTHY, f"{describe_end(unit)}; {again}")
    if waits_for:
        return Verdict(BotState.QUEUED, Health.UNKNOWN, f"waits for {waits_for}")
    return Verdict(BotState.QUEUED, Health.UNKNOWN, "waits for its turn to start")


def describe_end(unit: UnitSnapshot) -> str:
    """Say how a process ended: by which signal or code, and its last words."""
    code, words = unit.process.exit_code, unit.process.last_words
    if words == KILLED_FOR_MEMORY:
        return words
    if code is None:
        how = "it ended while no supervisor watched" if not unit.process.is_adopted else "it ended"
    elif code < 0:
        how = f"it was killed by signal {-code}"
    else:
        how = f"it ended with exit code {code}"
    return f"{how}: {words}" if words and (code is None or code >= 0) else how


def _alive(unit: UnitSnapshot, findings: tuple[Finding, ...], age_s: float) -> Verdict:
    state, worst = _state_of(unit), worst_of(findings)
    if unit.quarantine:
        cure = f"see to it, then freqfleet bot restart {unit.name}"
        return Verdict(state, Health.UNHEALTHY, f"is quarantined: {unit.quarantine}; {cure}")
    if worst is not None:
        state = BotState.FAILED if worst.rung is Rung.TRADER else state
        return Verdict(state, worst.health, worst.evidence)
    return _well(unit, state, findings, age_s)


def _well(
    unit: UnitSnapshot, state: BotState, findings: tuple[Finding, ...], age_s: float
) -> Verdict:
    if state is BotState.STARTING:
        said = next((f.evidence for f in findings if f.rung is Rung.API), "does not answer yet")
        return Verdict(state, Health.UNKNOWN, said)
    if state is BotState.WARMING:
        return Verdict(state, Health.UNKNOWN, f"loads candles, {age_s:.0f} s after the start")
    if unit.is_halted and unit.holds:
        return Verdict(state, Health.DEGRADED, f"its entries are stopped: {unit.holds[0].reason}")
    if state is BotState.PAUSED:
        return Verdict(state, Health.HEALTHY, "is paused: it minds its open trades and enters none")
    return Verdict(state, Health.HEALTHY, "trades")


def _state_of(unit: UnitSnapshot) -> BotState:
    api = unit.api
    if unit.quarantine:
        return BotState.QUARANTINED
    if api.answered_s is None:
        return BotState.STARTING
    if api.trader == "paused":
        return BotState.PAUSED
    is_up = api.looped_epoch_s is not None and api.trader in ("running", "stopped")
    return BotState.RUNNING if is_up or api.failing_since_s is not None else BotState.WARMING


def worst_of(findings: tuple[Finding, ...]) -> Finding | None:
    """Find the lowest rung among those that fail worst; None when none fails."""
    for health in (Health.UNHEALTHY, Health.DEGRADED):
        for finding in findings:
            if finding.health is health:
                return finding
    return None
