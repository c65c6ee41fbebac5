"""Takes a changed strategy or configuration from its notice to its effect, bot by bot.

    noticed → copied → rehearsed in a process of its own → applied once no trade is open, or at once
                            └ refused: the bot goes on with what it runs, and why is told

Entries are stopped while a change waits for open trades to close. What waits is forgotten with the
supervisor. One rehearsal at a time, for they take a core. Refuses to know what a rehearsal is: it is
handed in. Called by the operator, and once a tick by the supervisor's loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from automation.core.clock import Clock
from automation.core.config import Bot
from automation.core.errors import FreqfleetError, Refusal
from automation.core.model import ActionKind, Health, Hold, Request, Wish
from automation.fleet import custody, kinds
from automation.fleet.chronicle import Chronicle, Posted
from automation.fleet.credentials import ApiAccess
from automation.fleet.lifecycle import events, kept
from automation.fleet.lifecycle.kept import CHANGE
from automation.fleet.render import overlay
from automation.fleet.site import Site
from automation.fleet.unit import Unit


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is to be tried before a bot may run it."""

    bot: Bot
    strategies: Path  # the folder with the strategy, and the kit in it
    configs: tuple[Path, ...]  # layers in order
    settings: dict[str, object]  # what the fleet file says, over the layers


Rehearse = Callable[[Rehearsal], Awaitable[Refusal | None]]
"""Tries what a bot shall run; a Refusal says why it may not."""


@dataclass(frozen=True, slots=True)
class _Change:
    what: kept.Difference
    at_once: bool
    cause: Posted


class Changes:
    """The changes under way of one fleet."""

    def __init__(
        self,
        units: dict[str, Unit],
        site: Callable[[], Site],
        chronicle: Chronicle,
        clock: Clock,
        rehearse: Rehearse | None,
    ) -> None:
        """Work on the supervisor's own units; without `rehearse` whatever loads is taken."""
        self._units, self._site, self._chronicle = units, site, chronicle
        self._clock, self._rehearse = clock, rehearse
        self._one = asyncio.Lock()
        self._waiting: dict[str, _Change] = {}
        self._flown: dict[str, int] = {}

    async def bring(self, unit: Unit, *, at_once: bool, cause: Posted) -> Request | str | Refusal:
        """Rehearse what changed behind a bot, and have it applied in its time.

        A request that the loop shall do now (a plain reload when nothing has changed), or what
        became of the change instead, as a sentence.
        """
        assert unit.bot is not None
        if unit.changing and unit.name not in self._waiting:
            return Refusal(f"{unit.name}: {unit.changing}; ask again when that is done")
        try:
            found = await asyncio.to_thread(kept.difference, self._site(), unit.bot)
            if not found:
                return Request.RELOAD
            refusal = await self._try(unit, unit.bot, found, cause)
        except FreqfleetError as error:
            refusal = self._refuse(unit, "configuration", str(error), cause)
        if refusal is not None:
            return refusal
        at_once = at_once or unit.bot.apply == "now"
        change = _Change(found, at_once, cause)
        is_free = unit.busy is None and unit.request is None
        if is_free and (at_once or _is_flat(unit)):
            return self._apply(unit, change)
        return self._postpone(unit, change)

    def step(self) -> None:
        """Apply what waited, where its moment has come; note which bots are well with what they run."""
        for name, change in list(self._waiting.items()):
            unit = self._units[name]
            if unit.bot is None or unit.wish is Wish.STOP:
                del self._waiting[name]  # the next start takes what lies there
                unit.changing = ""
                custody.relieve(self._site().home, unit, CHANGE)
            elif unit.busy is not None or unit.request is not None:
                continue
            elif change.at_once or _is_flat(unit):
                del self._waiting[name]
                unit.request = self._apply(unit, change)
        self._note_flown()

    async def rehearse(self, bot: Bot) -> Refusal | None:
        """Try a bot of a changed fleet file as it would run; its candidate is forgotten again."""
        if self._rehearse is None:
            return None
        site = self._site()
        try:
            await asyncio.to_thread(kept.stage, site, bot)
            async with self._one:
                return await self._rehearse(self._rehearsal(site, bot))
        except FreqfleetError as error:
            return Refusal(str(error))
        finally:
            kept.drop(site.home, bot.name)

    async def _try(
        self, unit: Unit, bot: Bot, found: kept.Difference, cause: Posted
    ) -> Refusal | None:
        unit.changing = f"the changed {found.sentence} is rehearsed"
        began_s = self._clock.monotonic()
        try:
            await asyncio.to_thread(kept.stage, self._site(), bot)
            refusal = None
            if self._rehearse is not None:
                async with self._one:
                    refusal = await self._rehearse(self._rehearsal(self._site(), bot))
        finally:
            unit.changing = ""
        facts = events.Rehearsed(
            changed=found.sentence,
            passed=refusal is None,
            verdict=refusal.reason if refusal is not None else "it passed its rehearsal",
            took_s=round(self._clock.monotonic() - began_s, 1),
        )
        self._chronicle.tell("bot.rehearsed", facts, bot=unit.name, cause=cause)
        if refusal is None:
            return None
        kept.drop(self._site().home, unit.name)
        return self._refuse(unit, found.sentence, refusal.reason, cause)

    def _refuse(self, unit: Unit, what: str, why: str, cause: Posted) -> Refusal:
        said = f"the changed {what} is refused, {unit.name} goes on with the old: {why}"
        failed = kinds.Failed(unit=unit.name, action=ActionKind.RELOAD, error=said)
        self._chronicle.tell("action.failed", failed, bot=unit.name, cause=cause)
        return Refusal(said)

    def _rehearsal(self, site: Site, bot: Bot) -> Rehearsal:
        folder = kept.candidate(site.home, bot.name)
        layers = tuple(folder / kept.CONFIGS / name for name in kept.layer_names(site, bot))
        said, unsaid = overlay(site, bot, ApiAccess(0), Wish.RUN)
        names = ("max_open_trades", "stake_amount", "dry_run_wallet", "timeframe", "margin_mode")
        settings = {name: value for name, value in {**unsaid, **said}.items() if name in names}
        return Rehearsal(bot, folder / kept.STRATEGIES, layers, settings)

    def _apply(self, unit: Unit, change: _Change) -> Request:
        unit.changing, unit.has_candidate = "", True
        custody.relieve(self._site().home, unit, CHANGE)
        # What we write as root belongs to a container's user from its next start on.
        is_contained = unit.bot is not None and unit.bot.runner == "docker"
        is_restart = change.what.needs_restart or is_contained
        request = Request.RESTART if is_restart else Request.RELOAD
        facts = events.Changed(changed=change.what.sentence, how=str(request))
        self._chronicle.tell("bot.changed", facts, bot=unit.name, cause=change.cause)
        return request

    def _postpone(self, unit: Unit, change: _Change) -> str:
        self._waiting[unit.name] = change
        waits_for = f"its {unit.api.open_trades} open trades are closed"
        unit.changing = f"the changed {change.what.sentence} waits until {waits_for}"
        facts = events.Waits(changed=change.what.sentence, waits_for=waits_for)
        told = self._chronicle.tell("bot.change_waits", facts, bot=unit.name, cause=change.cause)
        hold = Hold(CHANGE, "a change waits until no trade is open", needs_person=False)
        custody.hold(self._site().home, self._chronicle, unit, hold, told)
        return f"{unit.name} takes the change once {waits_for}; it enters none meanwhile"

    def _note_flown(self) -> None:
        for unit in self._units.values():
            if unit.bot is None or unit.verdict.health is not Health.HEALTHY:
                continue
            pid = unit.process.identity.pid if unit.process.identity else 0
            if self._flown.get(unit.name) != pid:
                try:
                    kept.mark_flown(self._site().home, unit.name)
                except FreqfleetError:
                    continue  # a full disk must not stop the supervision
                self._flown[unit.name] = pid


def _is_flat(unit: Unit) -> bool:
    """Whether the bot has no trade and no order, as it says itself, or does not run."""
    if not unit.process.is_alive:
        return True
    is_known = unit.api.failing_since_s is None and unit.vitals.seen_s is not None
    return is_known and not (unit.api.open_trades or unit.vitals.trades or unit.vitals.orders)


def take_candidate(site: Site, unit: Unit) -> None:
    """Let a unit's next process or configuration be its candidate; nothing without one."""
    if unit.bot is not None and unit.has_candidate:
        unit.has_candidate = False
        kept.accept(site.home, unit.name)


def prepare(site: Site, unit: Unit) -> None:
    """Settle what a unit's next process runs.

    After a failure it is what it ran before, if that was ever healthy; else what lies there now.
    """
    if unit.bot is None:
        return
    if unit.has_candidate:
        take_candidate(site, unit)
    elif not (unit.memory.streak and kept.has_flown(site.home, unit.name)):
        kept.renew(site, unit.bot)
