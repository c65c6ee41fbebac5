"""The journal in PostgreSQL, for fleets that several hosts share.

Decides how connections are made, how writers take turns (an advisory lock for the length of a
transaction) and how others are woken (NOTIFY in the same transaction). A connection that broke is
made anew at the next use. Needs psycopg, which comes with `pip install freqfleet[services]`.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from automation.core.errors import ConfigError, PermanentError, TransientError
from automation.core.masking import mask
from automation.journal.event import Event
from automation.journal.sql import Dialect, Rows, Session, SqlStore, schema

if TYPE_CHECKING:
    import psycopg

FORMAT = 2
CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_S = 30

_TRIGGERS = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.payload IS NULL AND NEW.digest IS NOT NULL
        AND NEW.hash = OLD.hash THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the journal is append-only';
END $$;
DROP TRIGGER IF EXISTS events_keep ON events;
CREATE TRIGGER events_keep BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER IF EXISTS events_stay ON events;
CREATE TRIGGER events_stay BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


# The fields of Event but digest (10) and previous (11), which follow from the rest.
_STORED = (*range(10), 12)
_INSERT = b"""INSERT INTO events
    SELECT a, b, c, d, e, f, g, h, i, j, NULL, k FROM unnest(
        %b::bigint[], %b::bigint[], %b::text[], %b::integer[], %b::text[], %b::text[],
        %b::text[], %b::text[], %b::bigint[], %b::text[], %b::bytea[]
    ) AS new (a, b, c, d, e, f, g, h, i, j, k) ORDER BY a"""


class PostgresStore(SqlStore):
    """A journal in one schema of a PostgreSQL database."""

    dialect = Dialect(
        integer="BIGINT",
        text='TEXT COLLATE "C"',
        binary="BYTEA",
        table_end="",
        ordered=", sequence",
        newline="chr(10)",
        as_bytes="convert_to({}, 'UTF8')",
        contains="strpos(lower(e.payload), ?) > 0",
        no_hash=r"'\x" + "00" * 32 + "'::bytea",
    )

    def __init__(self, url: str, *, schema_name: str = "freqfleet") -> None:
        """Open the journal, making its tables where they are missing."""
        super().__init__()
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", schema_name):
            raise ConfigError(
                f"{schema_name!r} is no name for a schema", cure="use a to z, 0 to 9 and _"
            )
        self._url, self._schema = url, schema_name
        self._channel = f"{schema_name}_journal"
        digest = hashlib.sha256(f"freqfleet journal {schema_name}".encode()).digest()
        self._lock_key = int.from_bytes(digest[:8], "big", signed=True)
        self._writer: PostgresSession | None = None
        self._driver = _driver()
        self._create()

    @property
    def name(self) -> str:
        """The address without its password, and the schema."""
        return f"{mask(self._url)} schema {self._schema}"

    def watch(self) -> "PostgresWatch":
        """Start to watch for appends."""
        with self._faults():
            raw = self._connect().raw
            raw.execute(f"LISTEN {self._channel}")
            return PostgresWatch(self, raw)

    def close(self) -> None:
        """Close every connection; durable is what was acknowledged."""
        self._close_idle()
        with self._writing:
            self._drop_writer()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with self._writing, self._faults():
            try:
                session = self._open_writer()
                # In a pipeline the server is asked twice, not once for each statement.
                with session.raw.pipeline():
                    session.run("BEGIN")
                    session.run("SELECT pg_advisory_xact_lock(?)", (self._lock_key,))
                    yield session
                    session.run(f"NOTIFY {self._channel}")
                    session.run("COMMIT")
            except BaseException:
                self._drop_writer()  # which also rolls back
                raise

    def _open_writer(self) -> "PostgresSession":
        if self._closed:
            raise PermanentError("the journal is closed", where=self.name)
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _connect(self) -> "PostgresSession":
        raw = self._driver.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            # A server that fell silent is given up, so that its writers hear of it.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=25_000,
            application_name="freqfleet journal",
        )
        raw.execute(f"SET search_path TO {self._schema}")
        raw.execute(f"SET lock_timeout TO '{LOCK_TIMEOUT_S}s'")
        return PostgresSession(raw)

    def _create(self) -> None:
        with self._faults():
            session = self._connect()
        try:
            with self._faults():
                self._migrate(session)
        finally:
            session.close()

    def _migrate(self, session: "PostgresSession") -> None:
        session.run("BEGIN")
        session.run("SELECT pg_advisory_xact_lock(?)", (self._lock_key,))
        if not session.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (self._schema,)):
            session.run(f"CREATE SCHEMA {self._schema}")
        session.run("CREATE TABLE IF NOT EXISTS format (version INTEGER NOT NULL)")
        found = session.execute("SELECT max(version) FROM format")[0][0]
        if found is not None and found > FORMAT:
            raise ConfigError(
                f"this journal has format {found}, newer than {FORMAT}",
                where=self.name,
                cure="update Freqfleet",
            )
        if found is None or found < FORMAT:
            for statement in schema(self.dialect):
                session.run(statement)
            session.raw.execute(_TRIGGERS.encode())
            session.run("INSERT INTO format VALUES (?)", (FORMAT,))
        session.run("COMMIT")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self._driver.errors.InvalidPassword as error:
            raise ConfigError(
                f"PostgreSQL refuses the login ({_brief(error)})",
                where=self.name,
                cure="check user and password",
            ) from error
        except self._driver.errors.DiskFull as error:
            raise TransientError(
                f"PostgreSQL's disk is full ({_brief(error)}); free some space", where=self.name
            ) from error
        except (self._driver.errors.RaiseException, self._driver.ProgrammingError) as error:
            raise PermanentError(
                f"the journal refuses ({_brief(error)})", where=self.name
            ) from error
        except self._driver.Error as error:
            raise TransientError(
                f"PostgreSQL does not do its part ({_brief(error)}); check that it runs",
                where=self.name,
            ) from error


class PostgresSession:
    """One connection to the server."""

    def __init__(self, raw: "psycopg.Connection[Any]") -> None:
        """Speak through an open connection."""
        self.raw = raw

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement and fetch its rows."""
        return self._run(sql, values).fetchall()

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement that gives no rows; in a pipeline its error comes later."""
        self._run(sql, values)

    def add(self, events: Sequence[Event]) -> None:
        """Insert events, however many, with one statement."""
        columns = [[event[n] for event in events] for n in _STORED]
        self.raw.execute(_INSERT, columns)

    def _run(self, sql: str, values: Sequence[Any]) -> "psycopg.Cursor[Any]":
        if not values:
            return self.raw.execute(sql.encode())
        return self.raw.execute(sql.replace("?", "%s").encode(), values)

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()


class PostgresWatch:
    """Hears of appends by NOTIFY."""

    def __init__(self, store: PostgresStore, raw: "psycopg.Connection[Any]") -> None:
        """Take over a connection that listens."""
        self._store, self._raw = store, raw

    def wait(self, timeout_s: float) -> bool:
        """Wait for an append; False when the time-out passed without one."""
        with self._store._faults():  # noqa: SLF001  the two are one
            return any(True for _ in self._raw.notifies(timeout=timeout_s, stop_after=1))

    def close(self) -> None:
        """Close the watch's own connection."""
        self._raw.close()


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415  an optional part
    except ImportError:
        raise ConfigError(
            "a journal in PostgreSQL needs psycopg", cure="run `pip install 'freqfleet[services]'`"
        ) from None
    return psycopg


def _brief(error: Exception) -> str:
    return " ".join(mask(str(error)).split())[:300]
