"""What to do about a fleet: desired state, snapshot and time in, actions out.

    a unit is wished to stop, alive          stop it; the simulator only after the last bot
    it is wished to run, dead                start it: not before its back-off, not before what it
                                             leans on is well, not more than a few at once (one
                                             while the machine's CPU is scarce, none that is new
                                             while its memory is), and
                                             after a failure within the fleet's restart budget;
                                             failed too often, quarantine it
    alive, a rung of its ladder is due       the next remedy (`remedies.plan`)
    alive, an operator asked for something   do that
    alive, to be drained, no trade is open   stop it
    alive, held for a reason, and it trades  stop its entries; release them once nothing holds it

Pure and without memory, so it can be called as often as one likes: no action on a healthy fleet,
none on a unit that is busy, never two for one unit. Refuses to know how things are done.
"""

from collections.abc import Iterator
from dataclasses import replace

from automation.core.model import (
    Action,
    ActionKind,
    BotState,
    DesiredFleet,
    DesiredUnit,
    FleetSnapshot,
    Health,
    Request,
    UnitSnapshot,
    Wish,
)
from automation.core.vitals import Remedy, Rung
from automation.fleet.ladder.limits import DEFAULT_LIMITS, Limits
from automation.fleet.remedies import breakers, budget
from automation.fleet.remedies.plan import due, is_lifted, prescribe
from automation.fleet.timing import Timing

_BY_REQUEST = {
    Request.PAUSE: ActionKind.PAUSE,
    Request.RESUME: ActionKind.RESUME,
    Request.RELOAD: ActionKind.RELOAD,
    Request.DRAIN: ActionKind.DRAIN,
}


def decide(
    desired: DesiredFleet, snapshot: FleetSnapshot, timing: Timing, now_s: float
) -> tuple[Action, ...]:
    """Decide on everything that is to be done now, each with its reason."""
    wanted = {unit.name: unit for unit in desired.units}
    if breakers.is_trial(snapshot.breakers):
        desired = replace(desired, starts_at_once=1)
    slots = desired.starts_at_once - sum(_is_coming_up(unit) for unit in snapshot.units)
    actions: list[Action] = []
    has_new = False  # a new bot starts already
    for unit in _in_order(desired, snapshot):
        action = _for_unit(wanted.get(unit.name), unit, snapshot, timing, now_s)
        if action is None:
            continue
        if action.kind is ActionKind.START:
            is_new = not (unit.is_simulator or is_failure(unit) or unit.had_trades)
            if slots <= 0 or (is_new and has_new and snapshot.host.is_cpu_scarce):
                continue
            slots, has_new = slots - 1, has_new or is_new
        actions.append(action)
        if action.is_remedy or (action.kind is ActionKind.START and is_failure(unit)):
            # What is decided in one breath counts for the fleet's budget as well.
            snapshot = replace(snapshot, restarts_s=(*snapshot.restarts_s, now_s))
    return tuple(actions)


def blocker(unit: UnitSnapshot, snapshot: FleetSnapshot, limits: Limits = DEFAULT_LIMITS) -> str:
    """Name what a unit has to wait for before it can start; "" when nothing."""
    if unit.is_simulator:
        return ""
    simulator = snapshot.simulator
    if simulator is not None and simulator.verdict.health is not Health.HEALTHY:
        return "the simulator"
    forbidding = breakers.forbidding(snapshot.breakers)
    if forbidding:
        return forbidding
    if not is_failure(unit):
        return _crowded(unit, snapshot)
    return budget.refusal(unit, snapshot, limits, snapshot.now_s)


def _crowded(unit: UnitSnapshot, snapshot: FleetSnapshot) -> str:
    """Name what of the machine is too scarce for a new bot; one that has open trades never waits."""
    host = snapshot.host
    if unit.had_trades:
        return ""
    if host.is_memory_scarce:
        return f"memory: {host.memory_frac:.0%} of the machine's is in use"
    others = (other for other in snapshot.bots if other.name != unit.name)
    if host.is_cpu_scarce and any(_is_coming_up(other) for other in others):
        return f"its turn: {host.cpu_frac:.0%} of the machine's CPU is in use, one starts at a time"
    return ""


def is_failure(unit: UnitSnapshot) -> bool:
    """Tell whether a start of this unit answers a failure, so that it counts for the budget."""
    return not unit.is_simulator and unit.memory.streak > 0


def _in_order(desired: DesiredFleet, snapshot: FleetSnapshot) -> Iterator[UnitSnapshot]:
    """The simulator first, then bots as the fleet file lists them, then what it no longer names."""
    place = {unit.name: index for index, unit in enumerate(desired.units)}
    last = len(place)
    yield from sorted(
        snapshot.units, key=lambda u: (not u.is_simulator, place.get(u.name, last), u.name)
    )


def _is_coming_up(unit: UnitSnapshot) -> bool:
    if unit.is_simulator:
        return False
    is_starting = unit.process.is_alive and unit.verdict.state is BotState.STARTING
    return is_starting or unit.busy is ActionKind.START


def _for_unit(
    wanted: DesiredUnit | None,
    unit: UnitSnapshot,
    snapshot: FleetSnapshot,
    timing: Timing,
    now_s: float,
) -> Action | None:
    if unit.busy is not None:
        return None
    if wanted is None or wanted.wish is Wish.STOP:
        return _stop(wanted, unit, snapshot)
    if not unit.process.is_alive:
        return _quarantine(unit, timing) or _start(unit, snapshot, timing, now_s)
    if unit.is_simulator:
        return _restart_simulator(unit)
    remedy = _hung_in_quarantine(unit) or prescribe(unit, snapshot, timing.limits, now_s)
    return remedy or _request(wanted, unit) or _drained(wanted, unit) or _hold(wanted, unit)


def _stop(wanted: DesiredUnit | None, unit: UnitSnapshot, snapshot: FleetSnapshot) -> Action | None:
    if not unit.process.is_alive:
        return None
    if unit.is_simulator and any(bot.process.is_alive or bot.busy for bot in snapshot.bots):
        return None  # a bot must be able to close its orders until it is gone
    if snapshot.is_going_down:
        reason = "the fleet goes down"
    else:
        reason = "the fleet no longer names it" if wanted is None else "it was asked to stop"
    return Action(ActionKind.STOP, unit.name, reason)


def _quarantine(unit: UnitSnapshot, timing: Timing) -> Action | None:
    if unit.is_simulator or unit.quarantine or unit.blocked:
        return None  # what keeps it from starting at all is no fault of its own
    if unit.memory.streak < timing.limits.quarantine_after:
        return None
    reason = f"it failed {unit.memory.streak} times in a row"
    return Action(ActionKind.QUARANTINE, unit.name, reason, remedy=Remedy.QUARANTINE)


def _start(
    unit: UnitSnapshot, snapshot: FleetSnapshot, timing: Timing, now_s: float
) -> Action | None:
    if now_s < unit.memory.not_before_s or blocker(unit, snapshot, timing.limits):
        return None
    if unit.quarantine:
        waited_s = now_s - unit.process.since_s
        if not unit.had_trades or waited_s < timing.limits.quarantine_retry_s:
            return None
        reason = "it is quarantined, but has open trades that somebody must mind"
    elif unit.blocked:
        reason = f"try {unit.memory.streak + 1} after: {unit.blocked}"
    elif unit.memory.streak:
        reason = f"it failed {unit.memory.streak} times in a row and its wait is over"
        reason = "it failed for the first time" if unit.memory.streak == 1 else reason
    else:
        reason = "it should run and does not"
    return Action(ActionKind.START, unit.name, reason)


def _restart_simulator(unit: UnitSnapshot) -> Action | None:
    finding = due(unit)
    if finding is None or finding.rung is not Rung.API:
        return None
    return Action(ActionKind.STOP, unit.name, finding.evidence, is_remedy=True)


def _hung_in_quarantine(unit: UnitSnapshot) -> Action | None:
    """Nobody is tried in vain; but what hangs minds no trades either."""
    finding = due(unit)
    if not unit.quarantine or finding is None or finding.rung not in (Rung.API, Rung.LOOP):
        return None
    return Action(ActionKind.STOP, unit.name, finding.evidence, is_remedy=True, rung=finding.rung)


def _request(wanted: DesiredUnit, unit: UnitSnapshot) -> Action | None:
    if wanted.request is None:
        return None
    if wanted.request is Request.RESTART:
        return Action(ActionKind.STOP, unit.name, "a restart was asked for")
    if unit.api.answered_s is None:
        return None  # not up yet; the request waits
    return Action(_BY_REQUEST[wanted.request], unit.name, f"{wanted.request} was asked for")


def _drained(wanted: DesiredUnit, unit: UnitSnapshot) -> Action | None:
    is_known = unit.api.failing_since_s is None and unit.vitals.seen_s is not None
    if wanted.wish is not Wish.DRAIN or not is_known or unit.api.trader != "paused":
        return None
    if unit.api.open_trades or unit.vitals.trades or unit.vitals.orders:
        return None
    return Action(ActionKind.STOP, unit.name, "it is drained, no trade is open any more")


def _hold(wanted: DesiredUnit, unit: UnitSnapshot) -> Action | None:
    """Keep the entries of a held bot stopped, and release them once nothing holds it."""
    if unit.api.failing_since_s is not None:
        return None
    if unit.api.trader == "running" and unit.holds and not is_lifted(unit):
        return Action(ActionKind.HALT, unit.name, unit.holds[0].reason)
    is_paused_for_it = unit.api.trader == "paused" and unit.is_halted
    if is_paused_for_it and wanted.wish is Wish.RUN and is_lifted(unit):
        return Action(ActionKind.RELEASE, unit.name, "nothing holds it any more")
    return None
