"""Runs the alerts: reads the journal, lets the core decide, writes down, delivers.

Decides in which order things become durable: records and messages together, the new state only
after, the place in the journal last. After a crash the state is folded from the records and the
events since are taken again; what was made of them already is recognised. Built and run by `app`.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from automation.alerts import core
from automation.alerts.channels import Channel
from automation.alerts.core import OPERATORS, SOURCE
from automation.alerts.delivery import Courier, kind_of, style_of, to_effect
from automation.alerts.fold import restore
from automation.alerts.kinds import PolicyLoaded
from automation.alerts.notification import Line, Notification, Why
from automation.alerts.policy import Policy
from automation.alerts.rendering import render
from automation.alerts.settings import Settings
from automation.alerts.severity import Severity
from automation.alerts.state import State
from automation.alerts.steadytime import SteadyTime
from automation.alerts.step import Step
from automation.core.clock import Clock, SystemClock
from automation.core.errors import DependencyError
from automation.journal import Draft, Event, Journal, Query
from automation.journal.store import Settlement

CONSUMER = "alerts"
AT_ONCE = 500
AHEAD = 20_000
LOOK_EVERY_S = 30.0
SAVE_EVERY_S = 2.0
SPEAKS_UP_AFTER_S = 10.0
"""So long may the journal refuse before the channels are told directly."""

_log = structlog.get_logger("alerts")


class AlertService:
    """The alerts of one fleet, while they run."""

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        channels: Mapping[str, Channel],
        *,
        clock: Clock | None = None,
    ) -> None:
        """Take what `settingsfile` and `channels.building` made; the caller closes the journal."""
        self._journal, self._clock = journal, clock or SystemClock()
        self.policy = Policy(settings)
        self.state = State()
        self._channels = channels
        self._couriers = {
            name: Courier(
                journal, name, channel, settings.channels[name], self.policy.rules,
                clock=self._clock, on_fallback=self._wake_courier,
            )
            for name, channel in channels.items()
        }  # fmt: skip
        self._time = SteadyTime(self._clock)
        self._waiting: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._folded_to = self._read_to = self._taken_to = 0
        self.progress_s = self._clock.monotonic()
        """When the loop last went round, on the monotonic clock."""
        self._is_ready = asyncio.Event()
        self._is_refused = False

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._start()
        async with asyncio.TaskGroup() as group:
            for courier in self._couriers.values():
                group.create_task(courier.run(), name=f"alerts to {courier.name}")
            group.create_task(self._read(), name="alerts reading")
            group.create_task(self._save_often(), name="alerts saving")
            await self._work()

    async def ready(self) -> None:
        """Wait until the state is rebuilt and events are taken."""
        await self._is_ready.wait()

    def is_alive(self, within_s: float = 60.0) -> bool:
        """Tell whether the loop goes round and the journal takes what it writes."""
        age_s = self._clock.monotonic() - self.progress_s
        return age_s <= within_s and not self._journal.fault and not self._is_refused

    async def _start(self) -> None:
        folded = await asyncio.to_thread(restore, self._journal)
        offsets = await asyncio.to_thread(self._journal.store.offsets)
        self.state, self._folded_to = folded.state, folded.sequence
        # Records are durable together with their messages, the saved place is not: the newer wins.
        if CONSUMER in offsets or self.state.taken:
            self._read_to = max(offsets.get(CONSUMER, 0), self.state.taken)
        else:
            self._read_to = folded.sequence  # the very first start: the past is no news
            await asyncio.wrap_future(self._journal.save_offset(CONSUMER, self._read_to))
        self._taken_to = self._read_to
        self._time = SteadyTime(self._clock, not_before_us=self.state.time_us)
        await self._note_policy()
        await self._tidy_outbox()
        await self._commit(core.adopt(self.policy, self.state, now_us=self._time.now_us()))
        self._is_ready.set()

    async def _read(self) -> None:
        kinds = (*self.policy.kinds, *sorted(OPERATORS))
        async for event in self._journal.subscribe(self._read_to, Query(kind=kinds)):
            # What the fold already holds of people's doings is not done twice.
            if event.kind not in OPERATORS or event.sequence > self._folded_to:
                self._waiting.append(event)
                self._changed.set()
            while len(self._waiting) >= AHEAD:
                self._room.clear()
                await self._room.wait()

    async def _work(self) -> None:
        while True:
            self.progress_s = self._clock.monotonic()
            self._changed.clear()
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            self._room.set()
            now_us = self._time.now_us()
            due_us = core.next_us(self.policy, self.state, now_us=now_us)
            if batch or due_us <= now_us:
                step = core.advance(self.policy, self.state, batch, now_us=now_us)
                await self._commit(step)
                if batch:
                    self._taken_to = batch[-1].sequence
                await asyncio.sleep(0)
                continue
            with suppress(TimeoutError):
                wait_s = min(LOOK_EVERY_S, (due_us - now_us) / 1e6)
                # Not wait_for: before Python 3.12 it can swallow a cancellation that comes with the event.
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def _commit(self, step: Step) -> None:
        """Make records and messages durable together; only then the new state counts."""
        drafts = [
            Draft(one.kind, SOURCE, SOURCE, one.payload, one.bot, one.cause) for one in step.records
        ]
        effects = [to_effect(self._journal, one) for one in step.notifications]
        failing_since_s: float | None = None
        has_spoken_up = False
        while drafts or effects:
            try:
                await asyncio.wrap_future(self._journal.submit(drafts, effects=effects))
                break
            except DependencyError as error:
                self._is_refused = True
                now_s = self._clock.monotonic()
                failing_since_s = now_s if failing_since_s is None else failing_since_s
                _log.error("the journal does not take alerts", reason=str(error))
                if now_s - failing_since_s >= SPEAKS_UP_AFTER_S and not has_spoken_up:
                    has_spoken_up = True
                    await self._speak_up(step.notifications, str(error))
                await asyncio.sleep(1.0)
        self._is_refused = False
        self.state = step.state
        for notification in step.notifications:
            is_urgent = notification.severity is Severity.EMERGENCY
            self._wake_courier(notification.channel, is_urgent=is_urgent)

    async def _speak_up(self, notifications: Sequence[Notification], reason: str) -> None:
        """Tell the channels directly what the journal cannot take: rather twice than never."""
        line = Line("journal", "journal", Severity.EMERGENCY, "", {}, {"reason": reason},
                    self._time.now_us())  # fmt: skip
        own = [
            Notification(
                f"{name}-direct", name, Severity.EMERGENCY, Why.NEW, line.since_us, (), (line,), ()
            )
            for name in self._channels
        ]
        async with asyncio.TaskGroup() as group:
            for notification in (*own, *notifications):
                group.create_task(self._send_directly(notification))

    async def _send_directly(self, notification: Notification) -> None:
        channel = self._channels.get(notification.channel)
        if channel is None:
            return
        settings = self.policy.settings.channels[notification.channel]
        message = render(notification, self.policy.rules, style_of(settings))
        try:
            async with asyncio.timeout(settings.timeout.total_seconds() + 2.0):
                await channel.send(message)
        except (DependencyError, TimeoutError) as error:
            _log.error("not told directly either", channel=notification.channel, reason=str(error))

    async def _save_often(self) -> None:
        saved = self._taken_to
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            if self._taken_to > saved:
                # A store that is down only means that more is looked at twice after a crash.
                with suppress(DependencyError):
                    taken = self._taken_to
                    await asyncio.wrap_future(self._journal.save_offset(CONSUMER, taken))
                    saved = taken

    async def _note_policy(self) -> None:
        last = await asyncio.to_thread(self._journal.tail, 1, Query(kind="alert.policy"))
        if last and last[0].payload.get("digest") == self.policy.digest:
            return
        said = PolicyLoaded(
            digest=self.policy.digest,
            rules=len(self.policy.rules),
            channels=tuple(self._channels),
        )
        self._journal.post("alert.policy", actor=SOURCE, source=SOURCE, payload=said)

    async def _tidy_outbox(self) -> None:
        """Free what a killed predecessor was about to send; give up what has no channel any more.

        One process alone serves a fleet's alerts, so whatever is leased is leased to nobody.
        """
        known = {kind_of(name) for name in self._couriers}
        pending = await asyncio.to_thread(self._journal.store.effects, "pending", 10_000)
        settlements = [
            Settlement(one.key, "pending", 0, one.result)
            if one.kind in known
            else Settlement(one.key, "given_up", 0, "the channel is no longer configured")
            for one in pending
            if one.kind.startswith("alert:")
        ]
        if settlements:
            await asyncio.wrap_future(self._journal.submit([], settlements=settlements))

    def _wake_courier(self, channel: str, *, is_urgent: bool = False) -> None:
        if channel in self._couriers:
            self._couriers[channel].wake(is_urgent=is_urgent)
