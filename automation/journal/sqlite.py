"""The journal in one SQLite file (WAL, synchronous=FULL), shared by several processes.

Decides the tables, the indexes and how faults of the disk are named. A transaction takes the file's
write lock first (BEGIN IMMEDIATE) and only then looks for the last hash, so the chain stays one
chain whoever writes. Readers never block writers: WAL, and every read is one short page.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from automation.core.errors import ConfigError, DependencyError, PermanentError, TransientError
from automation.journal.event import GENESIS, Event, chain, digest_of
from automation.journal.store import EVERYTHING, Batch, Link, Query

FORMAT = 1
POLL_S = 0.1
BUSY_TIMEOUT_S = 30.0
LINKS_PER_PAGE = 5_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, kind TEXT NOT NULL,
    version INTEGER NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL, source TEXT NOT NULL,
    bot TEXT NOT NULL, cause INTEGER, payload TEXT, digest BLOB, hash BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_time ON events (time_us);
CREATE INDEX IF NOT EXISTS events_kind ON events (kind);
CREATE INDEX IF NOT EXISTS events_actor ON events (actor);
CREATE INDEX IF NOT EXISTS events_bot ON events (bot) WHERE bot <> '';
CREATE INDEX IF NOT EXISTS events_address ON events (address) WHERE address <> '';
CREATE INDEX IF NOT EXISTS events_cause ON events (cause) WHERE cause IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_keep BEFORE UPDATE ON events
    WHEN NEW.payload IS NOT NULL OR NEW.digest IS NULL OR NEW.hash <> OLD.hash
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE IF NOT EXISTS offsets (
    consumer TEXT PRIMARY KEY, sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL,
    created_us INTEGER NOT NULL, due_us INTEGER NOT NULL, attempts INTEGER NOT NULL,
    result TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due_us) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS checkpoints (
    sequence INTEGER PRIMARY KEY, record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS snapshots (
    fold TEXT NOT NULL, version INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL,
    state BLOB NOT NULL, PRIMARY KEY (fold, version, sequence)
) STRICT, WITHOUT ROWID;
"""

# The hash before is not stored twice: it stands in the row before.
_COLUMNS = """e.sequence, e.time_us, e.kind, e.version, e.actor, e.address, e.source, e.bot,
    e.cause, coalesce(e.payload, ''), e.digest,
    coalesce((SELECT p.hash FROM events p WHERE p.sequence = e.sequence - 1), zeroblob(32)), e.hash
"""
# Cast to bytes: a tampered text may not even be UTF-8, and verification must still name it.
_LINK = """SELECT sequence, CAST(
    sequence || char(10) || time_us || char(10) || kind || char(10) || version || char(10)
    || actor || char(10) || address || char(10) || source || char(10) || bot || char(10)
    || coalesce(cause, '') AS BLOB), CAST(payload AS BLOB), digest, hash
    FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"""
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"
_NO_END = 2**63 - 1

_FAULTS: tuple[tuple[str, type[ConfigError | DependencyError], str], ...] = (
    ("SQLITE_NOTADB", ConfigError, "this file is no journal; name another file"),
    ("SQLITE_FULL", TransientError, "the disk takes no more; free some space"),
    ("SQLITE_IOERR", TransientError, "the disk refuses; free some space or check the disk"),
    ("SQLITE_BUSY", TransientError, "another program holds the journal; close it"),
    ("SQLITE_LOCKED", TransientError, "another program holds the journal; close it"),
    (
        "SQLITE_READONLY",
        TransientError,
        "the journal cannot be written; make the file and its folder writable",
    ),
    (
        "SQLITE_CORRUPT",
        PermanentError,
        "the file is damaged; stop the fleet, run `freqfleet journal verify`, restore a backup",
    ),
    (
        "SQLITE_CANTOPEN",
        ConfigError,
        "the journal cannot be opened; check that its folder exists and may be written",
    ),
)


class SqliteStore:
    """A journal in one file; `path` None keeps it in memory, for tests."""

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        """Open or create the file; ConfigError when it is no journal."""
        self._path, self._read_only = path, read_only
        self._closed = False
        self._writing = threading.RLock()
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        with self._faults():
            self._writer = self._connect()
            try:
                self._create()
            except BaseException:
                self._writer.close()
                raise

    @property
    def name(self) -> str:
        """The file, or `memory`."""
        return str(self._path) if self._path else "memory"

    def write(self, batches: Sequence[Batch]) -> list[list[Event]]:
        """Make all batches durable in one transaction; events come back per batch."""
        with self._writing, self._faults():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                written = self._write(batches)
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
            return written

    def read(
        self, after: int, limit: int, query: Query = EVERYTHING, *, newest_first: bool = False
    ) -> list[Event]:
        """Read at most `limit` events with a sequence above `after` that match the query."""
        where, values = _condition(query)
        order = "DESC" if newest_first else "ASC"
        sql = (
            f"SELECT {_COLUMNS} FROM events e WHERE e.sequence > ?{where}"  # noqa: S608
            f" ORDER BY e.sequence {order} LIMIT ?"
        )
        with self._reading() as connection:
            rows = connection.execute(sql, (after, *values, limit)).fetchall()
        return [_event(row) for row in rows]

    def last(self) -> Event | None:
        """Read the newest event."""
        events = self.read(0, 1, newest_first=True)
        return events[0] if events else None

    def links(self, after: int, until: int | None = None) -> Iterator[Link]:
        """Read what verification needs, in order, a page at a time."""
        end = _NO_END if until is None else until
        while True:
            with self._reading() as connection:
                rows = connection.execute(_LINK, (after, end, LINKS_PER_PAGE)).fetchall()
            if not rows:
                return
            yield from rows
            after = rows[-1][0]

    def offsets(self) -> dict[str, int]:
        """Read how far every consumer has come."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT consumer, sequence FROM offsets").fetchall())

    def watch(self) -> "SqliteWatch":
        """Start to watch for appends."""
        with self._faults():
            return SqliteWatch(None if self._path is None else self._connect())

    def close(self) -> None:
        """Close every connection; durable is what was acknowledged."""
        self._closed = True
        with self._writing:
            while not self._readers.empty():
                self._readers.get().close()
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        if self._path is None:
            target = ":memory:"
        else:
            mode = "ro" if self._read_only else "rwc"
            target = f"{self._path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            target,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_S,
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA journal_size_limit=67108864")
        return connection

    def _create(self) -> None:
        connection = self._writer
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > FORMAT:
            raise ConfigError(
                f"this journal has format {found}, newer than {FORMAT}",
                where=self.name,
                cure="update Freqfleet",
            )
        if self._read_only or found == FORMAT:
            return
        _enter_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if tables and "events" not in tables:
            connection.execute("ROLLBACK")
            raise ConfigError(
                "this file is a database of something else",
                where=self.name,
                cure="name another file",
            )
        for statement in _statements(_SCHEMA):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")

    def _write(self, batches: Sequence[Batch]) -> list[list[Event]]:
        execute = self._writer.execute
        sequence, last_hash = execute(
            "SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1"
        ).fetchone() or (0, GENESIS)
        written = []
        for batch in batches:
            events = chain(batch.entries, sequence, last_hash)
            if events:
                sequence, last_hash = events[-1].sequence, events[-1].hash
                self._writer.executemany(_INSERT, [(*e[:10], e.hash) for e in events])
            for effect in batch.effects:
                execute(
                    "INSERT OR IGNORE INTO outbox VALUES (?, ?, ?, 'pending', ?, 0, 0, '')",
                    (effect.key, effect.kind, effect.payload_json, effect.created_us),
                )
            for consumer, offset in batch.offsets.items():
                execute(
                    "INSERT INTO offsets VALUES (?, ?) ON CONFLICT (consumer)"
                    " DO UPDATE SET sequence = excluded.sequence",
                    (consumer, offset),
                )
            written.append(events)
        return written

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._path is None:
            with self._writing, self._faults():
                yield self._writer
            return
        with self._faults():
            try:
                connection = self._readers.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._readers.put(connection)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._named(error) from error

    def _named(self, error: sqlite3.Error) -> DependencyError | ConfigError:
        code = str(getattr(error, "sqlite_errorname", ""))
        for start, kind, sentence in _FAULTS:
            if code.startswith(start):
                return kind(f"{sentence} ({error})", where=self.name)
        return TransientError(f"the journal's store failed ({error})", where=self.name)


class SqliteWatch:
    """Sees appends by SQLite's data version, which other connections' commits move."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        """Start from what is there now; None for a store that nobody else can write."""
        self._connection = connection
        self._seen = self._version()

    def wait(self, timeout_s: float) -> bool:
        """Wait for an append; False when the time-out passed without one."""
        deadline = time.monotonic() + timeout_s
        while (version := self._version()) == self._seen:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(POLL_S, left_s))
        self._seen = version
        return True

    def close(self) -> None:
        """Close the watch's own connection."""
        if self._connection is not None:
            self._connection.close()

    def _version(self) -> int:
        if self._connection is None:
            return 0
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def _event(row: tuple[Any, ...]) -> Event:
    payload, digest = row[9], row[10]
    if digest is None:
        digest = digest_of(payload)
    return Event._make((*row[:10], digest, *row[11:]))


def _condition(query: Query) -> tuple[str, list[Any]]:
    clauses: list[str] = []
    values: list[Any] = []
    for column in ("actor", "address", "source", "bot"):
        if wanted := getattr(query, column):
            # The second half lets SQLite use the partial indexes.
            clauses.append(f"e.{column} = ? AND e.{column} <> ''")
            values.append(wanted)
    if query.kinds:
        parts = []
        for kind in query.kinds:
            if kind.endswith(".*"):
                parts.append("(e.kind >= ? AND e.kind < ?)")
                values += [kind[:-1], kind[:-2] + "/"]  # "/" follows "."
            else:
                parts.append("e.kind = ?")
                values.append(kind)
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
        clauses.append("instr(lower(e.payload), ?) > 0")
        values.append(query.needle)
    return "".join(f" AND {clause}" for clause in clauses), values


def _enter_wal(connection: sqlite3.Connection) -> None:
    # Two programs that create the file at once: SQLite does not wait here by itself.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
