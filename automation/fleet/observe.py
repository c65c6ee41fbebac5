"""What is seen of the units: who was left by an earlier supervisor, who lives, what their APIs say.

Each unit's API is asked by a task of its own, so one that hangs delays no other. Also turns facts
into verdicts, through `assess`, and journals what changed. Refuses to decide what to do.
Used by the supervisor's loop.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog

from automation.core.clock import Clock
from automation.core.errors import DependencyError
from automation.core.model import (
    ActionKind,
    FleetSnapshot,
    Health,
    ProcessFacts,
    RemedyMemory,
    UnitSnapshot,
    Wish,
)
from automation.core.seams import Runner
from automation.fleet import crew, custody, kinds
from automation.fleet.act import Hands, bury, connect
from automation.fleet.assess import assess
from automation.fleet.chronicle import display
from automation.fleet.decide import blocker
from automation.fleet.feed import MessageFeed
from automation.fleet.hearing import Ear
from automation.fleet.ladder.climb import climb
from automation.fleet.ladder.settle import ladder_of, settle
from automation.fleet.lookout import Lookout
from automation.fleet.probe import BotProbe
from automation.fleet.render import database
from automation.fleet.restarts import is_forgiven, remember_failure, remember_health
from automation.fleet.tradebook import TradeBook
from automation.fleet.unit import Unit

_PAUSES = {("running", "paused"): Wish.PAUSE, ("paused", "running"): Wish.RUN}


@dataclass(slots=True)
class Observer:
    """The supervisor's eyes."""

    units: dict[str, Unit]
    hands: Hands
    runner: Runner
    clock: Clock
    wake: Callable[[], None]
    wish_of: Callable[[Unit], Wish]
    lookout: Lookout | None = None

    async def adopt(self) -> tuple[str, ...]:
        """Take over what an earlier supervisor left; returns the units found alive."""
        found = []
        for unit in self.units.values():
            facts = await self.runner.adopt(crew.launch_to_adopt(self.hands.site(), unit))
            if facts.is_alive:
                self._take_over(unit, facts)
                found.append(unit.name)
            elif facts.identity is not None and unit.wish is not Wish.STOP:
                self._note_death(unit, facts)
        return tuple(found)

    async def look(self) -> None:
        """See who died since the last look."""
        for unit in self.units.values():
            if not unit.process.is_alive or unit.busy is ActionKind.STOP:
                continue
            facts = await self.runner.look(unit.name)
            if not facts.is_alive:
                self._note_death(unit, facts)

    def judge(self, snapshot: FleetSnapshot) -> None:
        """Give every unit its verdict; the simulator first, for bots wait for it."""
        now_epoch_s = snapshot.taken_at.timestamp()
        context, limits = snapshot, self.hands.timing.limits
        for frozen in sorted(snapshot.units, key=lambda u: not u.is_simulator):
            unit = self.units[frozen.name]
            waits_for = blocker(frozen, context, limits)
            wish = self.wish_of(unit)
            now_s = snapshot.now_s
            if frozen.process.is_alive:
                self._climb(unit, frozen, now_s, now_epoch_s)
            verdict = assess(
                frozen,
                wish,
                self.hands.timing,
                now_s=now_s,
                now_epoch_s=now_epoch_s,
                waits_for=waits_for,
                findings=unit.findings if frozen.process.is_alive else None,
            )
            was, unit.verdict = unit.verdict, verdict
            is_healthy = verdict.health is Health.HEALTHY
            unit.memory = remember_health(unit.memory, is_healthy, now_s)
            if is_forgiven(unit.memory, self.hands.timing, now_s):
                unit.remedy = RemedyMemory()
            judged = unit.snapshot()
            if judged.is_simulator:
                bots = (one for one in context.units if not one.is_simulator)
                context = replace(context, units=(judged, *bots))
            self.hands.chronicle.judge(judged, was)

    def _climb(self, unit: Unit, frozen: UnitSnapshot, now_s: float, now_epoch_s: float) -> None:
        timing = self.hands.timing
        seen = climb(frozen, timing, now_s=now_s, now_epoch_s=now_epoch_s)
        unit.beliefs = settle(unit.beliefs, seen, timing.limits, now_s)
        unit.findings = ladder_of(unit.beliefs)

    def watch(self, unit: Unit) -> None:
        """Ask the unit's API from now on, until its process is another."""
        if unit.watcher is not None:
            unit.watcher.cancel()
        unit.watcher = asyncio.create_task(self._watch(unit), name=f"watch {unit.name}")

    def _take_over(self, unit: Unit, facts: ProcessFacts) -> None:
        home = self.hands.site().home
        if not unit.is_simulator:
            unit.access = crew.access_in_use(home, unit)
        if unit.bot is not None:
            custody.take_up_check(home, unit, str(database(self.hands.site(), unit.bot)))
        unit.process = facts
        unit.is_outdated = crew.is_outdated(self.hands.site(), unit)
        pid = facts.identity.pid if facts.identity else 0
        adopted = kinds.Started(unit=display(unit.name), pid=pid, api_url=unit.access.url)
        self.hands.chronicle.tell_unit("adopted", unit.name, adopted)
        connect(self.hands, unit)

    def _note_death(self, unit: Unit, facts: ProcessFacts) -> None:
        now_s = self.clock.monotonic()
        unit.memory = remember_failure(unit.memory, self.hands.timing, now_s)
        bury(self.hands, unit, facts, None, "")

    async def _watch(self, unit: Unit) -> None:
        look_now = asyncio.Event()
        hearing = None
        if unit.bot is not None:
            hearing = asyncio.create_task(self._listen(unit, look_now), name=f"hear {unit.name}")
        try:
            await self._poll(unit, look_now)
        finally:
            if hearing is not None:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def _listen(self, unit: Unit, look_now: asyncio.Event) -> None:
        """Hear the bot's own messages; the poll beside it sees what a gap hides."""
        probe, ear = unit.probe, Ear(unit.name, self.hands.chronicle, self.clock)
        while isinstance(probe, BotProbe) and probe.facts.looped_epoch_s is None:  # noqa: ASYNC110
            await asyncio.sleep(self.hands.timing.eager_poll_s)  # its API is not there yet

        def catch_up() -> None:
            if isinstance(probe, BotProbe):
                probe.hurry()
            look_now.set()

        def hear(message: Mapping[str, Any]) -> None:
            try:
                if ear.hear(message, unit.book):
                    look_now.set()
            except (KeyError, TypeError, ValueError) as error:
                log = structlog.get_logger("fleet")
                log.warning("a message was not understood", bot=unit.name, error=str(error))

        await MessageFeed(self.hands.session, unit.access, hear, catch_up).run()

    async def _poll(self, unit: Unit, look_now: asyncio.Event) -> None:
        probe = unit.probe
        while probe is not None and unit.probe is probe:
            look_now.clear()
            before, after = probe.facts, await probe.look()
            if unit.bot is not None:
                self._follow_trader(unit, before.trader, after.trader)
                self._sense(unit)
                await self._note_trades(unit)
                if self.lookout is not None:
                    await self.lookout.note(unit)
            was_up = before.answered_s is not None and before.looped_epoch_s is not None
            is_up = after.answered_s is not None and after.looped_epoch_s is not None
            if is_up != was_up or before.trader != after.trader or unit.is_simulator:
                self.wake()  # somebody may wait for just this
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s(unit)):
                    await look_now.wait()

    def _pause_s(self, unit: Unit) -> float:
        timing = self.hands.timing
        is_new = self.clock.monotonic() - unit.process.seen_s < 2 * timing.startup_s
        if is_new and unit.verdict.health is not Health.HEALTHY:
            return timing.eager_poll_s
        return timing.poll_s

    def _follow_trader(self, unit: Unit, before: str, after: str) -> None:
        """What was paused or resumed elsewhere (FreqUI, Telegram) is wished, and stays so."""
        if after == "running" and not unit.holds:
            unit.is_halted = False  # by a reload, say
        wish = _PAUSES.get((before, after))
        if wish is None or unit.wish is Wish.STOP or unit.busy is not None:
            return
        if unit.is_halted and wish is Wish.RUN:
            unit.is_halted = False
            home, chronicle = self.hands.site().home, self.hands.chronicle
            custody.lift(home, chronicle, unit, "it was told to trade", actor="freqtrade")
        is_drained = unit.wish is Wish.DRAIN and wish is Wish.PAUSE
        if unit.wish is wish or unit.is_halted or is_drained:
            return
        unit.wish = wish
        self.hands.save()
        facts = kinds.Wished(wish=wish, asked="pause" if wish is Wish.PAUSE else "resume")
        self.hands.chronicle.tell("bot.wished", facts, bot=unit.name, actor="freqtrade")

    def _sense(self, unit: Unit) -> None:
        """See what the bot does not tell, and whether its trades are those of before a restart."""
        probe = unit.probe
        if unit.bot is None or unit.senses is None or not isinstance(probe, BotProbe):
            return
        unit.vitals = unit.senses.look(probe.vitals, probe.facts.trader)
        home, known = self.hands.site().home, str(database(self.hands.site(), unit.bot))
        try:
            if custody.check_trades(home, self.hands.chronicle, unit, probe):
                self.wake()
            custody.write_down_trades(home, unit, known)
        except DependencyError as error:  # a full disk must not stop the supervision
            log = structlog.get_logger("fleet")
            log.warning("trades not written down", bot=unit.name, error=str(error))

    async def _note_trades(self, unit: Unit) -> None:
        probe = unit.probe
        if unit.bot is None or probe is None or probe.facts.looped_epoch_s is None:
            return
        try:
            if unit.book is None:
                known = str(database(self.hands.site(), unit.bot))
                chronicle = self.hands.chronicle
                unit.book = await asyncio.to_thread(TradeBook, unit.name, known, chronicle)
            if isinstance(probe, BotProbe):
                await self._tell_trades(unit.book, probe)
        except (DependencyError, KeyError, TypeError, ValueError) as error:
            log = structlog.get_logger("fleet")
            log.warning("trades not journaled", bot=unit.name, error=str(error))

    @staticmethod
    async def _tell_trades(book: TradeBook, probe: BotProbe) -> None:
        pages, seen = [probe.trades], 0
        while book.misses_older(pages[-1]):
            seen += len(pages[-1].closed or ())  # more was closed unwatched than an answer holds
            pages.append(await probe.older_trades(seen))
        # All or none: what was told for new would hide that older ones are still missing.
        for page in reversed(pages):
            book.note(page)
