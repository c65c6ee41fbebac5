"""Where studies and their trials are kept: one set of statements over SQLite and PostgreSQL.

Decides how a trial changes hands: planned by whoever needs the next batch, claimed with a lease,
finished once. Every method is one transaction and may be repeated after a failure of which nobody
knows whether it came before or after the commit. A worker that is gone loses its claims when its
lease ends, at once if it ran on this machine. Called by `search` and by `app`.
"""

import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil

from automation.core.errors import ConfigError, DependencyError, TransientError
from automation.core.tunings import Answer
from automation.tuning.study import (
    Planned,
    Row,
    State,
    Study,
    answer_of,
    answer_text,
    plan_of,
    plan_text,
    state_of,
    study_of,
)

LEASE_S = 30.0
_TABLES = (
    """CREATE TABLE IF NOT EXISTS studies (
        name TEXT PRIMARY KEY, document {blob} NOT NULL, target INTEGER NOT NULL,
        planned INTEGER NOT NULL, batch INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS trials (
        study TEXT NOT NULL, number INTEGER NOT NULL, batch INTEGER NOT NULL, plan {blob} NOT NULL,
        state SMALLINT NOT NULL, owner TEXT, lease_end DOUBLE PRECISION, answer {blob},
        PRIMARY KEY (study, number)) {rowid}""",
)
_CLAIMABLE = """SELECT number FROM trials WHERE study = ? AND number >= ? AND number < ?
    AND (state = 0 OR (state = 1 AND lease_end < ?)) ORDER BY number LIMIT ?"""


class Connection(Protocol):
    """What both databases offer: `?` for values, rows as tuples."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        ...

    def run_many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Run one statement for every row of values."""
        ...


class Database(Protocol):
    """Opens transactions, and says what differs between the two."""

    blob: str
    rowid: str
    lock_row: str
    skip_locked: str

    def transaction(self) -> Any:
        """Return a context that gives a `Connection` and commits at its end."""
        ...

    def now(self, connection: Connection) -> float:
        """Return the clock that leases go by, in epoch seconds."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Storage:
    """Studies and trials in a database."""

    def __init__(self, database: Database, url: str) -> None:
        """Use `database`; `url` is what a user would write, without a password."""
        self._database, self.url = database, url
        with database.transaction() as c:
            for table in _TABLES:
                c.run(table.format(blob=database.blob, rowid=database.rowid))

    def begin(self, study: Study, target: int) -> Study:
        """Store a study, or open the one of that name; it then runs up to `target` trials at least."""
        with self._database.transaction() as c:
            c.run(
                "INSERT INTO studies VALUES (?, ?, ?, 0, -1) ON CONFLICT (name) DO NOTHING",
                (study.name, study.to_json(), target),
            )
            c.run(
                "UPDATE studies SET target = ? WHERE name = ? AND target < ?",
                (target, study.name, target),
            )
        return self.study(study.name)

    def study(self, name: str) -> Study:
        """Return a study; raises ConfigError if there is none of that name."""
        with self._database.transaction() as c:
            rows = c.run("SELECT document FROM studies WHERE name = ?", (name,))
            known = [row[0] for row in c.run("SELECT name FROM studies ORDER BY name")]
        if not rows:
            cure = (
                f"there are: {', '.join(known[-8:])}" if known else "run `freqfleet tune run` first"
            )
            raise ConfigError(f"no study is named {name}", where=self.url, cure=cure)
        return study_of(bytes(rows[0][0]))

    def names(self) -> list[tuple[str, int, int]]:
        """Return every study's name, target, and how many trials are answered."""
        sql = """SELECT s.name, s.target, (SELECT count(*) FROM trials t WHERE t.study = s.name
            AND t.state >= 2 AND t.number < s.target) FROM studies s ORDER BY s.name"""
        with self._database.transaction() as c:
            return [(str(a), int(b), int(d)) for a, b, d in c.run(sql)]

    def target(self, name: str) -> int:
        """Return how many trials the study shall have."""
        with self._database.transaction() as c:
            return int(c.run("SELECT target FROM studies WHERE name = ?", (name,))[0][0])

    def plan(self, name: str, batch: int, trials: Sequence[Planned]) -> bool:
        """Store the next batch; False if another process has stored it meanwhile.

        An empty batch ends the study: the target becomes what is planned.
        """
        with self._database.transaction() as c:
            sql = "SELECT planned, batch FROM studies WHERE name = ? " + self._database.lock_row  # noqa: S608
            ((planned, last),) = c.run(sql, (name,))
            if last != batch - 1:
                return False
            rows = [(name, t.number, batch, plan_text(t)) for t in trials]
            c.run_many(
                "INSERT INTO trials (study, number, batch, plan, state) VALUES (?, ?, ?, ?, 0)",
                rows,
            )
            c.run(
                "UPDATE studies SET planned = ?, batch = ? WHERE name = ?",
                (planned + len(rows), batch, name),
            )
            if not rows:
                c.run("UPDATE studies SET target = ? WHERE name = ?", (planned, name))
        return True

    def claim(self, name: str, owner: str, first: int, target: int, count: int) -> list[int]:
        """Claim up to `count` trials from `first` to below `target`, lowest first; their numbers."""
        with self._database.transaction() as c:
            now = self._database.now(c)
            sql = f"{_CLAIMABLE} {self._database.skip_locked}"
            found = [int(row[0]) for row in c.run(sql, (name, first, target, now, count))]
            c.run_many(
                "UPDATE trials SET state = 1, owner = ?, lease_end = ? WHERE study = ? AND number = ?",
                [(owner, now + LEASE_S, name, number) for number in found],
            )
            return found

    def renew(self, name: str, owner: str) -> None:
        """Keep the owner's claims for another lease."""
        with self._database.transaction() as c:
            c.run(
                "UPDATE trials SET lease_end = ? WHERE study = ? AND owner = ? AND state = 1",
                (self._database.now(c) + LEASE_S, name, owner),
            )

    def finish(self, name: str, answers: Sequence[Answer]) -> None:
        """Store answers; a trial that has one keeps it."""
        rows = [(int(state_of(a)), answer_text(a), name, a.number) for a in answers]
        with self._database.transaction() as c:
            c.run_many(
                """UPDATE trials SET state = ?, answer = ?, owner = NULL, lease_end = NULL
                    WHERE study = ? AND number = ? AND state < 2""",
                rows,
            )

    def release(self, name: str, owner: str) -> None:
        """Give back what an owner claimed and did not finish."""
        with self._database.transaction() as c:
            c.run(
                "UPDATE trials SET state = 0, owner = NULL WHERE study = ? AND owner = ? AND state = 1",
                (name, owner),
            )

    def release_the_dead(self, name: str) -> None:
        """Give back the claims of processes of this machine that no longer live."""
        with self._database.transaction() as c:
            sql = "SELECT DISTINCT owner FROM trials WHERE study = ? AND state = 1"
            owners = [str(row[0]) for row in c.run(sql, (name,))]
        for owner in owners:
            if not _lives(owner):
                self.release(name, owner)

    def rows(self, name: str, first: int = 0) -> Iterator[Row]:
        """Yield trials from number `first` on, in order."""
        while True:
            with self._database.transaction() as c:
                sql = """SELECT number, batch, plan, state, answer FROM trials
                    WHERE study = ? AND number >= ? ORDER BY number LIMIT 2000"""
                found = c.run(sql, (name, first))
            for number, batch, plan, code, answer in found:
                state = State(code)
                told = None if answer is None else answer_of(number, state, bytes(answer))
                yield Row(plan_of(number, batch, bytes(plan)), state, told)
            if len(found) < 2000:
                return
            first = found[-1][0] + 1

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def owner_name() -> str:
    """Return a name for this process that no other has."""
    me = psutil.Process()
    return f"{socket.gethostname()}:{me.pid}:{me.create_time():.2f}"


def _lives(owner: str) -> bool:
    """Tell whether an owner may still live; of another machine nobody here knows."""
    host, _, rest = owner.rpartition(":")[0].partition(":")
    started = owner.rpartition(":")[2]
    if host != socket.gethostname():
        return True
    try:
        return f"{psutil.Process(int(rest)).create_time():.2f}" == started
    except (psutil.NoSuchProcess, ValueError):
        return False


class _Sqlite:
    """One file. Writes are in the log before they are answered; a killed process loses none."""

    blob, rowid, lock_row, skip_locked = "BLOB", "WITHOUT ROWID", "", ""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._raw = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unreachable(str(path), error) from None
        try:
            self._raw.execute("PRAGMA journal_mode = WAL")
            self._raw.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            self._raw.close()
            raise _unreachable(str(path), error) from None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        try:
            self._raw.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self._raw.execute("COMMIT")
            except BaseException:
                self._raw.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise _unreachable(str(self._path), error) from None

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._raw.execute(sql, values).fetchall()

    def run_many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        self._raw.executemany(sql, values)

    def now(self, connection: Connection) -> float:  # noqa: ARG002 - the other one asks its server
        return time.time()

    def close(self) -> None:
        self._raw.close()


class _Postgres:
    """A server that several machines share; a lost connection is made anew at the next use."""

    blob, rowid = "BYTEA", ""
    lock_row, skip_locked = "FOR UPDATE", "FOR UPDATE SKIP LOCKED"

    def __init__(self, url: str, shown: str) -> None:
        try:
            import psycopg  # noqa: PLC0415  an optional part
        except ImportError:
            cure = "run `pip install 'freqfleet[services]'`"
            raise ConfigError(
                "a study in PostgreSQL needs psycopg", where="--storage", cure=cure
            ) from None
        self._psycopg, self._url, self._shown = psycopg, url, shown
        self._raw: Any = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        try:
            if self._raw is None or self._raw.closed:
                self._raw = self._psycopg.connect(self._url, connect_timeout=5)
            with self._raw.transaction():
                yield self
        except self._psycopg.OperationalError as error:
            self.close()
            raise TransientError(
                f"the storage does not answer: {_first_line(error)}", where=self._shown
            ) from None
        except self._psycopg.Error as error:
            raise _unreachable(self._shown, error) from None

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._raw.execute(sql.replace("?", "%s"), values)
        return cursor.fetchall() if cursor.description else []

    def run_many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        if values:
            with self._raw.cursor() as cursor:
                cursor.executemany(sql.replace("?", "%s"), values)

    def now(self, connection: Connection) -> float:
        return float(connection.run("SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
            self._raw = None


def open_storage(url: str) -> Storage:
    """Open `sqlite:///path`, a path, or `postgresql://…`; DependencyError where it cannot be reached."""
    if url.startswith(("postgresql://", "postgres://")):
        shown = _without_password(url)
        return Storage(_Postgres(url, shown), shown)
    if "://" in url and not url.startswith("sqlite:///"):
        kind = url.split("://", 1)[0]
        cure = "use a file, sqlite:///… or postgresql://…"
        raise ConfigError(f"{kind} is no storage", where="--storage", cure=cure)
    path = Path(url.removeprefix("sqlite:///")).expanduser()
    return Storage(_Sqlite(path), os.fspath(path))


def _unreachable(shown: str, error: BaseException) -> DependencyError:
    cure = "check that it is there and may be written"
    return DependencyError(
        f"the storage cannot be used: {_first_line(error)}", where=shown, cure=cure
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}".split("?", 1)[0]
