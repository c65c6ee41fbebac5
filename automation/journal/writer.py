"""The one thread of a process that writes to the journal: group commit.

While one transaction reaches the disk, the next ones gather and go together. Decides what happens
when the store fails: an append that somebody waits for fails at once, a posted event is kept in
memory, in order, and tried again until the store takes it. Refuses to know what is written.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from automation.core.errors import ConfigError, DependencyError, PermanentError, TransientError
from automation.journal.event import Event
from automation.journal.store import Batch, Store

GROUP_EVENTS = 5_000
"""A transaction takes no more events than this, so that others get their turn."""

KEPT_EVENTS = 200_000
"""A process keeps no more posted events than this in memory while the store is down."""

LONGEST_PAUSE_S = 5.0

GATHER_S = 0.0005
"""How long a transaction waits for the callers of the last one to come back with more."""

GATHER_MOST = 64


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    future: Future[list[Event]]
    is_kept: bool
    cause: Future[list[Event]] | None

    @property
    def must_wait(self) -> bool:
        """Whether what brought it about has no place in the chain yet."""
        return self.cause is not None and not self.cause.done()

    def caused(self) -> Batch:
        """Give the batch with the place of its cause in it; none if that was never written."""
        cause = self.cause
        if cause is None or not cause.done() or cause.cancelled() or cause.exception() is not None:
            return self.batch
        sequence = cause.result()[-1].sequence
        entries = tuple(entry._replace(cause=sequence) for entry in self.batch.entries)
        return replace(self.batch, entries=entries)


class GroupWriter:
    """Queues batches of any thread and writes them together."""

    def __init__(
        self,
        store: Store,
        on_commit: Callable[[], None],
        on_heal: Callable[[str, float, int], None],
    ) -> None:
        """Call `on_commit` after each transaction, `on_heal` after the first that succeeds again.

        Both run on the writing thread; `on_heal` gets the fault, its seconds and the kept events.
        """
        self._store, self._on_commit, self._on_heal = store, on_commit, on_heal
        self._fault_since = 0.0
        self._kept_most = 0
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._deadline: float | None = None
        self._kept = 0
        self._wanted = 1
        self.fault = ""
        """What keeps the store from writing, as a sentence; "" when it writes."""

    @property
    def backlog(self) -> int:
        """How many events wait in memory."""
        with self._changed:
            return sum(len(waiting.batch.entries) for waiting in self._queue)

    def submit(
        self,
        batch: Batch,
        *,
        keep: bool = False,
        firm: bool = False,
        cause: "Future[list[Event]] | None" = None,
    ) -> "Future[list[Event]]":
        """Queue a batch; with `keep` it survives faults of the store in memory.

        Cancelling the future takes a queued batch back (so does a cancelled task that awaits it),
        but for a `firm` one. `cause` is an earlier batch that may wait still: this one is written
        after it, and its events carry the sequence of that one's last event.
        """
        waiting = _Waiting(batch, Future(), keep, cause)
        if firm:
            waiting.future.set_running_or_notify_cancel()
        with self._changed:
            if self._deadline is not None:
                raise PermanentError("the journal is closed", where=self._store.name)
            if keep:
                self._keep(len(batch.entries))
            self._queue.append(waiting)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()
            if len(self._queue) == 1 or len(self._queue) >= self._wanted or self.fault:
                self._changed.notify()
        return waiting.future

    def close(self, timeout_s: float) -> int:
        """Write what waits, stop the thread, and tell how many events could not be written."""
        with self._changed:
            self._deadline = time.monotonic() + timeout_s
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
        return self.backlog

    def _keep(self, events: int) -> None:
        if self.fault and self._kept + events > KEPT_EVENTS:
            raise TransientError(
                f"{self._kept} events wait in memory already because {self.fault}",
                where=self._store.name,
            )
        self._kept += events
        self._kept_most = max(self._kept_most, self._kept)

    def _run(self) -> None:
        pause_s = 0.0
        while (group := self._next_group(pause_s)) is not None:
            try:
                written = self._store.write(
                    [waiting.caused() for waiting in group], partial(self._more, group)
                )
            except (DependencyError, ConfigError) as error:
                pause_s = self._fail(group, error, pause_s)
            except BaseException as error:  # noqa: BLE001  not swallowed: every caller gets it
                for waiting in group:
                    self._settle(waiting)
                    waiting.future.set_exception(error)
            else:
                pause_s = 0.0
                self._heal()
                for waiting, events in zip(group, written, strict=True):
                    self._settle(waiting)
                    waiting.future.set_result(events)
                self._on_commit()

    def _next_group(self, pause_s: float) -> list[_Waiting] | None:
        with self._changed:
            if pause_s:
                self._pause(pause_s)
            else:
                self._gather()
            if self._is_over(pause_s):
                return None
            group = self._take()
            self._wanted = min(max(1, len(group)), GATHER_MOST)
            return group

    def _gather(self) -> None:
        self._changed.wait_for(lambda: self._queue or self._deadline is not None)
        if len(self._queue) < self._wanted:
            # One sync of the disk for eight callers instead of one for each that is quickest.
            self._changed.wait_for(lambda: len(self._queue) >= self._wanted, GATHER_S)

    def _pause(self, pause_s: float) -> None:
        # A caller that waits must hear of the fault at once; only kept events can wait.
        def is_urgent() -> bool:
            return any(not waiting.is_kept for waiting in self._queue)

        if self._deadline is not None:
            pause_s = 0.1
        self._changed.wait_for(is_urgent, pause_s)

    def _is_over(self, pause_s: float) -> bool:
        if self._deadline is None:
            return False
        return not self._queue or (pause_s > 0 and time.monotonic() > self._deadline)

    def _more(self, group: list[_Waiting]) -> list[Batch]:
        """Add to the group what came while other programs wrote: it costs no turn of its own."""
        with self._changed:
            late = self._take(sum(len(waiting.batch.entries) for waiting in group))
        group += late
        self._wanted = min(max(1, len(group)), GATHER_MOST)
        return [waiting.caused() for waiting in late]

    def _take(self, events: int = 0) -> list[_Waiting]:
        group: list[_Waiting] = []
        while self._queue and events < GROUP_EVENTS:
            if events and self._queue[0].must_wait:
                break  # its cause is in this very group, and gets its place with it
            waiting = self._queue.popleft()
            if waiting.future.running() or waiting.future.set_running_or_notify_cancel():
                group.append(waiting)
                events += len(waiting.batch.entries)
            else:
                self._settle(waiting)
        return group

    def _fail(
        self, group: list[_Waiting], error: DependencyError | ConfigError, pause_s: float
    ) -> float:
        if not self.fault:
            self._fault_since, self._kept_most = time.monotonic(), self._kept
        self.fault = str(error)
        kept = [waiting for waiting in group if waiting.is_kept]
        with self._changed:
            self._queue.extendleft(reversed(kept))
        for waiting in group:
            if not waiting.is_kept:
                waiting.future.set_exception(error)
        return min(LONGEST_PAUSE_S, max(0.1, pause_s * 2))

    def _heal(self) -> None:
        fault, self.fault = self.fault, ""
        if fault and self._deadline is None:
            with suppress(PermanentError):  # closed in this very moment
                self._on_heal(fault, time.monotonic() - self._fault_since, self._kept_most)

    def _settle(self, waiting: _Waiting) -> None:
        if waiting.is_kept:
            with self._changed:
                self._kept -= len(waiting.batch.entries)
