"""The journal as a file that stands by itself: JSON lines or Parquet, verifiable without the store.

Decides the form: a first line (where the stretch begins, which hash goes before it, the signed
checkpoints), one line an event, and a last line with the digest of all before it. Every line is
canonical JSON, so that no change of a byte goes unseen. Refuses to know who asks.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path
from typing import Any, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from automation.core.errors import ConfigError, DependencyError
from automation.journal.checkpoints import Checkpoint, PublicKey, judge
from automation.journal.event import GENESIS, Event, digest_of, head_of, to_us
from automation.journal.journal import Journal
from automation.journal.store import EVERYTHING, Link, Query
from automation.journal.verification import Break, Verification

FORMAT = 1
PAGE = 5_000
NO_END = 2**63 - 1
UNREADABLE = (ValueError, TypeError, KeyError, OSError, pa.ArrowException)
_HASHES = ("digest", "previous", "hash")

PARQUET_SCHEMA = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("actor", pa.string(), nullable=False),
        pa.field("address", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("bot", pa.string(), nullable=False),
        pa.field("cause", pa.int64()),
        pa.field("payload", pa.string()),
        pa.field("digest", pa.binary(32), nullable=False),
        pa.field("previous", pa.binary(32), nullable=False),
        pa.field("hash", pa.binary(32), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    path: Path
    events: int
    first: int
    last: int
    sha256: str


def export(
    journal: Journal,
    path: Path,
    *,
    after: int = 0,
    until: int | None = None,
    query: Query = EVERYTHING,
) -> Exported:
    """Write events to a file, `.parquet` or JSON lines, whole or not at all.

    `after` and `until` are sequences. With a query the file holds only what matches; each event can
    then be checked, but nobody can tell from the file that none is missing.
    """
    newest = journal.last()
    end = min(until or NO_END, newest.sequence if newest else 0)
    checkpoints = [Checkpoint.from_json(record) for record in journal.store.checkpoints()]
    begin = {
        "after": after,
        "checkpoints": [
            orjson.loads(c.to_json()) for c in checkpoints if after < c.sequence <= end
        ],
        "complete": query == EVERYTHING,
        "freqfleet_journal": FORMAT,
        "previous": _hash_of(journal, after).hex(),
        "until": until,
    }
    count = _Count()
    events = count.of(_events(journal, after, end, query))
    write = _write_parquet if is_parquet(path) else _write_jsonl
    with _whole_file(path) as temporary:
        write(temporary, begin, events)
        digest = _file_digest(temporary)
    return Exported(path, count.events, count.first, count.last, digest)


def verify_export(
    path: Path, *, public: PublicKey | None = None, anchor: Checkpoint | None = None
) -> Verification:
    """Check an exported file by itself; `broken` names the first bad event."""
    try:
        reading = _ParquetReading(path) if is_parquet(path) else _LinesReading(path)
    except FileNotFoundError:
        raise ConfigError("there is no such export", where=str(path)) from None
    except UNREADABLE as error:
        return _unreadable(f"the export's beginning cannot be read: {error}")
    with reading:
        found = _judge(reading, public, anchor)
    torn = reading.broken
    if torn is not None and (found.broken is None or torn.sequence <= found.broken.sequence):
        return replace(found, broken=torn)
    return found


def read_export(path: Path) -> Iterator[Event]:
    """Read the events of an exported file without checking the chain."""
    with _ParquetReading(path) if is_parquet(path) else _LinesReading(path) as reading:
        yield from reading.events()


def is_parquet(path: Path) -> bool:
    """Tell by the name whether an export is Parquet."""
    return path.suffix == ".parquet"


class _Reading(ABC):
    """An export being read; `broken` says where it stopped making sense."""

    begin: dict[str, Any]

    def __init__(self) -> None:
        self.broken: Break | None = None
        if self.begin["freqfleet_journal"] != FORMAT:
            raise ValueError(f"form {self.begin['freqfleet_journal']} is not known")
        self.after, self.previous = int(self.begin["after"]), bytes.fromhex(self.begin["previous"])
        self.is_complete = bool(self.begin["complete"])
        self.until = None if self.begin["until"] is None else int(self.begin["until"])
        self.records = [_canonical(record).decode() for record in self.begin["checkpoints"]]
        self.at = self.after

    def events(self) -> Iterator[Event]:
        """Give the events up to the end or to the first that cannot be read."""
        try:
            for event in self._raw():
                self.at = event.sequence
                yield event
        except UNREADABLE as error:
            self.broken = Break(self.at + 1, f"it cannot be read: {error}")

    def links(self) -> Iterator[Link]:
        """Give what verification needs."""
        previous = self.previous
        for event in self.events():
            sequence, head = event.sequence, head_of(event.sequence, event)
            payload = None if event.is_sealed else event.payload_json.encode()
            # What the chain implies is written out in the file and must agree with it.
            agrees = event.previous == previous and (
                payload is None or event.digest == digest_of(payload)
            )
            previous = event.hash
            yield Link(sequence, head, payload, event.digest, previous if agrees else None)

    @abstractmethod
    def _raw(self) -> Iterator[Event]:
        """Read on; ValueError and the like where the file makes no sense."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _LinesReading(_Reading):
    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            line = self._file.readline()
            self.begin = orjson.loads(line)
            self._digest = sha256(line)
            super().__init__()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _raw(self) -> Iterator[Event]:
        for events, line in enumerate(self._file):
            if line.startswith(b'{"events"'):
                self._check_end(line, events)
                return
            event = _event_of_line(line)
            self._digest.update(line)
            yield event
        raise ValueError("the export was cut short")

    def _check_end(self, line: bytes, events: int) -> None:
        expected = _end_line(events, self._digest.hexdigest())
        if line != expected or self._file.read(1):
            raise ValueError("the digest at the end does not fit what stands before it")


class _ParquetReading(_Reading):
    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        try:
            metadata = self._file.schema_arrow.metadata or {}
            self.begin = orjson.loads(metadata[b"freqfleet"])
            super().__init__()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _raw(self) -> Iterator[Event]:
        for batch in self._file.iter_batches(PAGE):
            for row in batch.to_pylist():
                yield _event_of_row(row)


def _judge(reading: _Reading, public: PublicKey | None, anchor: Checkpoint | None) -> Verification:
    if not reading.is_complete:
        return _judge_singly(reading)
    notice = ""
    if anchor is not None and reading.until is not None and anchor.sequence > reading.until:
        notice = f"the anchor knows event {anchor.sequence}, this export ends on purpose before it"
        anchor = None
    found = judge(
        reading.links(),
        reading.records,
        public,
        anchor,
        after=reading.after,
        previous=reading.previous,
    )
    return replace(found, notices=(*found.notices, notice)) if notice else found


def _judge_singly(reading: _Reading) -> Verification:
    """Check an excerpt: every event by itself, and that their numbers rise."""
    events, last, broken, hashed = 0, reading.after, None, GENESIS
    for event in reading.events():
        computed = event.digest if event.is_sealed else digest_of(event.payload_json)
        head = head_of(event.sequence, event)
        if event.sequence <= last:
            broken = Break(event.sequence, "it stands there twice or out of order")
        elif sha256(event.previous + computed + head).digest() != event.hash:
            broken = Break(event.sequence, "it does not fit its hash")
        if broken is not None:
            break
        events, last, hashed = events + 1, event.sequence, event.hash
    said = "this is an excerpt: nobody can tell from it that no event is missing"
    return Verification(events, last, hashed, broken, notices=(said,))


def _write_jsonl(path: Path, begin: dict[str, Any], events: Iterator[Event]) -> None:
    line = _canonical(begin) + b"\n"
    digest, count = sha256(line), 0
    with path.open("wb") as file:
        file.write(line)
        for event in events:
            line = _canonical(_line_of(event)) + b"\n"
            digest.update(line)
            file.write(line)
            count += 1
        file.write(_end_line(count, digest.hexdigest()))
        file.flush()
        os.fsync(file.fileno())


def _write_parquet(path: Path, begin: dict[str, Any], events: Iterator[Event]) -> None:
    schema = PARQUET_SCHEMA.with_metadata({"freqfleet": _canonical(begin)})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        while page := list(islice(events, PAGE)):
            writer.write_table(pa.Table.from_pylist([_row_of(e) for e in page], schema=schema))


def _line_of(event: Event) -> dict[str, Any]:
    fields = _row_of(event)
    del fields["time"]
    fields["time_us"] = event.time_us
    fields.update({name: fields[name].hex() for name in _HASHES})
    fields["payload"] = None if event.is_sealed else orjson.Fragment(event.payload_json)
    return fields


def _row_of(event: Event) -> dict[str, Any]:
    fields = event._asdict()
    fields["payload"] = fields.pop("payload_json") or None
    fields["time"] = fields.pop("time_us")
    return fields


def _event_of_line(line: bytes) -> Event:
    fields = orjson.loads(line)
    payload = fields.pop("payload")
    fields["payload_json"] = "" if payload is None else _canonical(payload).decode()
    for name in _HASHES:
        fields[name] = bytes.fromhex(fields[name])
    event = Event(**fields)
    if _canonical(_line_of(event)) + b"\n" != line:
        raise ValueError("its line is not in canonical form")
    return event


def _event_of_row(row: dict[str, Any]) -> Event:
    row["payload_json"] = row.pop("payload") or ""
    row["time_us"] = to_us(row.pop("time"))
    return Event(**row)


def _end_line(events: int, digest: str) -> bytes:
    return _canonical({"events": events, "sha256": digest}) + b"\n"


def _canonical(fields: Any) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _unreadable(reason: str) -> Verification:
    return Verification(0, 0, GENESIS, Break(0, reason))


def _events(journal: Journal, after: int, end: int, query: Query) -> Iterator[Event]:
    while page := journal.read(after, PAGE, query):
        for event in page:
            if event.sequence > end:
                return
            yield event
        after = page[-1].sequence


def _hash_of(journal: Journal, sequence: int) -> bytes:
    if sequence == 0:
        return GENESIS
    found = journal.read(sequence - 1, 1)
    if not found or found[0].sequence != sequence:
        raise ConfigError(f"there is no event {sequence} to export after")
    return found[0].hash


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


class _Count:
    """Counts what passes."""

    def __init__(self) -> None:
        self.events = self.first = self.last = 0

    def of(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            self.first = self.first or event.sequence
            self.last = event.sequence
            self.events += 1
            yield event


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise DependencyError(
            f"the export cannot be written ({error.strerror})",
            where=str(path),
            cure="free disk space or check the permissions",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
