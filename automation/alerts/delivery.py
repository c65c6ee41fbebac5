"""Brings what waits in the outbox to one channel: once, if the other side lets us know.

Decides order (the worst first), what happens on failure (later, or by the fallback) and that a
backlog goes out as few messages. Every attempt uses the same message name, so that a second copy
can be recognised. What waits because its channel failed goes as soon as something gets through:
a channel that works keeps nobody waiting. Refuses to know how a channel sends. One `Courier` per
channel, so that a slow one holds up nobody else; `service` runs them.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from automation.alerts.breaker import Breaker
from automation.alerts.channel_settings import Channel as ChannelSettings
from automation.alerts.channels import Channel
from automation.alerts.channels.http import Busy
from automation.alerts.core import SOURCE
from automation.alerts.kinds import ChannelState, Delivered, Undelivered
from automation.alerts.notification import MOST_LISTED, Notification, together
from automation.alerts.rendering import Style, render
from automation.alerts.settings import Rule
from automation.alerts.severity import Severity
from automation.alerts.steadytime import SteadyTime
from automation.core.clock import Clock
from automation.core.errors import DependencyError, PermanentError, TransientError
from automation.journal import Draft, Journal
from automation.journal.outbox import effect
from automation.journal.store import Effect, PendingEffect, Settlement

AT_ONCE = 500
ALONE = 3
"""A backlog of more messages than this goes out together …"""
MOST_TOGETHER = 6
"""… as few messages, each of which names its alerts if at all possible."""
FALLBACK_AFTER = 3
LONGEST_OBEDIENCE_S = 60.0
"""A channel that wants to be left alone for longer gives way to its fallback."""
LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message and the effects of the outbox that it settles."""

    notification: Notification
    effects: tuple[PendingEffect, ...]

    @property
    def attempts(self) -> int:
        """How often it was tried, this time included."""
        return max(effect.attempts for effect in self.effects)

    @property
    def names(self) -> tuple[str, ...]:
        """The messages' names."""
        return tuple(effect.key for effect in self.effects)


def kind_of(channel: str) -> str:
    """Name a channel's effects in the outbox."""
    return f"alert:{channel}"


def to_effect(journal: Journal, notification: Notification, *, suffix: str = "") -> Effect:
    """Prepare a notification for the outbox."""
    name = f"{notification.id}{suffix}"
    return effect(journal, name, kind_of(notification.channel), notification.plain())


def style_of(settings: ChannelSettings) -> Style:
    """Tell how a channel wants its messages."""
    return Style(settings.type, settings.format, settings.locale, settings.zone, settings.template)


class Courier:
    """Serves one channel."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        channel: Channel,
        settings: ChannelSettings,
        rules: Mapping[str, Rule],
        *,
        clock: Clock,
        on_fallback: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """`on_fallback` is called with the fallback's name when something was left to it."""
        self._journal, self.name, self._channel = journal, name, channel
        self._settings, self._rules, self._clock = settings, rules, clock
        self._style = style_of(settings)
        self._timeout_s = settings.timeout.total_seconds() + 2.0
        self._on_fallback = on_fallback
        self.breaker = Breaker()
        self._wake = asyncio.Event()
        # A wall clock that goes back keeps no message waiting.
        self._time = SteadyTime(clock)
        self._due_s: dict[str, float] = {}
        self._freed: set[str] = set()
        self._refused: set[str] = set()
        self._failures: dict[str, int] = {}
        """Failures by message, in this life: neither a 429 nor a kill says that it cannot go."""

    def wake(self, *, is_urgent: bool = False) -> None:
        """Say that there is something to deliver; what is urgent is tried on a broken channel too."""
        if is_urgent:
            self.breaker.hurries()
        self._wake.set()

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            self._wake.clear()
            try:
                wait_s = await self.run_once()
            except DependencyError:
                wait_s = LOOK_EVERY_S  # the store is down; what waits in it waits on
            if wait_s > 0:
                with suppress(TimeoutError):
                    # Not wait_for: before Python 3.12 it can swallow a cancellation that comes with the event.
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()

    async def run_once(self) -> float:
        """Deliver what is due now; tell after how many seconds to look again."""
        waits_s = self.breaker.waits_s(self._clock.monotonic())
        if waits_s > 0 and self._settings.fallback is None:
            return min(waits_s, LOOK_EVERY_S)
        # Broken, and its time has come: one message shows whether it works again.
        most = 1 if self.breaker.is_broken and waits_s == 0 else AT_ONCE
        lease_us = round(2 * self._timeout_s * 1e6)
        claimed = await asyncio.to_thread(
            self._journal.store.claim, most, self._time.now_us(), lease_us, [kind_of(self.name)]
        )
        for one in claimed:
            self._due_s.pop(one.key, None)
        for parcel in _parcels(claimed):
            await self._deliver(parcel)
        await self._hasten()
        if claimed:
            return 0.0
        now_s = self._clock.monotonic()
        ahead_s = [due - now_s for due in self._due_s.values() if due > now_s]
        return min([LOOK_EVERY_S, *ahead_s])

    async def _deliver(self, parcel: Parcel) -> None:
        waits_s = self.breaker.waits_s(self._clock.monotonic())
        if waits_s > 0:
            self._later(parcel, TransientError("is left alone for now", retry_after_s=waits_s))
            return
        started_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._channel.send(render(parcel.notification, self._rules, self._style))
        except TimeoutError:
            self._failed(parcel, TransientError(f"no answer within {self._timeout_s:g} s"))
        except DependencyError as error:
            self._failed(parcel, error)
        else:
            self._done(parcel, self._clock.monotonic() - started_s)

    def _done(self, parcel: Parcel, took_s: float) -> None:
        drafts = []
        if self.breaker.succeeds():
            drafts.append(
                self._draft(
                    "channel_mended",
                    ChannelState(channel=self.name, reason="a message got through"),
                )
            )
        instead_of = next(
            (one.key.partition(">")[0] for one in parcel.effects if ">" in one.key), ""
        )
        drafts.append(
            self._draft(
                "delivered",
                Delivered(
                    messages=parcel.names,
                    channel=self.name,
                    attempts=parcel.attempts,
                    took_s=round(took_s, 3),
                    instead_of=instead_of,
                ),
            )
        )
        self._settle(parcel, "done", 0, "delivered", drafts)
        # What was refused for good itself would only break the channel again.
        self._freed.update(self._due_s.keys() - self._refused)

    async def _hasten(self) -> None:
        """Make due at once what waited when something got through."""
        settlements = [
            Settlement(name, "pending", 0, "the channel works again") for name in self._freed
        ]
        for name in self._freed:
            self._due_s.pop(name, None)
        self._freed.clear()
        if settlements:
            # Durable before the next claim: it must not undo a lease.
            await asyncio.wrap_future(self._journal.submit([], settlements=settlements, keep=True))

    def _failed(self, parcel: Parcel, error: DependencyError) -> None:
        now_s = self._clock.monotonic()
        drafts = []
        backed_off_s = 0.0
        if isinstance(error, Busy):
            self.breaker.rests(now_s, error.retry_after_s)
        else:
            for_good = isinstance(error, PermanentError)
            failures = self._count_failure(parcel, for_good=for_good)
            backed_off_s = self.breaker.pause_s(failures, for_good=for_good)
            if self.breaker.fails(now_s, for_good=for_good):
                state = ChannelState(channel=self.name, reason=str(error))
                drafts.append(self._draft("channel_broken", state))
        self._later(parcel, error, drafts, backed_off_s=backed_off_s)

    def _count_failure(self, parcel: Parcel, *, for_good: bool) -> int:
        if for_good:
            self._refused.update(parcel.names)
        failures = 1 + max(self._failures.get(name, 0) for name in parcel.names)
        self._failures.update(dict.fromkeys(parcel.names, failures))
        return failures

    def _later(
        self,
        parcel: Parcel,
        error: DependencyError,
        drafts: Sequence[Draft] = (),
        *,
        backed_off_s: float = 0.0,
    ) -> None:
        if self._gives_way(parcel, error):
            self._hand_to_fallback(parcel, error, drafts)
            return
        now_s = self._clock.monotonic()
        asked_s = error.retry_after_s if isinstance(error, TransientError) else 0.0
        pause_s = max(backed_off_s, asked_s, self.breaker.waits_s(now_s))
        self._due_s.update(dict.fromkeys(parcel.names, now_s + pause_s))
        said = self._undelivered(parcel, error, f"again in {pause_s:.0f} s")
        due_us = self._time.now_us() + round(pause_s * 1e6)
        self._settle(parcel, "pending", due_us, str(error), [*drafts, *said])

    def _gives_way(self, parcel: Parcel, error: DependencyError) -> bool:
        if self._settings.fallback is None:
            return False
        wait_s = error.retry_after_s if isinstance(error, TransientError) else 0.0
        return (
            self.breaker.is_broken
            or parcel.attempts >= FALLBACK_AFTER
            or wait_s > LONGEST_OBEDIENCE_S
            or (parcel.notification.severity is Severity.EMERGENCY and isinstance(error, Busy))
        )

    def _hand_to_fallback(
        self, parcel: Parcel, error: DependencyError, drafts: Sequence[Draft]
    ) -> None:
        fallback = self._settings.fallback
        assert fallback is not None
        moved = [
            to_effect(
                self._journal,
                replace(Notification.from_json(one.payload_json), channel=fallback),
                suffix=f">{fallback}",
            )
            for one in parcel.effects
        ]
        said = self._undelivered(parcel, error, f"{fallback} takes over", always=True)
        result = f"left to {fallback}: {error}"
        self._settle(parcel, "done", 0, result, [*drafts, *said], effects=moved)
        self._on_fallback(fallback)

    def _undelivered(
        self, parcel: Parcel, error: DependencyError, then: str, *, always: bool = False
    ) -> list[Draft]:
        # The 1st, 2nd, 4th, 8th … failure is written down: an outage is no flood.
        if not always and parcel.attempts & (parcel.attempts - 1):
            return []
        said = Undelivered(
            messages=parcel.names,
            channel=self.name,
            attempts=parcel.attempts,
            error=str(error),
            then=then,
        )
        return [self._draft("undelivered", said)]

    def _draft(self, what: str, said: Delivered | Undelivered | ChannelState) -> Draft:
        return Draft(f"alert.{what}", SOURCE, SOURCE, said)

    def _settle(
        self,
        parcel: Parcel,
        state: str,
        due_us: int,
        result: str,
        drafts: Iterable[Draft],
        *,
        effects: Iterable[Effect] = (),
    ) -> None:
        assert state in {"done", "pending"}
        if state == "done":
            self._refused.difference_update(parcel.names)
            for name in parcel.names:
                self._failures.pop(name, None)
        settlements = [
            Settlement(one.key, "done" if state == "done" else "pending", due_us, result[:500])
            for one in parcel.effects
        ]
        # Kept in memory while the store is down: what was sent is not sent again for that.
        self._journal.submit(drafts, effects=effects, settlements=settlements, keep=True)


def _parcels(claimed: Iterable[PendingEffect]) -> list[Parcel]:
    """Put the worst first, each alone; what is left of a backlog goes together."""
    parcels = [Parcel(Notification.from_json(one.payload_json), (one,)) for one in claimed]
    parcels.sort(key=lambda one: -one.notification.severity.rank)
    urgent = [one for one in parcels if one.notification.severity is Severity.EMERGENCY]
    rest = [one for one in parcels if one.notification.severity is not Severity.EMERGENCY]
    if len(rest) <= ALONE:
        return [*urgent, *rest]
    # Names of one moment by their number, not by their letters: the first and the last name them all.
    rest.sort(key=lambda one: (one.effects[0].created_us, len(one.names[0]), one.names[0]))
    return [*urgent, *(_merged(portion) for portion in _portions(rest))]


def _portions(parcels: Sequence[Parcel]) -> Iterable[list[Parcel]]:
    """Cut a backlog so that each message can name its alerts, but into a few messages at most."""
    sizes = [len(one.notification.firing) + len(one.notification.ended) for one in parcels]
    most = max(MOST_LISTED, -(-sum(sizes) // MOST_TOGETHER))
    portion: list[Parcel] = []
    size = 0
    for parcel, own in zip(parcels, sizes, strict=True):
        if portion and size + own > most:
            yield portion
            portion, size = [], 0
        portion.append(parcel)
        size += own
    if portion:
        yield portion


def _merged(parcels: Sequence[Parcel]) -> Parcel:
    if len(parcels) == 1:
        return parcels[0]
    merged = together([one.notification for one in parcels])
    return Parcel(merged, tuple(one.effects[0] for one in parcels))
