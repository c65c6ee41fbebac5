"""Follows the journal for each bot and the fleet, and keeps entries stopped while a guard stands.

Decides nothing about limits (`limits`) and losses (`judge`). A bot is held by `custody`, like by any
other cause, so it stays paused through restarts of its process and of the supervisor; a trip that a
person ended is not held a second time. What it knows, it reads from the journal. Run by the
supervisor, whose loop calls `enforce` each turn.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog

from automation.core.clock import Clock
from automation.core.config import Fleet, Mode
from automation.core.errors import DependencyError
from automation.core.model import FleetStatus, GuardStatus, Hold
from automation.fleet import custody
from automation.fleet.chronicle import SUPERVISOR, Chronicle
from automation.fleet.guards import events
from automation.fleet.guards.judge import (
    Account,
    Limits,
    Result,
    Trip,
    Worth,
    instant,
    note_trade,
    note_worth,
    readings,
    resume,
    standing,
)
from automation.fleet.guards.limits import limits_of, limits_of_all
from automation.fleet.home import Home
from automation.fleet.unit import Unit
from automation.journal import Event, Query

FLEET = ""
LOOK_BACK = 20_000
KINDS = ("equity.observed", "trade.closed", "bot.released")


@dataclass(slots=True)
class _Known:
    """One account, as far as the journal was read."""

    limits: Limits
    account: Account = field(default_factory=Account)
    sequence: int = 0


class Guardian:
    """Guards the bots of one fleet, and the fleet as a whole."""

    def __init__(
        self,
        fleet: Callable[[], Fleet],
        units: dict[str, Unit],
        home: Home,
        chronicle: Chronicle,
        *,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        """Know nothing yet; what holds bots from earlier goes on holding them."""
        self._fleet, self._units, self._home = fleet, units, home
        self._chronicle, self._clock, self._wake = chronicle, clock, wake
        self._following: asyncio.Task[None] | None = None
        self._known: dict[str, _Known] = {}
        self._seen: dict[tuple[str, str], Trip] = {}  # account and guard to what was enforced

    async def __aenter__(self) -> Self:
        """Begin to follow the journal."""
        self._following = asyncio.create_task(self._follow(), name="guards")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Follow it no longer."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        """Follow the journal for ever; a store that is down only delays it."""
        journal, after = self._chronicle.journal, 0
        while True:
            with suppress(DependencyError):
                newest = await asyncio.to_thread(journal.last)
                after = newest.sequence if newest else 0
                break
            await asyncio.sleep(1.0)
        recalling = asyncio.create_task(self._keep_recalled(), name="guards' past")
        try:
            async for page in journal.subscribe_pages(after, Query(kind=KINDS)):
                for event in page:
                    self._note(event)
                self._wake()
        finally:
            recalling.cancel()
            await asyncio.gather(recalling, return_exceptions=True)

    def enforce(self) -> None:
        """Hold what a guard stops, and relieve what one no longer stops; for each turn of the loop."""
        now_us = round(self._clock.now().timestamp() * 1e6)
        for name, known in self._known.items():
            trips = {str(trip.guard): trip for trip in standing(known.account, now_us)}
            for guard, trip in trips.items():
                if self._seen.get((name, guard)) != trip:
                    self._stop(name, trip)
                    self._seen[name, guard] = trip
            for unit in self._concerned(name):
                self._relieve(unit, name, set(trips))

    def dress(self, status: FleetStatus) -> FleetStatus:
        """Add to a status how the guards stand."""
        bots = tuple(
            bot.model_copy(update={"guards": tuple(self._statuses(bot.name))})
            for bot in status.bots
        )
        return status.model_copy(update={"bots": bots, "guards": tuple(self._statuses(FLEET))})

    def _statuses(self, name: str) -> Iterator[GuardStatus]:
        known = self._known.get(name)
        if known is None:
            return
        now_us = round(self._clock.now().timestamp() * 1e6)
        trips = {trip.guard: trip for trip in standing(known.account, now_us)}
        figures = {guard: (value, limit) for guard, value, limit in readings(*_of(known))}
        for guard in {**figures, **trips}:
            trip, (value, limit) = trips.get(guard), figures.get(guard, (None, None))
            until = instant(trip.until_us) if trip is not None and trip.until_us else None
            yield GuardStatus(
                guard=str(guard),
                value=None if value is None else round(value, 6),
                limit=limit,
                tripped=trip is not None,
                until=until,
            )

    def _stop(self, name: str, trip: Trip) -> None:
        bots = list(self._concerned(name))
        cause = _cause(name, str(trip.guard))
        whose = "the fleet: " if name == FLEET else ""
        cure = "; a person must look and resume it" if trip.needs_person else ""
        hold = Hold(cause, f"{whose}{trip.reason}{cure}", trip.needs_person)
        is_news = not any(hold in unit.holds for unit in bots)
        if is_news:
            until = f"{instant(trip.until_us):%Y-%m-%d %H:%M} UTC" if trip.until_us else ""
            told = events.GuardTripped(
                guard=trip.guard, reason=trip.reason, needs_person=trip.needs_person, until=until
            )
            self._chronicle.tell("guard.tripped", told, bot=name)
        for unit in bots:
            with suppress(DependencyError):  # the disk; it holds in memory
                custody.hold(self._home, self._chronicle, unit, hold)

    def _relieve(self, unit: Unit, name: str, standing_guards: set[str]) -> None:
        """Lift what stands no longer; what waits for a person is lifted by that person alone."""
        for known in unit.holds:
            scope, guard = _parts(known.cause)
            if scope != (name == FLEET) or guard in standing_guards or known.needs_person:
                continue
            with suppress(DependencyError):  # the disk; it holds in memory
                custody.relieve(self._home, unit, known.cause)
                told = events.GuardCleared(guard=guard, reason="its pause is over")
                self._chronicle.tell("guard.cleared", told, bot=unit.name)

    def _concerned(self, name: str) -> Iterator[Unit]:
        """Go through the bots that an account is about: for the fleet's, those it counts."""
        bots = [unit for unit in self._units.values() if unit.bot is not None]
        if name != FLEET:
            yield from (unit for unit in bots if unit.name == name)
            return
        live = [unit for unit in bots if unit.bot is not None and unit.bot.mode is Mode.LIVE]
        yield from live or bots

    def _limits(self) -> dict[str, Limits]:
        fleet = self._fleet()
        return {FLEET: limits_of_all(fleet), **{bot.name: limits_of(bot) for bot in fleet.bots}}

    async def _keep_recalled(self) -> None:
        """Read the past of each account, and again when its limits were changed."""
        while True:
            wanted = self._limits()
            for name in set(self._known) - set(wanted):
                del self._known[name]
            for name, limits in wanted.items():
                known = self._known.get(name)
                if known is None or known.limits != limits:
                    with suppress(DependencyError):
                        self._known[name] = await asyncio.to_thread(self._recall, name, limits)
                        self._wake()
            await asyncio.sleep(1.0)

    def _recall(self, name: str, limits: Limits) -> _Known:
        known = _Known(limits)
        query = Query(kind=KINDS, bot=name)
        for event in self._chronicle.journal.tail(LOOK_BACK, query):
            _fold(known, name, event)
        return known

    def _note(self, event: Event) -> None:
        for name in {event.bot, FLEET}:
            known = self._known.get(name)
            if known is not None:
                _fold(known, name, event)


def _fold(known: _Known, name: str, event: Event) -> None:
    """Take one event into an account; the fleet's takes every bot's trades, and its own equity."""
    if event.sequence <= known.sequence or event.is_sealed:
        return
    known.sequence, facts, at_us = event.sequence, event.payload, event.time_us
    try:
        if event.kind == "equity.observed" and event.bot == name:
            worth = Worth(facts["equity_usdt"], facts["peak_usdt"], facts["day_start_usdt"])
            known.account = note_worth(known.account, worth, at_us, known.limits)
        elif event.kind == "trade.closed":
            result = Result(facts["profit_usdt"], facts["profit_frac"], facts["closed_ms"])
            known.account = note_trade(known.account, result, at_us, known.limits)
        elif event.kind == "bot.released" and event.actor != SUPERVISOR:
            known.account = resume(known.account, at_us)
    except (KeyError, TypeError) as error:
        log = structlog.get_logger("fleet")
        log.warning("a fact was not understood", sequence=event.sequence, error=str(error))


def _of(known: _Known) -> tuple[Account, Limits]:
    return known.account, known.limits


def _cause(name: str, guard: str) -> str:
    return f"fleet guard: {guard}" if name == FLEET else f"guard: {guard}"


def _parts(cause: str) -> tuple[bool | None, str]:
    """Tell whether a hold is one of the fleet's guards, or of the bot's own, and of which."""
    for prefix, is_fleets in (("fleet guard: ", True), ("guard: ", False)):
        if cause.startswith(prefix):
            return is_fleets, cause.removeprefix(prefix)
    return None, ""
