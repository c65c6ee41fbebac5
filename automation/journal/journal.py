"""The journal itself: append, read, follow, search, verify.

Decides what callers see of the journal: when an append counts (durable), what a posted event is,
how a subscription wakes. Refuses to know SQL and what the events mean. Every room calls it.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NotRequired, Self, TypedDict, Unpack
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel

from automation.core.clock import Clock, SystemClock
from automation.core.errors import DependencyError, PermanentError, TransientError
from automation.journal.catalogue import ClockSetBack, Healed
from automation.journal.checkpoints import Checkpoint, PublicKey, judge
from automation.journal.event import Draft, Entry, Event, prepare, to_us
from automation.journal.kinds import KINDS
from automation.journal.postgres import PostgresStore
from automation.journal.sqlite import SqliteStore
from automation.journal.store import EVERYTHING, Batch, Effect, Query, Settlement, Store
from automation.journal.verification import Break, Verification, verify_links
from automation.journal.writer import GroupWriter

Payload = Mapping[str, Any] | BaseModel | None


class Told(TypedDict):
    """What is said of an event beside its kind."""

    actor: str
    source: str
    bot: NotRequired[str]
    payload: NotRequired[Payload]
    cause: NotRequired["int | Event | Future[list[Event]] | None"]
    address: NotRequired[str]


WATCH_S = 0.25
SET_BACK_US = 1_000_000
"""Smaller steps back are what threads and NTP do all day."""


class Journal:
    """The append-only account of everything that happened.

    Use it as a context manager or close it: `close` writes what still waits.
    """

    def __init__(self, store: Store, *, clock: Clock | None = None) -> None:
        """Take over a store; most callers want `Journal.open`."""
        self.store = store
        self._clock = clock or SystemClock()
        self._writer = GroupWriter(store, self._wake, self._healed)
        self._newest_us = 0
        self._wakers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()

    @classmethod
    def open(
        cls, path: Path | str, *, clock: Clock | None = None, read_only: bool = False
    ) -> "Journal":
        """Open the journal in a file, which is made when missing (unless `read_only`).

        A `postgresql://` address opens it there; `?schema=NAME` chooses the schema.
        """
        return cls(open_store(path, read_only=read_only), clock=clock)

    @classmethod
    def in_memory(cls, *, clock: Clock | None = None) -> "Journal":
        """Open a journal that nothing outlives, for tests."""
        return cls(SqliteStore(None), clock=clock)

    @property
    def fault(self) -> str:
        """What keeps the store from writing, as a sentence; "" when it writes."""
        return self._writer.fault

    @property
    def backlog(self) -> int:
        """How many events wait in memory to be written."""
        return self._writer.backlog

    def append(self, kind: str, **told: Unpack[Told]) -> Event:
        """Append one event and return when it is durable; the caller hears of every fault."""
        return self._tell(kind, told).result()[-1]

    def append_many(self, drafts: Iterable[Draft]) -> list[Event]:
        """Append events together: all of them or none."""
        drafts = list(drafts)
        return self.submit(drafts).result()[-len(drafts) :] if drafts else []

    async def append_async(self, kind: str, **told: Unpack[Told]) -> Event:
        """Append one event without blocking the loop; returns when it is durable."""
        return (await asyncio.wrap_future(self._tell(kind, told)))[-1]

    def post(self, kind: str, **told: Unpack[Told]) -> "Future[list[Event]]":
        """Queue one event and go on; it waits in memory while the store is down.

        The event carries the time of this call. `fault` and `backlog` tell how it stands. Its
        `cause` may be what an earlier `post` returned, whether that is written yet or not.
        """
        return self._tell(kind, told, keep=True)

    def _tell(self, kind: str, told: Told, *, keep: bool = False) -> "Future[list[Event]]":
        cause = told.get("cause")
        posted = cause if isinstance(cause, Future) else None
        return self.submit([_draft(kind, told)], keep=keep, cause=posted)

    def submit(
        self,
        drafts: Iterable[Draft],
        *,
        effects: Iterable[Effect] = (),
        settlements: Iterable[Settlement] = (),
        keep: bool = False,
        cause: "Future[list[Event]] | None" = None,
    ) -> "Future[list[Event]]":
        """Queue what belongs together; the future holds the events once all is durable.

        With `keep` it waits in memory while the store is down, as `post` does. `cause` is what an
        earlier call returned.
        """
        entries = self._entries(drafts)
        batch = Batch(entries, tuple(effects), settlements=tuple(settlements))
        return self._writer.submit(batch, keep=keep, cause=cause)

    def save_offset(self, consumer: str, sequence: int) -> "Future[list[Event]]":
        """Queue the place up to which a consumer has handled everything.

        It is written though whoever awaits it is cancelled meanwhile: what is done stays done.
        """
        return self._writer.submit(Batch(offsets={consumer: sequence}), firm=True)

    def read(self, after: int = 0, limit: int = 1000, query: Query = EVERYTHING) -> list[Event]:
        """Read at most `limit` events after a position, oldest first."""
        return self.store.read(after, limit, query)

    def tail(self, limit: int = 20, query: Query = EVERYTHING) -> list[Event]:
        """Read the newest events that match, oldest of them first."""
        return self.store.read(0, limit, query, newest_first=True)[::-1]

    def search(self, *, limit: int = 1000, after: int = 0, **wanted: Any) -> list[Event]:
        """Read the events that match all the fields of `Query` given by name."""
        return self.store.read(after, limit, Query(**wanted))

    def last(self) -> Event | None:
        """Read the newest event."""
        return self.store.last()

    def verify(
        self, public: PublicKey | None = None, anchor: Checkpoint | None = None
    ) -> Verification:
        """Recompute the whole chain and name the first bad event.

        With the public key the checkpoints' signatures count too; with the anchor also the one
        checkpoint that whoever rewrote the store could not reach.
        """
        try:
            records = self.store.checkpoints()
        except PermanentError as damage:
            found = judge(self.store.links(0), (), public, anchor)
            broken = found.broken or Break(found.last_sequence, f"no checkpoint helps: {damage}")
            return replace(found, broken=broken)
        return judge(self.store.links(0), records, public, anchor)

    def verify_from(self, after: int, previous: bytes) -> Verification:
        """Recompute what follows an event that was verified before."""
        return verify_links(self.store.links(after), after=after, previous=previous)

    def now_us(self) -> int:
        """Tell the journal's clock in microseconds since 1970."""
        return to_us(self._clock.now())

    async def subscribe(
        self, after: int = 0, query: Query = EVERYTHING, *, page: int = 500
    ) -> AsyncIterator[Event]:
        """Follow the journal from a position, for ever; also what other processes append.

        Ends when the journal is closed. Faults of the store only delay it.
        """
        async with aclosing(self.subscribe_pages(after, query, page=page)) as pages:
            async for events in pages:
                for event in events:
                    yield event

    async def subscribe_pages(
        self, after: int = 0, query: Query = EVERYTHING, *, page: int = 500
    ) -> AsyncGenerator[list[Event], None]:
        """Follow the journal like `subscribe`, with all that is there at once in each list."""
        waker = asyncio.get_running_loop(), asyncio.Event()
        self._watch()
        with self._lock:
            self._wakers.add(waker)
        try:
            while not self._closed.is_set():
                waker[1].clear()
                try:
                    events, after = await asyncio.to_thread(self._page, after, page, query)
                except TransientError as fault:
                    await asyncio.sleep(fault.retry_after_s)
                    continue
                if events:
                    yield events
                if len(events) < page:
                    await waker[1].wait()
        finally:
            with self._lock:
                self._wakers.discard(waker)

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Write what waits and close; DependencyError says how much could not be written."""
        if self._closed.is_set():
            return
        unwritten = self._writer.close(timeout_s)
        self._closed.set()
        self._wake()
        if self._watcher is not None:
            self._watcher.join()
        self.store.close()
        if unwritten:
            raise DependencyError(
                f"{unwritten} events could not be written: {self._writer.fault}",
                where=self.store.name,
            )

    def __enter__(self) -> Self:
        """Use the journal for a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _entries(self, drafts: Iterable[Draft]) -> list[Entry]:
        now_us = self.now_us()
        entries = [prepare(KINDS.shape(draft), now_us) for draft in drafts]
        if not entries:
            return []
        back_us = self._newest_us - now_us
        self._newest_us = now_us
        if back_us > SET_BACK_US:
            said = ClockSetBack(back_s=back_us / 1e6)
            entries.insert(0, prepare(KINDS.shape(_own("journal.clock_set_back", said)), now_us))
        return entries

    def _healed(self, fault: str, down_s: float, kept_events: int) -> None:
        said = Healed(fault=fault, down_s=round(down_s, 3), kept_events=kept_events)
        self.submit([_own("journal.healed", said)], keep=True)

    def _page(self, after: int, limit: int, query: Query) -> tuple[list[Event], int]:
        """Read a page, and tell after which event the next one begins."""
        # Asked for before reading: what comes meanwhile is read the next time.
        newest = None if query == EVERYTHING else self.store.last()
        events = self.store.read(after, limit, query)
        if events and (newest is None or len(events) == limit):
            return events, events[-1].sequence
        seen = max(events[-1].sequence if events else after, newest.sequence if newest else 0)
        return events, max(after, seen)

    def _wake(self) -> None:
        with self._lock:
            for loop, event in self._wakers:
                with suppress(RuntimeError):  # a loop that is gone has nobody to wake
                    loop.call_soon_threadsafe(event.set)

    def _watch(self) -> None:
        with self._lock:
            if self._closed.is_set():
                raise PermanentError("the journal is closed", where=self.store.name)
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._follow, name="journal-watch", daemon=True
                )
                self._watcher.start()

    def _follow(self) -> None:
        watch = None
        while not self._closed.is_set():
            try:
                watch = watch or self.store.watch()
                if watch.wait(WATCH_S):
                    self._wake()
            except DependencyError:
                # The store is down: its readers find out and say so; look again soon.
                if watch is not None:
                    watch.close()
                watch = None
                self._closed.wait(WATCH_S)
                self._wake()
        if watch is not None:
            watch.close()


def open_store(path: Path | str, *, read_only: bool = False) -> Store:
    """Open the store that a path or an address names."""
    address = str(path)
    if not address.startswith(("postgresql://", "postgres://")):
        return SqliteStore(Path(path), read_only=read_only)
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    schema_name = options.pop("schema", "freqfleet")
    url = urlunsplit(parts._replace(query=urlencode(options)))
    return PostgresStore(url, schema_name=schema_name)


def _own(kind: str, said: BaseModel) -> Draft:
    return Draft(kind, "journal", "journal", said)


def _draft(kind: str, told: Told) -> Draft:
    return Draft(
        kind,
        told["actor"],
        told["source"],
        told.get("payload"),
        told.get("bot", ""),
        _sequence(told.get("cause")),
        told.get("address", ""),
    )


def _sequence(cause: "int | Event | Future[list[Event]] | None") -> int | None:
    if isinstance(cause, Future):
        return None  # the writer knows it by then
    return cause.sequence if isinstance(cause, Event) else cause
