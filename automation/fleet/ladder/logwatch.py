"""Reads what a bot's log has grown by, and counts what it speaks of.

Works while the bot's API hangs, and asks the bot for nothing. Decides what a line is about; refuses
to judge how much is too much (`machine`). One watch for one process; called by `senses`.
"""

import os
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from automation.core.masking import mask
from automation.core.vitals import Mention, Topic

LARGEST_READ_BYTES = 262_144
LONGEST_WORDS = 200
KEPT = 1000

_LINE = re.compile(r"^[\d-]+[ T][\d:,.]+ - (?P<name>[\w.]+) - (?P<level>[A-Z]+) - (?P<words>.*)$")
_TOPICS = (
    (Topic.BAN, re.compile(r"\b418\b|-1003\b|banned until|way too many requests", re.IGNORECASE)),
    (
        Topic.CLOCK,
        re.compile(r"system time deviates|-1021\b|timestamp for this request", re.IGNORECASE),
    ),
    (Topic.DISK, re.compile(r"no space left on device|database or disk is full", re.IGNORECASE)),
    (
        Topic.DATABASE,
        re.compile(
            r"database is locked|readonly database|disk I/O error|disk image is malformed"
            r"|file is not a database|sqlite3\.(Operational|Database)Error",
            re.IGNORECASE,
        ),
    ),
    (Topic.FELL, re.compile(r"^OperationalException\. Stopping trader")),
    (
        Topic.EXCHANGE,
        re.compile(
            r"NetworkError|RequestTimeout|ExchangeNotAvailable|DDosProtection|RateLimitExceeded"
            r"|OnMaintenance|Cannot connect to host|Connection (reset|refused)|TemporaryError"
        ),
    ),
)


@dataclass(slots=True)
class LogWatch:
    """What one log said lately."""

    path: Path
    window_s: float
    _position: int = 0
    _inode: int = 0
    _rest: bytes = b""
    _said: dict[Topic, "deque[tuple[float, str]]"] = field(default_factory=dict)

    def skip(self) -> None:
        """Begin at the log's present end: what stands there is of an earlier process."""
        try:
            found = self.path.stat()
        except OSError:
            return
        self._position, self._inode = found.st_size, found.st_ino

    def read(self, now_s: float) -> tuple[Mention, ...]:
        """Read what was added; tells what was spoken of within the window."""
        for line in self._lines():
            self._note(line, now_s)
        return self._mentions(now_s)

    def forget(self, topic: Topic) -> None:
        """Forget what was said of a topic."""
        self._said.pop(topic, None)

    def _lines(self) -> list[str]:
        try:
            found = self.path.stat()
            if found.st_ino != self._inode or found.st_size < self._position:
                self._position, self._inode, self._rest = 0, found.st_ino, b""  # rotated
            if found.st_size == self._position:
                return []
            with self.path.open("rb") as file:
                # More than can be read at once is history; its end tells enough.
                start = max(self._position, found.st_size - LARGEST_READ_BYTES)
                file.seek(start, os.SEEK_SET)
                added = file.read(LARGEST_READ_BYTES)
        except OSError:
            return []
        self._position = start + len(added)
        *whole, self._rest = (self._rest + added).split(b"\n")
        self._rest = self._rest[-LARGEST_READ_BYTES:]
        return [line.decode("utf-8", "replace") for line in whole]

    def _note(self, line: str, now_s: float) -> None:
        found = _LINE.match(line)
        words = found["words"] if found else line
        is_warning = found is not None and found["level"] not in ("INFO", "DEBUG")
        # Outside of a traceback only warnings count: strategies print what they like.
        for topic, pattern in _TOPICS:
            if (is_warning or found is None) and pattern.search(words):
                self._count(topic, words, now_s)
                break
        if found is not None and found["level"] in ("ERROR", "CRITICAL"):
            self._count(Topic.ERROR, words, now_s)

    def _count(self, topic: Topic, words: str, now_s: float) -> None:
        said = self._said.setdefault(topic, deque(maxlen=KEPT))
        said.append((now_s, str(mask(words.strip()))[:LONGEST_WORDS]))

    def _mentions(self, now_s: float) -> tuple[Mention, ...]:
        found = []
        for topic, said in self._said.items():
            is_kept = topic is Topic.FELL  # for as long as the trader lies there
            while said and now_s - said[0][0] > self.window_s and not is_kept:
                said.popleft()
            if said:
                found.append(Mention(topic, len(said), said[0][0], said[-1][0], said[-1][1]))
        return tuple(found)
