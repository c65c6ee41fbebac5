"""Writes state files whole or not at all: a temporary name, then a rename."""

import os
from contextlib import suppress
from pathlib import Path

from automation.core.errors import DependencyError


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put `content` at `path` with permissions `mode`; readers see the old file or the new one.

    Raises DependencyError if the disk refuses; nothing half-written is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):  # its folder may be none
            temporary.unlink()
        cure = "free disk space or check the permissions"
        raise DependencyError(
            f"cannot be written: {error.strerror}", where=str(path), cure=cure
        ) from None
