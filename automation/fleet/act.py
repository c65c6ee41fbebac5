"""Carries out actions on one unit: start, stop, pause, resume, reload.

Decides the order of the steps and what a failure leaves behind; refuses to decide whether they are
done at all (`decide`). Each returns a sentence for whoever asked, and raises an error of
`core.errors` when it did not come about. Called by the supervisor's guard.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp

from automation.core.clock import Clock
from automation.core.errors import ConfigError
from automation.core.model import (
    Action,
    ActionKind,
    ApiFacts,
    Hold,
    ProcessFacts,
    Request,
    Wish,
)
from automation.core.seams import Patience, Runner
from automation.core.vitals import NO_VITALS, Remedy
from automation.fleet import crew, custody, kinds
from automation.fleet.assess import describe_end
from automation.fleet.botapi import HttpBotApi, SimulatorApi
from automation.fleet.chronicle import Chronicle, Posted, display
from automation.fleet.lifecycle.changes import prepare, take_candidate
from automation.fleet.market import client_config
from automation.fleet.memory import pardoned
from automation.fleet.probe import BotProbe, SimulatorProbe
from automation.fleet.render import database, forget_secrets
from automation.fleet.restarts import remember_failure
from automation.fleet.site import Site
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit
from tradekit.ladder import REARM_FILE


@dataclass(slots=True)
class Hands:
    """What acting needs; one for one supervisor."""

    runner: Runner
    site: Callable[[], Site]  # with everybody's present port
    session: aiohttp.ClientSession
    clock: Clock
    timing: Timing
    chronicle: Chronicle
    patience: Callable[[], Patience]
    others_live: Callable[[Unit], bool]
    watch: Callable[[Unit], None]
    check: Callable[[], None]  # raises once this supervisor may act no more
    save: Callable[[], None]  # the wishes


async def perform(hands: Hands, unit: Unit, action: Action, cause: Posted) -> str:
    """Do one action; returns what came of it, as a sentence."""
    hands.check()
    if action.kind is ActionKind.START:
        return await _start(hands, unit, cause)
    if action.kind is ActionKind.STOP:
        return await _stop(hands, unit, action, cause)
    if action.kind is ActionKind.QUARANTINE:
        custody.quarantine(hands.site().home, hands.chronicle, unit, action.reason, cause)
        return f"{unit.name} is quarantined"
    return await _speak(hands, unit, action, cause)


def connect(hands: Hands, unit: Unit) -> None:
    """Give the unit a fresh probe, for its process is a fresh one."""
    timeout_s = hands.timing.request_s
    if unit.is_simulator:
        api, fast = SimulatorApi(hands.session, unit.access.url, timeout_s), hands.site().fast
        simulator = api if fast is None else fast.timed(api)
        config = client_config(hands.site().home)
        unit.probe = SimulatorProbe(simulator, hands.clock, config.exists)
    else:
        bot, fast = HttpBotApi(hands.session, unit.access, timeout_s), hands.site().fast
        unit.client = bot if fast is None else fast.in_real_time(unit.name, bot)
        unit.probe = BotProbe(unit.client, hands.clock, hands.timing)
        unit.senses = crew.senses_of(hands.site(), unit, hands.clock, hands.timing)
    unit.vitals, unit.beliefs, unit.findings = NO_VITALS, {}, ()
    hands.watch(unit)


def bury(hands: Hands, unit: Unit, facts: ProcessFacts, cause: Posted | None, why: str) -> None:
    """Note that a unit's process ended; `why` is "" when nobody wanted it to."""
    unit.process = facts
    if unit.watcher is not None:
        unit.watcher.cancel()
        unit.watcher = None
    reason = why or describe_end(replace(unit.snapshot(), api=ApiFacts()))
    unit.probe = unit.client = unit.senses = None
    unit.vitals, unit.beliefs, unit.findings = NO_VITALS, {}, ()
    ended = kinds.Ended(
        unit=display(unit.name),
        pid=facts.identity.pid if facts.identity else 0,
        exit_code=facts.exit_code,
        reason=reason,
        is_expected=bool(why),
    )
    hands.chronicle.tell_unit("exited", unit.name, ended, cause=cause)


async def _start(hands: Hands, unit: Unit, cause: Posted) -> str:
    home = hands.site().home
    unit.access = await asyncio.to_thread(crew.wanted_access, hands.site(), unit)
    old_port = unit.access.port
    may_move = not _has_fixed_port(hands, unit) and not hands.others_live(unit)
    taken_by = await asyncio.to_thread(crew.ready_port, home, unit, may_move=may_move)
    if taken_by:
        moved = kinds.Moved(
            unit=display(unit.name),
            old_port=old_port,
            new_port=unit.access.port,
            taken_by=taken_by,
        )
        hands.chronicle.tell_unit("moved", unit.name, moved, cause=cause)
    if unit.bot is not None:
        known = str(database(hands.site(), unit.bot))
        custody.prepare_check(home, hands.chronicle, unit, known)
    await asyncio.to_thread(prepare, hands.site(), unit)
    launch = await asyncio.to_thread(crew.render, hands.site(), unit, hands.clock)
    hands.check()
    unit.process = await hands.runner.start(launch)
    unit.is_halted = unit.start_wish is not unit.wish
    unit.blocked, unit.is_outdated = "", False
    if unit.memory.streak:
        unit.memory = replace(unit.memory, restarts=unit.memory.restarts + 1)
    started = kinds.Started(
        unit=display(unit.name),
        pid=unit.process.identity.pid if unit.process.identity else 0,
        api_url=unit.access.url,
        restarts=unit.memory.restarts,
    )
    hands.chronicle.tell_unit("started", unit.name, started, cause=cause)
    connect(hands, unit)
    return f"{display(unit.name)} was started"


def _has_fixed_port(hands: Hands, unit: Unit) -> bool:
    if unit.bot is not None:
        return unit.bot.api_port is not None
    return hands.site().fleet.exchange.simulator.port is not None


async def _stop(hands: Hands, unit: Unit, action: Action, cause: Posted) -> str:
    is_replaced = action.remedy is Remedy.REPLACE
    patience = hands.patience()
    if is_replaced:
        patience = replace(hands.timing.hasty, check=hands.check)
    facts = await hands.runner.stop(unit.name, patience)
    if is_replaced:  # whatever held on to its port or its password is left behind
        (hands.site().home.unit(unit.name) / "api.json").unlink(missing_ok=True)
    bury(hands, unit, facts, cause, f"stopped, for {action.reason}")
    forget_secrets(hands.site().home, unit.name)
    unit.blocked = ""
    if unit.wish is Wish.DRAIN and not action.is_remedy and unit.request is None:
        unit.wish = Wish.STOP
        hands.save()
    if action.is_remedy:
        now_s = hands.clock.monotonic()
        unit.memory = remember_failure(unit.memory, hands.timing, now_s)
    elif unit.request is Request.RESTART:
        unit.memory = pardoned(unit.memory)
        return f"{display(unit.name)} was stopped and starts again"
    return f"{display(unit.name)} was stopped"


async def _speak(hands: Hands, unit: Unit, action: Action, cause: Posted) -> str:
    kind = action.kind
    if unit.client is None or unit.bot is None:
        raise ConfigError(f"{display(unit.name)} does not run", cure="start it first")
    # The wish is written before it is carried out: killed in between, a pause must hold.
    if kind is ActionKind.PAUSE:
        unit.wish = Wish.PAUSE
        hands.save()
        await unit.client.post("pause")
        said = f"{unit.name} is paused: it minds its open trades and enters none"
    elif kind is ActionKind.RESUME:
        unit.wish, unit.is_halted = Wish.RUN, False
        hands.save()
        # The strategy's drawdown ladder, once flat, waits for a person: this is one.
        (hands.site().home.unit(unit.name) / "user_data" / REARM_FILE).touch()
        await unit.client.post("start")
        said = f"{unit.name} trades again"
    elif kind is ActionKind.DRAIN:
        unit.wish = Wish.DRAIN
        hands.save()
        await unit.client.post("pause")
        said = f"{unit.name} enters no trades, and stops once its {unit.api.open_trades} are closed"
    elif kind is ActionKind.HALT:
        said = await _halt(hands, unit, action, cause)
    elif kind is ActionKind.RELEASE:
        custody.lift(hands.site().home, hands.chronicle, unit, action.reason)
        unit.is_halted = False
        await unit.client.post("start")
        said = f"{unit.name} may enter trades again"
    else:
        await asyncio.to_thread(take_candidate, hands.site(), unit)
        # Freqtrade forgets a pause when it reloads, so what it reloads must say it.
        await asyncio.to_thread(crew.render, hands.site(), unit, hands.clock)
        hands.check()
        await unit.client.post("reload_config")
        said = f"{unit.name} reloads its configuration"
    if unit.probe is not None:
        await unit.probe.look()
    return said


async def _halt(hands: Hands, unit: Unit, action: Action, cause: Posted) -> str:
    assert unit.client is not None
    if action.rung is not None:
        held = Hold(str(action.rung), action.reason, needs_person=False)
        custody.hold(hands.site().home, hands.chronicle, unit, held, cause)
    if unit.wish is Wish.RUN:
        unit.is_halted = True
    await unit.client.post("pause")
    return f"{unit.name} enters no trades"
