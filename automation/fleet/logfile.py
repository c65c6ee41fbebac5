"""Console logs of units: kept small, and their end read when something died.

A unit appends to its console through an inherited descriptor, so while it lives the file is copied
and cut (`rotate`), not renamed. Refuses to know formats. Called by the process runner.
"""

import os
import re
import shutil
from collections import deque
from contextlib import suppress
from pathlib import Path

from automation.core.masking import mask

LARGEST_BYTES = 5_000_000
KEPT = 3

_NOISE = re.compile(r"^\s*(\^+|File \"|~+|$)")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d[ T][\d:,.]+ - [\w.]+ - (\w+) - ")


def open_console(path: Path) -> int:
    """Open a console log for a child to append to; the caller closes the descriptor."""
    rotate(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def rotate(path: Path, largest_bytes: int = LARGEST_BYTES) -> bool:
    """Copy and cut a log that has grown too large; tells whether it did."""
    try:
        if path.stat().st_size <= largest_bytes:
            return False
    except OSError:
        return False
    with suppress(OSError):  # a full disk: then the cut alone must do
        for number in range(KEPT - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        path.with_name(f"{path.name}.1").chmod(0o600)
    os.truncate(path, 0)
    return True


def last_lines(path: Path, lines: int) -> list[str]:
    """Read the last lines of a log, secrets masked; none when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 200 * lines - 4000))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [str(mask(line)) for line in deque(text.splitlines(), maxlen=lines)]


def last_words(path: Path) -> str:
    """Find the line that best tells why a unit ended: its last error, else its last line."""
    lines = [line for line in last_lines(path, 80) if not _NOISE.match(line)]
    if not lines:
        return ""
    errors = [line for line in lines if " - ERROR - " in line or " - CRITICAL - " in line]
    # The line after a traceback stands last and says most.
    is_traceback = not _STAMP.match(lines[-1]) and re.match(
        r"^[\w.]+(Error|Exception|Exit)\b", lines[-1]
    )
    chosen = lines[-1] if is_traceback or not errors else errors[-1]
    text = _STAMP.sub("", chosen).strip()
    return text if len(text) <= 300 else text[:299] + "…"
