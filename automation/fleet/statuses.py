"""Turns what is known into the forms of `status --json`.

Called by the supervisor when somebody asks, and by `commands` when no supervisor runs.
"""

import os
from datetime import datetime

from automation.core.config import Fleet
from automation.core.model import (
    BotStatus,
    FleetSnapshot,
    FleetStatus,
    Health,
    RungStatus,
    UnitSnapshot,
    Wish,
)
from automation.core.vitals import Rung
from automation.fleet.assess import worst_of


def fleet_status(
    fleet: Fleet, snapshot: FleetSnapshot, urls: dict[str, str], wishes: dict[str, Wish]
) -> FleetStatus:
    """Tell how the whole fleet is."""
    bots = tuple(
        _status(fleet, unit, snapshot.now_s, snapshot.taken_at, urls)
        for unit in snapshot.bots
        if unit.process.is_alive or fleet.bot(unit.name)
    )
    should_run = [bot for bot in bots if wishes.get(bot.name, Wish.STOP) is not Wish.STOP]
    simulator = snapshot.simulator
    is_served = simulator is None or simulator.verdict.health is Health.HEALTHY
    return FleetStatus(
        fleet=fleet.fleet,
        healthy=is_served
        and not snapshot.is_going_down
        and all(bot.health is Health.HEALTHY for bot in should_run),
        bots=bots,
        supervisor_pid=os.getpid(),
        simulator=_status(fleet, simulator, snapshot.now_s, snapshot.taken_at, urls)
        if simulator
        else None,
        taken_at=snapshot.taken_at,
        host_cpu_frac=snapshot.host.cpu_frac,
        host_memory_frac=snapshot.host.memory_frac,
        dependencies={b.dependency: b.reason for b in snapshot.breakers if b.is_open},
    )


def _failing(unit: UnitSnapshot) -> Rung | None:
    worst = worst_of(unit.findings)
    if worst is not None:
        return worst.rung
    is_dead = not unit.process.is_alive and unit.verdict.health is Health.UNHEALTHY
    return Rung.PROCESS if is_dead else None


def _ladder(unit: UnitSnapshot, now_s: float) -> tuple[RungStatus, ...]:
    return tuple(
        RungStatus(
            rung=finding.rung,
            health=finding.health,
            evidence=finding.evidence,
            for_s=round(max(0.0, now_s - finding.since_s), 1),
        )
        for finding in unit.findings
    )


def _status(
    fleet: Fleet, unit: UnitSnapshot, now_s: float, now: datetime, urls: dict[str, str]
) -> BotStatus:
    bot = fleet.bot(unit.name)
    process, api = unit.process, unit.api
    is_known = process.is_alive and not unit.is_simulator and api.looped_epoch_s is not None
    reason = unit.verdict.reason
    if unit.is_outdated:
        reason += "; the fleet file has changed since it started, restart it to apply that"
    return BotStatus(
        name="simulator" if unit.is_simulator else unit.name,
        strategy=bot.strategy if bot else "",
        mode=str(bot.mode) if bot else "",
        state=unit.verdict.state,
        health=unit.verdict.health,
        reason=reason,
        pid=process.identity.pid if process.identity and process.is_alive else None,
        api_url=urls.get(unit.name, ""),
        uptime_s=round(now_s - process.since_s, 1) if process.is_alive else None,
        restarts=unit.memory.restarts,
        open_trades=api.open_trades if is_known else None,
        closed_trades=api.closed_trades if is_known else None,
        profit_usdt=round(api.profit_usdt, 8) if is_known else None,
        balance_usdt=round(api.balance_usdt, 8) if is_known and api.balance_usdt else None,
        last_candle_age_s=_age_s(api.candle_closed_epoch_s, now),
        last_loop_age_s=_age_s(api.looped_epoch_s, now),
        adopted=process.is_adopted and process.is_alive,
        outdated=unit.is_outdated,
        changing=unit.changing,
        memory_mb=_megabytes(unit),
        cpu_cores=_cores(unit),
        unbounded=process.unbounded if process.is_alive else "",
        failing=_failing(unit),
        ladder=() if unit.is_simulator else _ladder(unit, now_s),
        holds=tuple(hold.reason for hold in unit.holds),
    )


def _megabytes(unit: UnitSnapshot) -> float | None:
    used = unit.vitals.usage.memory_bytes if unit.process.is_alive else None
    return None if used is None else round(used / 1e6, 1)


def _cores(unit: UnitSnapshot) -> float | None:
    used = unit.vitals.usage.cpu_cores if unit.process.is_alive else None
    return None if used is None else round(used, 3)


def _age_s(epoch_s: float | None, now: datetime) -> float | None:
    return None if epoch_s is None else round(max(0.0, now.timestamp() - epoch_s), 1)
