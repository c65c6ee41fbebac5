"""The loop: observe, judge, decide, act, and again a second later or when a process ends.

Decides nothing itself: the `Observer` sees and judges, `decide` decides, `act` acts, the
`Chronicle` writes all of it down. When this process dies, the units live on and the next
supervisor adopts them. Built by `app`; the command line runs it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import structlog

from automation.core import paths
from automation.core.clock import Clock, SystemClock
from automation.core.config import Fleet, Venue
from automation.core.errors import DependencyError, FreqfleetError
from automation.core.model import (
    SIMULATOR,
    Action,
    ActionKind,
    Breaker,
    DesiredFleet,
    DesiredUnit,
    FleetSnapshot,
    FleetStatus,
    Health,
    RemedyMemory,
    RestartMemory,
    Wish,
)
from automation.core.seams import Patience, Runner
from automation.fleet import crew, kinds, market
from automation.fleet.act import Hands, perform
from automation.fleet.botapi import close_session, open_session
from automation.fleet.chronicle import Chronicle, Posted, bot_of, display
from automation.fleet.containers.mixed import runner_of
from automation.fleet.control import ControlServer
from automation.fleet.decide import decide, is_failure
from automation.fleet.exchange import BINANCE, ExchangeWatch
from automation.fleet.fastforward import fast_forward, refuse_other_time
from automation.fleet.guards.guardian import Guardian
from automation.fleet.home import Home, read_json, write_json
from automation.fleet.hostload import HostWatch, Measure, measure
from automation.fleet.lease import Lease, end_if_lost
from automation.fleet.lifecycle.changes import Changes, Rehearse
from automation.fleet.lifecycle.renewal import Renewal
from automation.fleet.live import live_bots, refuse_unconfirmed
from automation.fleet.logfile import rotate
from automation.fleet.lookout import Lookout
from automation.fleet.memory import forget_failures, forget_stops, write_memory, write_wishes
from automation.fleet.notify import Notifier
from automation.fleet.observe import Observer
from automation.fleet.operator import Operator
from automation.fleet.preflight import refuse_faults
from automation.fleet.process import living
from automation.fleet.remedies import breakers, events
from automation.fleet.remedies.memory import forget_quarantine, read_restarts, write_restarts
from automation.fleet.restarts import remember_failure
from automation.fleet.site import ExchangeSection, Site
from automation.fleet.statuses import fleet_status
from automation.fleet.timing import DEFAULT_TIMING, Timing
from automation.fleet.unit import Unit
from automation.fleet.witness import Witness
from automation.journal import Journal

Watch = Callable[[FleetStatus], None]

ROTATE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a supervisor is built from beside the fleet; the defaults are the real ones."""

    exchange_section: ExchangeSection | None = None
    root: Path | None = None
    python: str = sys.executable
    runner: Runner | None = None
    clock: Clock | None = None
    timing: Timing = DEFAULT_TIMING
    actor: str = "operator"
    starts_at_once: int = 4
    rehearse: Rehearse | None = None  # without it whatever loads is taken
    applied: Callable[[Fleet, str], None] | None = (
        None  # told of a changed fleet, and who changed it
    )
    measure: Measure = measure  # how busy the machine is
    lease: Lease | None = None  # taken already, where there was one to wait for


class Supervisor:
    """Keeps one fleet as its file describes it."""

    def __init__(
        self, fleet: Fleet, home: Path, journal: Journal, around: Surroundings | None = None
    ) -> None:
        """Prepare; nothing is touched before `run`."""
        self.fleet, self.home = fleet, Home(home)
        self._around = around or Surroundings()
        self._clock = self._around.clock or SystemClock()
        self._timing = self._around.timing
        self._runner: Runner = self._around.runner or runner_of(fleet.docker.engine)
        self._chronicle = Chronicle(journal)
        self._lease = self._around.lease or Lease(self.home, journal.store, fleet.fleet)
        self._units: dict[str, Unit] = {}
        self._wake = asyncio.Event()
        self._down = ""  # why the fleet goes down
        self._is_hasty = False
        self._rotate_due_s = 0.0
        self._saved: dict[str, RestartMemory] = {}
        self._hands: Hands | None = None
        self._host = HostWatch(self._chronicle, self._around.measure)
        self._guardian = Guardian(
            lambda: self.fleet,
            self._units,
            self.home,
            self._chronicle,
            clock=self._clock,
            wake=self._wake.set,
        )
        self._notifier = Notifier()
        self._breakers: tuple[Breaker, ...] = ()
        self._restarts_s: tuple[float, ...] = ()  # for failures
        self._changes = Changes(
            self._units, self._site, self._chronicle, self._clock, self._around.rehearse
        )
        self._fast = fast_forward(fleet, self.home, self._chronicle, self._clock)

    async def run(self, watch: Watch | None = None, *, handle_signals: bool = True) -> None:
        """Supervise until the fleet was taken down; `watch` is told the status each tick.

        Raises LeaseLost, touching no unit, once another supervisor has taken the fleet over.
        Raises ConfigError when the fleet is up already, the files behind it do not fit, or live bots
        are not confirmed, and
        DependencyError when the state folder cannot be used. When it is cancelled or fails, the
        units live on.
        """
        refuse_faults(self._site())
        refuse_unconfirmed(self.fleet, self.home)
        async with self._lease:
            session = open_session()
            try:
                await self._take_charge(session, handle_signals, watch)
            finally:
                await self._let_go()
                await close_session(session)

    def go_down(self, reason: str) -> None:
        """Take the fleet down in order; asked a second time, do it fast."""
        if not self._down:
            self._down = reason
            self._notifier.stopping()
            said = kinds.FleetDown(fleet=self.fleet.fleet, reason=reason)
            self._chronicle.tell("fleet.going_down", said, actor=self._around.actor)
        elif not self._is_hasty:
            self._is_hasty = True
            for unit in self._units.values():
                if unit.busy is ActionKind.STOP and unit.task is not None:
                    unit.task.cancel()  # decided again at once, with less patience
        self._wake.set()

    def status(self) -> FleetStatus:
        """Tell how the fleet is now."""
        urls = {unit.name: unit.access.url for unit in self._units.values()}
        wishes = {unit.name: self._wish_of(unit) for unit in self._units.values()}
        status = self._guardian.dress(fleet_status(self.fleet, self._snapshot(), urls, wishes))
        if self._fast is None:
            return status
        market_at = datetime.fromtimestamp(self._fast.market_now_s(), UTC)
        return status.model_copy(update={"market_at": market_at, "speed": self._fast.tempo.speed})

    async def _take_charge(
        self,
        session: aiohttp.ClientSession,
        handle_signals: bool,
        watch: Watch | None,
    ) -> None:
        now_s = self._clock.monotonic()
        self._units.update(crew.make_units(self.fleet, self.home, self._timing, now_s))
        self._restarts_s = read_restarts(self.home, now_s)
        self._open_clock()
        observer = self._make_observer(session)
        self._runner.when_one_ends(self._wake.set)
        adopted = await observer.adopt()
        operator = Operator(
            self._units,
            self._chronicle,
            self._wake.set,
            self._save_wishes,
            self.home,
            self._changes,
        )
        renewal = Renewal(
            self._units,
            self.home,
            self._chronicle,
            self._changes,
            self._site,
            self._fly_as,
            self._save_wishes,
        ).answers()
        async with (
            self._guardian,
            self._make_lookout(session) as observer.lookout,
            ControlServer(self.home, self.status, self.go_down, operator.ask, renewal) as control,
        ):
            self._lease.announce(control.path)
            self._notifier.ready()
            self._announce(adopted)
            signals = _signals(self.go_down, self._lease) if handle_signals else nullcontext()
            with signals:
                await self._loop(observer, watch)
            self._finish()

    def _open_clock(self) -> None:
        is_alive = any(living(self.home.unit(name)) for name in self._units)
        if self._fast is None:
            refuse_other_time(self.home, is_alive=is_alive)
        else:
            self._fast.open(is_alive=is_alive)

    def _make_observer(self, session: aiohttp.ClientSession) -> Observer:
        self._hands = Hands(
            runner=self._runner,
            site=self._site,
            session=session,
            clock=self._clock,
            timing=self._timing,
            chronicle=self._chronicle,
            patience=self._patience,
            others_live=self._others_live,
            check=self._lease.check,
            watch=lambda unit: observer.watch(unit),  # noqa: PLW0108  it is made below
            save=self._save_wishes,
        )
        observer = Observer(
            self._units, self._hands, self._runner, self._clock, self._wake.set, self._wish_of
        )
        return observer

    def _make_lookout(self, session: aiohttp.ClientSession) -> Lookout:
        chronicle, clock, timing = self._chronicle, self._clock, self._timing
        exchange = ExchangeWatch(
            chronicle, session, clock, self._exchange_address, timing.gauge_s, timing.request_s
        )
        market_now_s = None if self._fast is None else self._fast.market_now_s
        witness = Witness(self._units, lambda: self.fleet, exchange, market_now_s)
        return Lookout(self._units, chronicle, clock, self.home, timing, exchange, witness)

    def _exchange_address(self) -> str:
        """Tell where the exchange is; "" while its simulator is not up."""
        if self.fleet.exchange.venue is not Venue.SIMULATOR:
            return BINANCE
        simulator = self._units.get(SIMULATOR)
        if simulator is None or simulator.api.answered_s is None:
            return ""
        return simulator.access.url if simulator.process.is_alive else ""

    def _announce(self, adopted: tuple[str, ...]) -> None:
        self._note_fleet()
        up = kinds.FleetUp(
            fleet=self.fleet.fleet,
            bots=len(self.fleet.bots),
            supervisor_pid=os.getpid(),
            adopted=tuple(display(name) for name in adopted),
        )
        self._chronicle.tell("fleet.up", up, actor=self._around.actor)
        if self._lease.follows:
            over = kinds.TakenOver(
                fleet=self.fleet.fleet, supervisor_pid=os.getpid(), reason=self._lease.follows
            )
            self._chronicle.tell("fleet.taken_over", over)
        live = live_bots(self.fleet)
        if live:
            said = kinds.FleetLive(
                bots=", ".join(bot.name for bot in live),
                capital_usdt=sum(bot.capital_usdt for bot in live),
                confirmed_at=str(read_json(self.home.live).get("at", "")),
            )
            self._chronicle.tell("fleet.live", said, actor=self._around.actor)

    def _note_fleet(self) -> None:
        bots = [{"name": b.name, "strategy": b.strategy, "mode": b.mode} for b in self.fleet.bots]
        docker = self.fleet.docker.model_dump(mode="json")
        noted = {"fleet": self.fleet.fleet, "bots": bots, "engine": self.fleet.docker.engine}
        write_json(self.home.path / "fleet.json", noted | {"docker": docker})

    def _fly_as(self, fleet: Fleet, actor: str) -> None:
        """Go by another fleet file from now on."""
        self.fleet = fleet
        self._note_fleet()
        if self._around.applied is not None:
            self._around.applied(fleet, actor)
        self._wake.set()

    async def _loop(self, observer: Observer, watch: Watch | None) -> None:
        while True:
            self._lease.check()
            await observer.look()
            self._guardian.enforce()
            self._host.look(self._clock.monotonic())
            observer.judge(self._snapshot())
            self._follow_dependencies(observer)
            self._changes.step()
            if self._down and not any(u.process.is_alive or u.busy for u in self._units.values()):
                return
            now_s = self._clock.monotonic()
            for action in decide(self._desired(), self._snapshot(), self._timing, now_s):
                self._dispatch(action)
            if self._fast is not None:
                self._fast.watch(self._snapshot().units)
            if watch is not None:
                watch(self.status())
            self._tidy(now_s)
            self._notifier.alive(self._in_a_word())
            with suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it can swallow a cancellation that comes with the event.
                async with asyncio.timeout(self._timing.tick_s):
                    await self._wake.wait()
            self._wake.clear()

    def _follow_dependencies(self, observer: Observer) -> None:
        trouble = observer.lookout.exchange.trouble if observer.lookout is not None else ""
        was = {breaker.dependency: breaker for breaker in self._breakers}
        self._breakers = breakers.step(
            self._breakers, self._snapshot(), trouble, self._timing.limits
        )
        for breaker in self._breakers:
            before = was.get(breaker.dependency, Breaker(breaker.dependency))
            if breaker.is_open and not before.is_open:
                fails = events.DependencyFails(dependency=breaker.dependency, reason=breaker.reason)
                self._chronicle.tell("dependency.fails", fails)
            elif before.is_open and not breaker.is_open:
                well = events.DependencyWell(dependency=breaker.dependency)
                self._chronicle.tell("dependency.well", well)

    def _finish(self) -> None:
        """Leave the state folder as after an orderly end."""
        market.forget(self.home)
        for name in self._units:
            forget_failures(self.home, name)
            forget_quarantine(self.home, name)
        forget_stops(self.home)
        said = kinds.FleetDown(fleet=self.fleet.fleet, reason=self._down)
        self._chronicle.tell("fleet.down", said)

    async def _let_go(self) -> None:
        tasks = [t for u in self._units.values() for t in (u.task, u.watcher) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for unit in self._units.values():
            unit.answer("error: the supervisor has ended")
        if self._fast is not None:
            await self._fast.close()
        await self._runner.close()

    def _desired(self) -> DesiredFleet:
        named = (u for u in self._units.values() if u.bot is not None or u.is_simulator)
        units = tuple(DesiredUnit(u.name, self._wish_of(u), u.request) for u in named)
        return DesiredFleet(units, self._around.starts_at_once)

    def _dispatch(self, action: Action) -> None:
        unit = self._units[action.unit]
        facts = kinds.Decided(unit=display(unit.name), action=action.kind, reason=action.reason)
        decided = self._chronicle.tell("action.decided", facts, bot=bot_of(unit.name))
        unit.busy = action.kind
        self._remember_remedy(unit, action)
        doing = self._guard(unit, action, decided)
        unit.task = asyncio.create_task(doing, name=f"{action.kind} {unit.name}")

    def _remember_remedy(self, unit: Unit, action: Action) -> None:
        now_s = self._clock.monotonic()
        if action.kind is ActionKind.START and is_failure(unit.snapshot()):
            window_s = self._timing.limits.budget_window_s
            self._restarts_s = (*(s for s in self._restarts_s if now_s - s < window_s), now_s)
            with suppress(DependencyError):  # a full disk must not stop the supervision
                write_restarts(self.home, self._restarts_s, now_s)
        if action.remedy is None or action.rung is None:
            return
        tried = unit.remedy.tried if unit.remedy.rung is action.rung else ()
        unit.remedy = RemedyMemory(action.rung, (*tried, action.remedy), now_s)

    async def _guard(self, unit: Unit, action: Action, decided: Posted) -> None:
        """Do an action and note what came of it, whatever goes wrong."""
        assert self._hands is not None
        began_s = self._clock.monotonic()
        said, error = "", ""
        try:
            said = await perform(self._hands, unit, action, decided)
        except FreqfleetError as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001  the task guard: one unit must not take all down
            structlog.get_logger("fleet").exception("action failed", unit=unit.name)
            error = f"unexpected {type(failure).__name__}: {failure}"
        finally:
            unit.busy = None
            self._wake.set()
        took_s = round(self._clock.monotonic() - began_s, 3)
        self._note_outcome(unit, action, decided, error, took_s)
        if action.kind is not ActionKind.START:
            unit.request = None
            unit.answer(f"error: {error}" if error else said)

    def _note_outcome(
        self, unit: Unit, action: Action, decided: Posted, error: str, took_s: float
    ) -> None:
        bot, name = bot_of(unit.name), display(unit.name)
        if not error:
            done = kinds.Done(unit=name, action=action.kind, took_s=took_s)
            self._chronicle.tell("action.done", done, bot=bot, cause=decided)
            return
        failed = kinds.Failed(unit=name, action=action.kind, error=error)
        self._chronicle.tell("action.failed", failed, bot=bot, cause=decided)
        if action.kind is ActionKind.START:
            unit.blocked = error
            now_s = self._clock.monotonic()
            unit.memory = remember_failure(unit.memory, self._timing, now_s)

    def _site(self) -> Site:
        root = self._around.root or paths.root()
        section = self._around.exchange_section
        site = Site(self.fleet, self.home, root, self._around.python, section, fast=self._fast)
        return crew.site_with_ports(site, self._units)

    def _snapshot(self) -> FleetSnapshot:
        return FleetSnapshot(
            self.fleet.fleet,
            self._clock.now(),
            self._clock.monotonic(),
            tuple(unit.snapshot() for unit in self._units.values()),
            bool(self._down),
            self._breakers,
            self._restarts_s,
            self._host.load,
        )

    def _wish_of(self, unit: Unit) -> Wish:
        return Wish.STOP if self._down else unit.wish

    def _in_a_word(self) -> str:
        bots = [unit for unit in self._units.values() if unit.bot is not None]
        healthy = sum(unit.verdict.health is Health.HEALTHY for unit in bots)
        return f"{healthy} of {len(bots)} bots are healthy"

    def _patience(self) -> Patience:
        patience = self._timing.hasty if self._is_hasty else self._timing.patience
        return replace(patience, check=self._lease.check)

    def _others_live(self, unit: Unit) -> bool:
        """Whether bots live that have this simulator's address rendered."""
        others = (other for other in self._units.values() if other is not unit)
        return unit.is_simulator and any(other.process.is_alive for other in others)

    def _save_wishes(self) -> None:
        wishes = {unit.name: unit.wish for unit in self._units.values() if unit.bot is not None}
        write_wishes(self.home, wishes)

    def _tidy(self, now_s: float) -> None:
        for unit in self._units.values():
            memory = replace(unit.memory, healthy_since_s=None)
            if self._saved.get(unit.name, RestartMemory()) != memory:
                with suppress(DependencyError):  # a full disk must not stop the supervision
                    write_memory(self.home, unit.name, memory, now_s)
                    self._saved[unit.name] = memory
        if now_s >= self._rotate_due_s:
            self._rotate_due_s = now_s + ROTATE_EVERY_S
            for unit in self._units.values():
                rotate(self.home.unit(unit.name) / "logs" / "console.log")


@contextmanager
def _signals(go_down: Callable[[str], None], lease: Lease) -> Iterator[None]:
    """Have Ctrl-C, a terminal that closes and a polite kill take the fleet down in order.

    A supervisor that was stopped and goes on ends at once if it was followed meanwhile.
    """
    before = signal.signal(signal.SIGCONT, lambda _number, _frame: end_if_lost(lease))
    loop = asyncio.get_running_loop()
    reasons = {
        signal.SIGINT: "Ctrl-C",
        signal.SIGTERM: "the supervisor was asked to terminate",
        signal.SIGHUP: "the terminal was closed",
    }
    for number, reason in reasons.items():
        loop.add_signal_handler(number, go_down, reason)
    try:
        yield
    finally:
        for number in reasons:
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGCONT, before)
