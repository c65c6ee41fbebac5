"""What to do about a fleet: desired state, snapshot and time in, actions out.

    a unit is wished to stop, alive          stop it; the simulator only after the last bot
    it is wished to run, dead                start it: not before its back-off, not before the
                                             simulator is healthy, not more than a few at once
    alive, never came up, or hung            stop it (a remedy); the rule above starts it again
    alive, an operator asked for something   do that

Pure and without memory, so it can be called as often as one likes: no action on a healthy fleet,
none on a unit that is busy, never two for one unit. Refuses to know how things are done.
"""

from collections.abc import Iterator

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
from automation.fleet.timing import Timing

_BY_REQUEST = {
    Request.PAUSE: ActionKind.PAUSE,
    Request.RESUME: ActionKind.RESUME,
    Request.RELOAD: ActionKind.RELOAD,
}


def decide(
    desired: DesiredFleet, snapshot: FleetSnapshot, timing: Timing, now_s: float
) -> tuple[Action, ...]:
    """Decide on everything that is to be done now, each with its reason."""
    wanted = {unit.name: unit for unit in desired.units}
    slots = desired.starts_at_once - sum(_is_coming_up(unit) for unit in snapshot.units)
    actions: list[Action] = []
    for unit in _in_order(desired, snapshot):
        action = _for_unit(wanted.get(unit.name), unit, snapshot, timing, now_s)
        if action is None:
            continue
        if action.kind is ActionKind.START:
            if slots <= 0:
                continue
            slots -= 1
        actions.append(action)
    return tuple(actions)


def blocker(unit: UnitSnapshot, snapshot: FleetSnapshot) -> str:
    """Name what a unit has to wait for before it can start; "" when nothing."""
    simulator = snapshot.simulator
    if unit.is_simulator or simulator is None:
        return ""
    return "" if simulator.verdict.health is Health.HEALTHY else "the simulator"


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
        return _start(unit, snapshot, now_s)
    return _remedy(unit, timing, now_s) or _request(wanted, unit)


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


def _start(unit: UnitSnapshot, snapshot: FleetSnapshot, now_s: float) -> Action | None:
    if now_s < unit.memory.not_before_s or blocker(unit, snapshot):
        return None
    if unit.blocked:
        reason = f"try {unit.memory.streak + 1} after: {unit.blocked}"
    elif unit.memory.streak:
        reason = f"it failed {unit.memory.streak} times in a row and its wait is over"
        reason = "it failed for the first time" if unit.memory.streak == 1 else reason
    else:
        reason = "it should run and does not"
    return Action(ActionKind.START, unit.name, reason)


def _remedy(unit: UnitSnapshot, timing: Timing, now_s: float) -> Action | None:
    age_s = now_s - unit.process.seen_s
    answered_s = unit.api.answered_s
    if unit.api.is_refused:
        return None  # it lives and trades; who changed the password must say what they want
    if answered_s is None:
        if age_s < timing.startup_s:
            return None
        reason = f"it never came up: no answer in {age_s:.0f} s"
    elif unit.api.failing_since_s is not None and now_s - answered_s >= timing.hung_s:
        reason = f"it hangs: no answer for {now_s - answered_s:.0f} s"
    else:
        return None
    return Action(ActionKind.STOP, unit.name, reason, is_remedy=True)


def _request(wanted: DesiredUnit, unit: UnitSnapshot) -> Action | None:
    if wanted.request is None:
        return None
    if wanted.request is Request.RESTART:
        return Action(ActionKind.STOP, unit.name, "a restart was asked for")
    if unit.api.answered_s is None:
        return None  # not up yet; the request waits
    return Action(_BY_REQUEST[wanted.request], unit.name, f"{wanted.request} was asked for")
