"""Climbs the health ladder: facts about one bot in, one `Finding` a rung out.

A rung that stands on a broken one is not judged (`unknown`): a bot that does not answer cannot
tell its candles. Log, database and resources are seen from outside and judged all the same. A
process that came up, or was found, a moment ago is given time: its warm-up. Pure; the finding says
what was seen, with the threshold in it. Called by the observer each tick; `settle` then decides
what is believed.
"""

from collections.abc import Callable

from automation.core.model import Finding, Health, UnitSnapshot
from automation.core.vitals import Rung
from automation.fleet.ladder import account, machine
from automation.fleet.ladder.view import View, bad, fine, unjudged
from automation.fleet.timing import Timing

_ABOVE_LOGIN = (Rung.TRADER, Rung.LOOP, Rung.CANDLES, Rung.SIGNALS, Rung.ORDERS, Rung.STOPS)


def climb(
    unit: UnitSnapshot, timing: Timing, *, now_s: float, now_epoch_s: float
) -> tuple[Finding, ...]:
    """Judge every rung of one bot, from the ground up."""
    view = View(unit, timing, now_s, now_epoch_s)
    if not unit.process.is_alive:
        dead = bad(Rung.PROCESS, Health.UNHEALTHY, "its process does not run", is_due=True)
        return (dead, *(unjudged(rung) for rung in Rung if rung is not Rung.PROCESS))
    findings: dict[Rung, Finding] = {}
    is_standing = True
    for rung, judge in _STEPS:
        if rung in _ABOVE_LOGIN and not is_standing:
            findings[rung] = unjudged(rung)
            continue
        findings[rung] = judge(view)
        if rung in (Rung.API, Rung.LOGIN, Rung.TRADER):
            is_standing = is_standing and findings[rung].health in (
                Health.HEALTHY,
                Health.DEGRADED,
            )
    return tuple(findings[rung] for rung in Rung)


def _process(view: View) -> Finding:
    identity = view.unit.process.identity
    return fine(Rung.PROCESS, f"runs as pid {identity.pid if identity else 0}")


def _api(view: View) -> Finding:
    api, timing = view.unit.api, view.timing
    if api.is_refused:
        return fine(Rung.API, "answers")
    if api.answered_s is None:
        event = "it was found running" if view.unit.process.is_adopted else "the start"
        said = f"its API does not answer yet, {view.age_s:.0f} s after {event}"
        if view.age_s < timing.startup_s:
            return Finding(Rung.API, Health.UNKNOWN, said)
        return bad(Rung.API, Health.UNHEALTHY, f"it never came up: {said}", is_due=True)
    silent_s = view.now_s - api.answered_s
    if api.failing_since_s is None or silent_s < timing.slow_s:
        return fine(Rung.API, "answers")
    said = f"its API has not answered for {silent_s:.0f} s: {api.problem}"
    health = Health.UNHEALTHY if silent_s >= timing.silent_s else Health.DEGRADED
    if silent_s >= timing.hung_s:
        return bad(Rung.API, health, f"it hangs: {said}", is_due=True)
    return bad(Rung.API, health, said)


def _login(view: View) -> Finding:
    if view.unit.api.is_refused:
        said = (
            "its API refuses the password in the state folder; "
            f"freqfleet bot restart {view.unit.name} gives both the same one"
        )
        return bad(Rung.LOGIN, Health.UNHEALTHY, said)  # it lives and trades: never due
    if view.unit.api.answered_s is None:
        return unjudged(Rung.LOGIN)
    return fine(Rung.LOGIN, "lets the supervisor in")


def _trader(view: View) -> Finding:
    trader = view.unit.api.trader
    if trader == "stopped":
        fell = view.fell
        why = f": {fell.words}" if fell else ""
        said = (
            f"Freqtrade stopped trading{why}; read its log, "
            f"then freqfleet bot restart {view.unit.name}"
        )
        # What a person stopped in FreqUI or Telegram is theirs; what fell is put on its feet.
        return bad(Rung.TRADER, Health.UNHEALTHY, said, is_due=fell is not None)
    if trader in ("running", "paused"):
        return fine(Rung.TRADER, f"is {trader}")
    return Finding(Rung.TRADER, Health.UNKNOWN, f"is {trader or 'not up yet'}")


def _loop(view: View) -> Finding:
    api, timing = view.unit.api, view.timing
    if api.looped_epoch_s is None:
        said = f"loads candles, {view.age_s:.0f} s after the start"
        if view.age_s < timing.loop_dead_s:
            return Finding(Rung.LOOP, Health.UNKNOWN, said)
        return bad(Rung.LOOP, Health.DEGRADED, said, is_due=view.age_s >= 2 * timing.loop_dead_s)
    age_s = view.since(api.looped_epoch_s)
    if age_s < timing.loop_late_s:
        return fine(Rung.LOOP, f"looped {max(age_s, 0.0):.0f} s ago")
    said = f"its trader has not looped for {age_s:.0f} s"
    if age_s < timing.loop_dead_s:
        return bad(Rung.LOOP, Health.DEGRADED, said)
    return bad(Rung.LOOP, Health.UNHEALTHY, said, is_due=not view.is_warming)


_STEPS: tuple[tuple[Rung, Callable[[View], Finding]], ...] = (
    (Rung.PROCESS, _process),
    (Rung.API, _api),
    (Rung.LOGIN, _login),
    (Rung.TRADER, _trader),
    (Rung.LOOP, _loop),
    (Rung.CANDLES, account.candles),
    (Rung.SIGNALS, account.signals),
    (Rung.EXCHANGE, machine.exchange),
    (Rung.CLOCK, machine.clock),
    (Rung.ORDERS, account.orders),
    (Rung.STOPS, account.stops),
    (Rung.DATABASE, machine.database),
    (Rung.RESOURCES, machine.resources),
    (Rung.LOG, machine.log),
)
