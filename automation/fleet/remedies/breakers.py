"""Dependencies that all bots lean on: while one fails, nobody is restarted for it.

    bots → exchange → simulator (where the market is ours)
    bots → disk, clock (of this machine)

A breaker opens with the evidence and stays open until there was none for half a minute. Then it is
on trial: bots are started one at a time, until the trial is over without new evidence. What looks
like the bots' fault while the simulator is down is the simulator's, so an open breaker explains
every rung that stands on its dependency. Pure; one fold a tick by the supervisor.
"""

from collections.abc import Mapping

from automation.core.model import Breaker, Dependency, FleetSnapshot, Health, UnitSnapshot
from automation.core.vitals import Rung, Topic
from automation.fleet.ladder.limits import Limits

LEANS_ON: Mapping[Dependency, tuple[Dependency, ...]] = {
    Dependency.EXCHANGE: (Dependency.SIMULATOR,),
}

SUSPECTS: Mapping[Rung, tuple[Dependency, ...]] = {
    Rung.TRADER: (Dependency.EXCHANGE, Dependency.DISK),
    Rung.LOOP: (Dependency.EXCHANGE,),
    Rung.CANDLES: (Dependency.EXCHANGE, Dependency.CLOCK),
    Rung.SIGNALS: (Dependency.EXCHANGE, Dependency.CLOCK),
    Rung.EXCHANGE: (Dependency.EXCHANGE,),
    Rung.ORDERS: (Dependency.EXCHANGE,),
    Rung.DATABASE: (Dependency.DISK,),
    Rung.RESOURCES: (Dependency.DISK,),
}
"""What can explain a rung that fails. A dead or silent bot is its own fault; but see `forbidding`."""


def step(
    breakers: tuple[Breaker, ...],
    snapshot: FleetSnapshot,
    exchange_trouble: str,
    limits: Limits,
) -> tuple[Breaker, ...]:
    """Fold one snapshot into the breakers; `exchange_trouble` is what the supervisor itself saw."""
    known = {breaker.dependency: breaker for breaker in breakers}
    evidence = gather(snapshot, exchange_trouble, limits)
    return tuple(
        _step(known.get(d, Breaker(d)), evidence.get(d, ""), snapshot.now_s, limits)
        for d in Dependency
    )


def gather(snapshot: FleetSnapshot, exchange_trouble: str, limits: Limits) -> dict[Dependency, str]:
    """Collect what speaks against each dependency now, as sentences."""
    found: dict[Dependency, str] = {}
    simulator = snapshot.simulator
    if simulator is not None and simulator.verdict.health is Health.UNHEALTHY:
        found[Dependency.SIMULATOR] = f"the simulator {_clause(simulator.verdict.reason)}"
    said = exchange_trouble or _exchange(snapshot, limits)
    if said:
        found[Dependency.EXCHANGE] = said
    for unit in snapshot.bots:
        if _is_full(unit, limits):
            found.setdefault(Dependency.DISK, f"{unit.name}: {_evidence(unit, Rung.RESOURCES)}")
        if _fails(unit, Rung.CLOCK):
            found.setdefault(Dependency.CLOCK, f"{unit.name}: {_evidence(unit, Rung.CLOCK)}")
    return found


def explaining(rung: Rung, breakers: tuple[Breaker, ...]) -> str:
    """Name the failing dependency that can explain a failing rung; "" for none."""
    suspects = _with_what_they_lean_on(SUSPECTS.get(rung, ()))
    return _first_open(suspects, breakers)


def forbidding(breakers: tuple[Breaker, ...]) -> str:
    """Name the failing dependency that a start needs; "" for none.

    A bot that starts without its exchange dies of it, and asks a lot of one that bans.
    """
    return _first_open((Dependency.SIMULATOR, Dependency.EXCHANGE, Dependency.DISK), breakers)


def is_trial(breakers: tuple[Breaker, ...]) -> bool:
    """Tell whether a dependency has only just come back, so that one bot at a time may try."""
    return any(breaker.is_trial for breaker in breakers)


def _step(breaker: Breaker, evidence: str, now_s: float, limits: Limits) -> Breaker:
    if evidence:
        reason = breaker.reason or evidence
        return Breaker(breaker.dependency, reason, now_s)
    quiet_s = now_s - breaker.failed_s
    if breaker.is_open:
        if quiet_s < limits.breaker_clear_s:
            return breaker
        return Breaker(breaker.dependency, "", breaker.failed_s, is_trial=True)
    if breaker.is_trial and quiet_s >= limits.breaker_clear_s + limits.trial_s:
        return Breaker(breaker.dependency)
    return breaker


def _exchange(snapshot: FleetSnapshot, limits: Limits) -> str:
    """A ban told to one bot is everybody's; without one it takes half of the bots, at least two."""
    alive = [unit for unit in snapshot.bots if unit.process.is_alive]
    for unit in alive:
        ban = unit.vitals.mention(Topic.BAN)
        if ban is not None and snapshot.now_s - ban.last_s < limits.ban_s:
            return f"{unit.name} is banned: {ban.words}"
    failing = [unit for unit in alive if _fails(unit, Rung.EXCHANGE)]
    is_alone = len(alive) == 1  # then nobody else can tell whose fault it is
    if failing and (is_alone or (len(failing) >= 2 and 2 * len(failing) >= len(alive))):
        return f"{len(failing)} of {len(alive)} bots do not reach it"
    return ""


def _with_what_they_lean_on(dependencies: tuple[Dependency, ...]) -> tuple[Dependency, ...]:
    found: list[Dependency] = []
    for dependency in dependencies:
        found += [dependency, *LEANS_ON.get(dependency, ())]
    return tuple(found)


def _first_open(dependencies: tuple[Dependency, ...], breakers: tuple[Breaker, ...]) -> str:
    for breaker in breakers:
        if breaker.is_open and breaker.dependency in dependencies:
            return f"the {breaker.dependency} ({breaker.reason})"
    return ""


def _is_full(unit: UnitSnapshot, limits: Limits) -> bool:
    free = unit.vitals.usage.disk_free_bytes
    is_low = free is not None and free < limits.disk_free_bytes
    return unit.process.is_alive and (is_low or unit.vitals.mention(Topic.DISK) is not None)


def _fails(unit: UnitSnapshot, rung: Rung) -> bool:
    return any(
        f.rung is rung and f.health in (Health.DEGRADED, Health.UNHEALTHY) for f in unit.findings
    )


def _evidence(unit: UnitSnapshot, rung: Rung) -> str:
    return next((f.evidence for f in unit.findings if f.rung is rung), "")


def _clause(reason: str) -> str:
    return reason if reason.startswith(("is ", "does ")) else f"fails: {reason}"
