"""The event log: what the exchange consumed and what it told, one line each, in order.

Decides the bytes. Commands, views of the market and decisions of time are enough to come to the same
state again; events are written beside them, so that a replay proves itself line by line. Refuses to
know what the lines mean. Written by `floor` and `exchange`, read by `replay`.

Line: a JSON array whose first element is its kind. c: command, r: its refusal, q and d: quote and
depth that were seen, s: a second's trades, m: a mark price that fired orders, l: an account judged at
mark prices, f: funding, t: a timer, e: an event.
"""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from automation.core.errors import DependencyError


def line(entry: Any) -> bytes:
    """Write one entry."""
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


class NoLog:
    """Takes nothing down."""

    def add(self, entry: Any) -> None:
        """Forget an entry."""


class MemoryLog:
    """Keeps every line, for tests and replays."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.lines: list[bytes] = []

    def add(self, entry: Any) -> None:
        """Append one entry."""
        self.lines.append(line(entry))

    @property
    def content(self) -> bytes:
        """All lines."""
        return b"".join(self.lines)


class FileLog:
    """Appends to a file; `settle` waits until everything so far is on the disk.

    Lines of many commands are flushed together: whoever needs durability waits for the next flush,
    and one flush serves all who wait.
    """

    def __init__(self, path: Path) -> None:
        """Open a new file; DependencyError where that is not possible or it exists."""
        try:
            self._file = path.open("xb", buffering=1 << 16)
        except OSError as error:
            raise DependencyError(
                f"cannot write the event log ({error.strerror})",
                where=str(path),
                cure="name a file that does not exist yet, in a folder that can be written",
            ) from error
        self._lock = threading.Lock()
        self.written = self.flushed = 0

    @property
    def is_behind(self) -> bool:
        """Whether lines are not on the disk yet."""
        return self.flushed < self.written

    def add(self, entry: Any) -> None:
        """Append one entry; it is on the disk after the next `flush`."""
        self._file.write(line(entry))
        self.written += 1

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        with self._lock:
            if self._file.closed:
                return
            wanted = self.written
            self._file.flush()
            os.fdatasync(self._file.fileno())
            self.flushed = wanted

    def close(self) -> None:
        """Bring everything to the disk and close."""
        self.flush()
        with self._lock:
            self._file.close()

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
