"""Reading the journal to act on it: at least once, in order per bot, and where it stopped.

Decides which events may be handled side by side (those of different bots), when the place is moved
forward (when everything before it is done) and what happens when handling fails (that bot's events
wait, the others go on). Refuses to know what handling means. Alerts and forwarders use it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from automation.core.errors import DependencyError, FreqfleetError, TransientError
from automation.journal.catalogue import ConsumerStuck
from automation.journal.event import Event
from automation.journal.journal import Journal
from automation.journal.store import EVERYTHING, Query

Handle = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a consumer goes about its work."""

    most_at_once: int = 16
    """So many bots' events are handled side by side."""
    ahead: int = 1_000
    """So many events are held in memory; reading waits for the slowest of them."""
    save_every_s: float = 1.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 60.0
    stuck_after: int = 5
    """After so many failures at one event `consumer.stuck` is written."""


class Consumer:
    """Hands events to a function and remembers how far it came, under a name of its own."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        handle: Handle,
        *,
        query: Query = EVERYTHING,
        pace: Pace | None = None,
    ) -> None:
        """`handle` may see an event again after a crash: the event's sequence is its key.

        Only errors of the tree in core.errors count as failures that are worth another try.
        """
        self._journal, self.name, self._handle = journal, name, handle
        self._query, self._pace = query, pace or Pace()
        self._lanes: dict[str, deque[Event]] = {}
        self._open: dict[int, bool] = {}  # sequence to whether it is done, in order
        self._read_to = self._saved = 0
        self._room = asyncio.Condition()
        self._slots = asyncio.Semaphore(self._pace.most_at_once)

    @property
    def position(self) -> int:
        """The sequence up to which everything is handled."""
        return next(iter(self._open)) - 1 if self._open else self._read_to

    async def run(self) -> None:
        """Handle events from where the last run stopped, until cancelled or the journal closes."""
        offsets = await asyncio.to_thread(self._journal.store.offsets)
        self._read_to = self._saved = offsets.get(self.name, 0)
        try:
            async with asyncio.TaskGroup() as group:
                saver = group.create_task(self._save_often())
                await self._read(group)
                async with self._room:
                    await self._room.wait_for(lambda: not self._open)
                saver.cancel()
        finally:
            with suppress(DependencyError):
                if self.position > self._saved:
                    self._journal.save_offset(self.name, self.position)

    async def _read(self, group: asyncio.TaskGroup) -> None:
        async for event in self._journal.subscribe(self._read_to, self._query):
            async with self._room:
                await self._room.wait_for(lambda: len(self._open) < self._pace.ahead)
            self._open[event.sequence] = False
            self._read_to = event.sequence
            lane = self._lanes.setdefault(event.bot, deque())
            lane.append(event)
            if len(lane) == 1:
                group.create_task(self._work(event.bot, lane))

    async def _work(self, bot: str, lane: deque[Event]) -> None:
        while lane:
            await self._until_handled(lane[0])
            await self._done(lane[0].sequence)
            lane.popleft()  # only now: an empty lane gets a new task
        del self._lanes[bot]

    async def _until_handled(self, event: Event) -> None:
        attempts, pause_s = 0, self._pace.first_pause_s
        while True:
            try:
                async with self._slots:
                    await self._handle(event)
            except FreqfleetError as error:
                attempts += 1
                if attempts == self._pace.stuck_after:
                    self._say_stuck(event, attempts, error)
                wanted_s = error.retry_after_s if isinstance(error, TransientError) else 0.0
                await asyncio.sleep(max(pause_s, wanted_s))
                pause_s = min(pause_s * 2, self._pace.longest_pause_s)
            else:
                return

    def _say_stuck(self, event: Event, attempts: int, error: FreqfleetError) -> None:
        said = ConsumerStuck(
            consumer=self.name, sequence=event.sequence, attempts=attempts, reason=str(error)
        )
        self._journal.post(
            "consumer.stuck", actor=self.name, source="journal", payload=said, cause=event
        )

    async def _done(self, sequence: int) -> None:
        self._open[sequence] = True
        async with self._room:
            while self._open and self._open[first := next(iter(self._open))]:
                del self._open[first]
            self._room.notify_all()

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(self._pace.save_every_s)
            # A store that is down only means that more is handled twice after a crash.
            with suppress(DependencyError):
                await self._save()

    async def _save(self) -> None:
        position = self.position
        if position > self._saved:
            await asyncio.wrap_future(self._journal.save_offset(self.name, position))
            self._saved = position
