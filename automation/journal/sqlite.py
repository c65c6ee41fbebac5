"""The journal in one SQLite file (WAL, synchronous=FULL), shared by several processes.

Decides how the file is opened, locked and watched, and how faults of the disk are named. A
transaction takes the file's write lock first (BEGIN IMMEDIATE) and only then looks for the last
hash, so the chain stays one chain whoever writes. Readers never block writers: WAL, short pages.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from automation.core.errors import ConfigError, DependencyError, PermanentError, TransientError
from automation.journal.event import Event
from automation.journal.sql import Dialect, Rows, Session, SqlStore, schema
from automation.journal.store import Query

FORMAT = 2
POLL_S = 0.1
BUSY_TIMEOUT_S = 30.0
SHORT_PERIOD_EVENTS = 20_000
NO_BOUND = 2**62

_TRIGGERS = (
    """CREATE TRIGGER IF NOT EXISTS events_stay BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER IF NOT EXISTS events_keep BEFORE UPDATE ON events
    WHEN NEW.payload IS NOT NULL OR NEW.digest IS NULL OR NEW.hash <> OLD.hash
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
)

# Numbered as the fields of Event: digest (11) and previous (12) follow from the rest.
_INSERT = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, ?13)"

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


class SqliteStore(SqlStore):
    """A journal in one file; `path` None keeps it in memory, for tests."""

    dialect = Dialect(
        integer="INTEGER",
        text="TEXT",
        binary="BLOB",
        table_end=" STRICT",
        ordered="",
        newline="'\n'",
        as_bytes="CAST({} AS BLOB)",
        contains="instr(lower(e.payload), ?) > 0",
        no_hash="zeroblob(32)",
    )

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        """Open or create the file; ConfigError when it is no journal."""
        super().__init__()
        self._path, self._read_only = path, read_only
        self._inode = 0
        with self._faults():
            self._writer = self._connect()
            try:
                self._create(self._writer.raw)
                self._inode = self._inode_now()
            except BaseException:
                self._writer.close()
                raise

    @property
    def name(self) -> str:
        """The file, or `memory`."""
        return str(self._path) if self._path else "memory"

    def watch(self) -> "SqliteWatch":
        """Start to watch for appends."""
        with self._faults():
            return SqliteWatch(None if self._path is None else self._connect().raw)

    def close(self) -> None:
        """Close every connection; durable is what was acknowledged."""
        self._close_idle()
        with self._writing:
            self._writer.close()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with self._writing, self._faults():
            self._check_place()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                if _needs_reopening(error) and not self._closed:
                    self._reopen()
                raise

    def _check_place(self) -> None:
        # SQLite itself would go on writing to a file that nobody will find again.
        if self._inode_now() != self._inode:
            raise PermanentError(
                "the journal's file was moved, replaced or deleted while it was open",
                where=self.name,
                cure="put it back, or stop the fleet and start it again",
            )

    def _inode_now(self) -> int:
        try:
            return self._path.stat().st_ino if self._path else 0
        except OSError:
            return -1

    def _reopen(self) -> None:
        # A file that was read-only when it was opened stays so for its connection.
        if self._path is not None:
            with suppress(sqlite3.Error):
                fresh = self._connect()
                self._writer.close()
                self._writer = fresh

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        if self._path is None:
            with self._writing, self._faults():
                yield self._writer
        else:
            with super()._reading() as session:
                yield session

    def _hint(self, session: Session, query: Query) -> str:
        # SQLite keeps no statistics here and would walk through all events for a short period.
        if query.since_us is None and query.until_us is None:
            return ""
        since_us = -NO_BOUND if query.since_us is None else query.since_us
        until_us = NO_BOUND if query.until_us is None else query.until_us
        found = session.execute(
            "SELECT count(*) FROM (SELECT 1 FROM events WHERE time_us >= ? AND time_us < ? LIMIT ?)",
            (since_us, until_us, SHORT_PERIOD_EVENTS + 1),
        )
        return " INDEXED BY events_time" if found[0][0] <= SHORT_PERIOD_EVENTS else ""

    def _connect(self) -> "SqliteSession":
        if self._path is None:
            target = ":memory:"
        else:
            mode = "ro" if self._read_only else "rwc"
            if self._read_only and _is_at_rest(self._path):
                mode = "ro&immutable=1"
            target = f"{self._path.absolute().as_uri()}?mode={mode}"
        raw = sqlite3.connect(
            target,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_S,
        )
        try:
            raw.execute("PRAGMA synchronous=FULL")
            raw.execute("PRAGMA wal_autocheckpoint=4000")
            raw.execute("PRAGMA journal_size_limit=67108864")
        except BaseException:  # the file is no database
            raw.close()
            raise
        return SqliteSession(raw)

    def _create(self, raw: sqlite3.Connection) -> None:
        found = raw.execute("PRAGMA user_version").fetchone()[0]
        tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_master")}
        if tables and "events" not in tables:
            raise ConfigError(
                "this file is a database of something else",
                where=self.name,
                cure="name another file",
            )
        if found > FORMAT:
            raise ConfigError(
                f"this journal has format {found}, newer than {FORMAT}",
                where=self.name,
                cure="update Freqfleet",
            )
        if self._read_only or found == FORMAT:
            return
        _enter_wal(raw)
        raw.execute("BEGIN IMMEDIATE")
        for statement in (*schema(self.dialect), *_TRIGGERS):
            raw.execute(statement)
        raw.execute(f"PRAGMA user_version={FORMAT}")
        raw.execute("COMMIT")

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
        if code in {"SQLITE_ERROR", "SQLITE_CONSTRAINT_TRIGGER"}:
            return PermanentError(f"the journal refuses ({error})", where=self.name)
        return TransientError(f"the journal's store failed ({error})", where=self.name)


class SqliteSession:
    """One connection to the file."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        """Speak through an open connection."""
        self.raw = raw

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement and fetch its rows."""
        return self.raw.execute(sql, values).fetchall()

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement that gives no rows."""
        self.raw.execute(sql, values)

    def add(self, events: Sequence[Event]) -> None:
        """Insert events."""
        self.raw.executemany(_INSERT, events)

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()


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


def _is_at_rest(path: Path) -> bool:
    """Tell whether nobody can be writing: then SQLite reads without making files of its own."""
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() and not os.access(path.parent, os.W_OK)


def _needs_reopening(error: BaseException) -> bool:
    code = str(getattr(error, "sqlite_errorname", ""))
    return code.startswith(("SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN"))


def _enter_wal(raw: sqlite3.Connection) -> None:
    # Two programs that create the file at once: SQLite does not wait here by itself.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
