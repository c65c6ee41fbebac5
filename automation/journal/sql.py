"""What both SQL stores have in common: tables, statements, and how rows become events.

Decides the order inside a transaction: first the lock, then the last hash, then the new events.
Refuses to know how a connection is made, waits or fails; `sqlite` and `postgres` say that.
"""

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from automation.core.errors import TransientError
from automation.journal.event import GENESIS, Event, chain, digest_of
from automation.journal.store import (
    EVERYTHING,
    Batch,
    EffectState,
    LeaseRecord,
    Link,
    More,
    PendingEffect,
    Query,
    Snapshot,
    Watch,
    nothing_more,
)

LINKS_PER_PAGE = 1_000
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where the two databases speak differently."""

    integer: str
    text: str
    binary: str
    table_end: str
    ordered: str
    """What an index needs beside its column to give events in order."""
    newline: str
    as_bytes: str
    """A template that turns a text expression into its bytes."""
    contains: str
    """A condition on the payload with one parameter."""
    no_hash: str


class Session(Protocol):
    """One connection inside a transaction, or reading."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement and fetch its rows."""
        ...

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement that gives no rows; its error may come later in the transaction."""
        ...

    def add(self, events: Sequence[Event]) -> None:
        """Insert events."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def schema(dialect: Dialect) -> list[str]:
    """Give the statements that make the tables and their indexes."""
    integer, text, binary = dialect.integer, dialect.text, dialect.binary
    ordered, end = dialect.ordered, dialect.table_end
    return [
        f"""CREATE TABLE IF NOT EXISTS events (
            sequence {integer} PRIMARY KEY, time_us {integer} NOT NULL, kind {text} NOT NULL,
            version INTEGER NOT NULL, actor {text} NOT NULL, address {text} NOT NULL,
            source {text} NOT NULL, bot {text} NOT NULL, cause {integer}, payload {text},
            digest {binary}, hash {binary} NOT NULL){end}""",
        "CREATE INDEX IF NOT EXISTS events_time ON events (time_us)",
        f"CREATE INDEX IF NOT EXISTS events_kind ON events (kind{ordered})",
        f"CREATE INDEX IF NOT EXISTS events_actor ON events (actor{ordered})",
        f"CREATE INDEX IF NOT EXISTS events_bot ON events (bot{ordered}) WHERE bot <> ''",
        "CREATE INDEX IF NOT EXISTS events_address ON events (address) WHERE address <> ''",
        "CREATE INDEX IF NOT EXISTS events_cause ON events (cause) WHERE cause IS NOT NULL",
        f"""CREATE TABLE IF NOT EXISTS offsets (
            consumer {text} PRIMARY KEY, sequence {integer} NOT NULL){end}""",
        f"""CREATE TABLE IF NOT EXISTS outbox (
            key {text} PRIMARY KEY, kind {text} NOT NULL, payload {text} NOT NULL, state {text} NOT NULL,
            created_us {integer} NOT NULL, due_us {integer} NOT NULL, attempts INTEGER NOT NULL,
            result {text} NOT NULL){end}""",
        "CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due_us) WHERE state = 'pending'",
        f"""CREATE TABLE IF NOT EXISTS checkpoints (
            sequence {integer} PRIMARY KEY, record {text} NOT NULL){end}""",
        f"""CREATE TABLE IF NOT EXISTS snapshots (
            fold {text} NOT NULL, version INTEGER NOT NULL, sequence {integer} NOT NULL,
            hash {binary} NOT NULL, state {binary} NOT NULL,
            PRIMARY KEY (fold, version, sequence)){end}""",
        f"""CREATE TABLE IF NOT EXISTS leases (
            name {text} PRIMARY KEY, holder {text} NOT NULL, place {text} NOT NULL,
            term {integer} NOT NULL, beat {integer} NOT NULL){end}""",
    ]


class SqlStore(ABC):
    """A journal in a SQL database; implements `store.Store`."""

    dialect: Dialect

    def __init__(self) -> None:
        """Prepare the pool of reading connections."""
        self._writing = threading.RLock()
        self._idle: queue.SimpleQueue[Session] = queue.SimpleQueue()
        self._closed = False
        self._unsure: list[tuple[Batch, list[Event]]] = []

    @property
    @abstractmethod
    def name(self) -> str:
        """Say where the journal is, without secrets."""

    @abstractmethod
    def watch(self) -> Watch:
        """Start to watch for appends."""

    @abstractmethod
    def close(self) -> None:
        """Give up connections and files."""

    @abstractmethod
    def _transaction(self) -> Any:
        """Give a context with a `Session` that holds the write lock and commits at its end."""

    @abstractmethod
    def _connect(self) -> Session:
        """Make a connection."""

    @abstractmethod
    def _faults(self) -> Any:
        """Give a context that turns the driver's errors into ours."""

    def write(self, batches: Sequence[Batch], more: More = nothing_more) -> list[list[Event]]:
        """Make all batches durable in one transaction; events come back per batch."""
        written: list[list[Event]] = []
        try:
            with self._transaction() as session:
                settled = self._settled(session)
                newest = _newest(session)
                batches = [*batches, *more()]  # the lock is held: nobody else gets in between
                written = self._write(session, batches, settled, newest)
        except TransientError:
            # The connection may have died after the commit: the next write looks.
            if len(written) == len(batches):
                self._unsure = list(zip(batches, written, strict=True))
            raise
        self._unsure = []
        return written

    def read(
        self, after: int, limit: int, query: Query = EVERYTHING, *, newest_first: bool = False
    ) -> list[Event]:
        """Read at most `limit` events with a sequence above `after` that match the query."""
        where, values = self._condition(query)
        with self._reading() as session:
            # The hash before is not stored twice: it stands in the row before.
            sql = f"""SELECT e.sequence, e.time_us, e.kind, e.version, e.actor, e.address, e.source,
            e.bot, e.cause, coalesce(e.payload, ''), e.digest,
            coalesce((SELECT p.hash FROM events p WHERE p.sequence = e.sequence - 1),
            {self.dialect.no_hash}), e.hash
            FROM events e{self._hint(session, query)} WHERE e.sequence > ?{where}
            ORDER BY e.sequence {"DESC" if newest_first else "ASC"} LIMIT ?"""  # noqa: S608
            rows = session.execute(sql, (after, *values, limit))
        return [_event(row) for row in rows]

    def last(self) -> Event | None:
        """Read the newest event."""
        events = self.read(0, 1, newest_first=True)
        return events[0] if events else None

    def links(self, after: int, until: int | None = None) -> Iterator[Link]:
        """Read what verification needs, in order, a page at a time."""
        bytes_of, newline = self.dialect.as_bytes.format, self.dialect.newline
        columns = ["sequence", "time_us", "kind", "version", "actor", "address", "source", "bot"]
        head = f" || {newline} || ".join([*columns, "coalesce(CAST(cause AS TEXT), '')"])
        # As bytes: a tampered text may not even be UTF-8, and verification must still name it.
        sql = f"""SELECT sequence, {bytes_of(head)}, {bytes_of("payload")}, digest, hash
            FROM events WHERE sequence > ? AND sequence <= ?
            ORDER BY sequence LIMIT {LINKS_PER_PAGE}"""  # noqa: S608
        end = 2**63 - 1 if until is None else until
        while True:
            with self._reading() as session:
                rows = session.execute(sql, (after, end))
            yield from rows  # type: ignore[misc]
            if len(rows) < LINKS_PER_PAGE:
                return
            after = rows[-1][0]

    def offsets(self) -> dict[str, int]:
        """Read how far every consumer has come."""
        with self._reading() as session:
            return {row[0]: row[1] for row in session.execute("SELECT * FROM offsets")}

    def claim(
        self, limit: int, now_us: int, lease_us: int, kinds: Collection[str]
    ) -> list[PendingEffect]:
        """Take due effects, the oldest first; nobody else gets them before the lease ends."""
        if not kinds:
            return []
        marks = ", ".join("?" * len(kinds))
        due = f"state = 'pending' AND due_us <= ? AND kind IN ({marks})"
        with self._reading() as session:
            # Without the write lock first: mostly nothing is due.
            sql = f"SELECT 1 FROM outbox WHERE {due} LIMIT 1"  # noqa: S608
            if not session.execute(sql, (now_us, *kinds)):
                return []
        sql = f"""UPDATE outbox SET due_us = ?, attempts = attempts + 1 WHERE key IN
            (SELECT key FROM outbox WHERE {due} ORDER BY due_us, created_us LIMIT ?)
            RETURNING *"""  # noqa: S608
        with self._transaction() as session:
            rows = session.execute(sql, (now_us + lease_us, now_us, *kinds, limit))
        return sorted((PendingEffect(*row) for row in rows), key=lambda e: (e.created_us, e.key))

    def effects(self, state: EffectState, limit: int) -> list[PendingEffect]:
        """Read effects in one state, the oldest first."""
        sql = "SELECT * FROM outbox WHERE state = ? ORDER BY created_us, key LIMIT ?"
        with self._reading() as session:
            return [PendingEffect(*row) for row in session.execute(sql, (state, limit))]

    def lease(self, name: str) -> LeaseRecord | None:
        """Read a lease; None when nobody ever took it."""
        sql = "SELECT holder, place, term, beat FROM leases WHERE name = ?"
        with self._reading() as session:
            rows = session.execute(sql, (name,))
        return LeaseRecord(*rows[0]) if rows else None

    def swap_lease(self, name: str, was: LeaseRecord | None, now: LeaseRecord) -> bool:
        """Put a lease's new record in place of the one that was read; False when that has changed."""
        wanted = (now.holder, now.place, now.term, now.beat)
        with self._transaction() as session:
            if was is None:
                sql = "INSERT INTO leases VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1"
                rows = session.execute(sql, (name, *wanted))
            else:
                sql = (
                    "UPDATE leases SET holder = ?, place = ?, term = ?, beat = ?"
                    " WHERE name = ? AND holder = ? AND place = ? AND term = ? AND beat = ?"
                    " RETURNING 1"
                )
                known = (was.holder, was.place, was.term, was.beat)
                rows = session.execute(sql, (*wanted, name, *known))
        return bool(rows)

    def add_checkpoint(self, sequence: int, record: str) -> None:
        """Keep a signed checkpoint."""
        with self._transaction() as session:
            session.run(
                "INSERT INTO checkpoints VALUES (?, ?) ON CONFLICT (sequence)"
                " DO UPDATE SET record = excluded.record",
                (sequence, record),
            )

    def checkpoints(self) -> list[str]:
        """Read all checkpoints, the oldest first."""
        with self._reading() as session:
            rows = session.execute("SELECT record FROM checkpoints ORDER BY sequence")
        return [row[0] for row in rows]

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot beside the others of its fold."""
        with self._transaction() as session:
            session.run(
                "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (fold, version, sequence)"
                " DO UPDATE SET hash = excluded.hash, state = excluded.state",
                (snapshot.fold, snapshot.version, snapshot.sequence, snapshot.hash, snapshot.state),
            )

    def snapshots(self, fold: str, version: int) -> list[Snapshot]:
        """Read the snapshots of a fold, the newest first."""
        sql = "SELECT * FROM snapshots WHERE fold = ? AND version = ? ORDER BY sequence DESC"
        with self._reading() as session:
            return [Snapshot(*row) for row in session.execute(sql, (fold, version))]

    def drop_snapshots(self, fold: str, sequences: Collection[int]) -> None:
        """Forget snapshots of a fold."""
        with self._transaction() as session:
            for sequence in sequences:
                session.run(
                    "DELETE FROM snapshots WHERE fold = ? AND sequence = ?", (fold, sequence)
                )

    def drop_payloads(self, first: int, last: int, keep_kinds: Collection[str]) -> int:
        """Replace payloads by their digests in one stretch; how many were dropped."""
        kept = "".join(" AND kind <> ?" for _ in keep_kinds)
        sql = f"""SELECT sequence, payload FROM events WHERE sequence >= ? AND sequence <= ?
            AND payload IS NOT NULL{kept} ORDER BY sequence LIMIT {LINKS_PER_PAGE}"""  # noqa: S608
        dropped = 0
        while True:
            # In pieces: nobody who appends waits long for the lock.
            with self._transaction() as session:
                rows = session.execute(sql, (first, last, *sorted(keep_kinds)))
                for sequence, payload in rows:
                    session.run(
                        "UPDATE events SET payload = NULL, digest = ? WHERE sequence = ?",
                        (digest_of(payload), sequence),
                    )
            dropped += len(rows)
            if len(rows) < LINKS_PER_PAGE:
                return dropped

    def _settled(self, session: Session) -> dict[int, list[Event]]:
        """Find batches whose commit was in doubt and did reach the store."""
        for _, events in self._unsure:
            if events:
                first = events[0]
                rows = session.execute("SELECT hash FROM events WHERE sequence = ?", (first[0],))
                if not rows or rows[0][0] != first.hash:
                    return {}
                return {id(batch): done for batch, done in self._unsure}
        return {}

    def _write(
        self,
        session: Session,
        batches: Sequence[Batch],
        settled: dict[int, list[Event]],
        newest: tuple[int, bytes],
    ) -> list[list[Event]]:
        sequence, last_hash = newest
        written, added = [], []
        for batch in batches:
            if id(batch) in settled:
                written.append(settled[id(batch)])
                continue
            events = chain(batch.entries, sequence, last_hash)
            if events:
                sequence, last_hash = events[-1].sequence, events[-1].hash
            added += events
            written.append(events)
            self._write_rest(session, batch)
        if added:
            session.add(added)
        return written

    def _write_rest(self, session: Session, batch: Batch) -> None:
        for effect in batch.effects:
            session.run(
                "INSERT INTO outbox VALUES (?, ?, ?, 'pending', ?, ?, 0, '')"
                " ON CONFLICT (key) DO NOTHING",
                (effect.key, effect.kind, effect.payload_json, effect.created_us, 0),
            )
        for settlement in batch.settlements:
            session.run(
                "UPDATE outbox SET state = ?, due_us = ?, result = ? WHERE key = ?",
                (settlement.state, settlement.due_us, settlement.result, settlement.key),
            )
        for consumer, offset in batch.offsets.items():
            session.run(
                "INSERT INTO offsets VALUES (?, ?) ON CONFLICT (consumer)"
                " DO UPDATE SET sequence = excluded.sequence",
                (consumer, offset),
            )

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._faults():
            try:
                session = self._idle.get_nowait()
            except queue.Empty:
                session = self._connect()
            try:
                yield session
            except BaseException:
                session.close()  # whatever state it is in, the next reader gets a fresh one
                raise
            if self._closed:
                session.close()
            else:
                self._idle.put(session)

    def _close_idle(self) -> None:
        self._closed = True
        while not self._idle.empty():
            self._idle.get().close()

    def _hint(self, session: Session, query: Query) -> str:
        """Tell the planner which index to take, where it does not know better itself."""
        del session, query
        return ""

    def _condition(self, query: Query) -> tuple[str, list[Any]]:
        clauses: list[str] = []
        values: list[Any] = []
        for column in ("actor", "address", "source", "bot"):
            if wanted := getattr(query, column):
                # The second half lets the planner use the partial indexes.
                clauses.append(f"e.{column} = ? AND e.{column} <> ''")
                values.append(wanted)
        if query.kinds:
            parts = [_kind_condition(kind, values) for kind in query.kinds]
            clauses.append(f"({' OR '.join(parts)})")
        for clause, bound in (
            ("e.cause = ?", query.cause),
            ("e.time_us >= ?", query.since_us),
            ("e.time_us < ?", query.until_us),
        ):
            if bound is not None:
                clauses.append(clause)
                values.append(bound)
        if query.text:
            clauses.append(self.dialect.contains)
            values.append(query.needle)
        return "".join(f" AND {clause}" for clause in clauses), values


def _kind_condition(kind: str, values: list[Any]) -> str:
    if kind.endswith(".*"):
        values += [kind[:-1], kind[:-2] + "/"]  # "/" follows "." in the order of bytes
        return "(e.kind >= ? AND e.kind < ?)"
    values.append(kind)
    return "e.kind = ?"


def _newest(session: Session) -> tuple[int, bytes]:
    rows = session.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1")
    return (rows[0][0], rows[0][1]) if rows else (0, GENESIS)


def _event(row: tuple[Any, ...]) -> Event:
    digest = digest_of(row[9]) if row[10] is None else row[10]
    return Event._make((*row[:10], digest, *row[11:]))
