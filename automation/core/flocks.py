"""Tells whether somebody holds a file's lock, without taking it from anybody.

The kernel lets go of a lock however its holder ends, so a held one is the surest sign of life.
Refuses to know what a lock stands for, and what its file's absence means. Called by `leash` and by
the runners of `fleet`.
"""

import fcntl
import os
from enum import Enum
from pathlib import Path


class Flock(Enum):
    """What a look at a lock has found."""

    HELD = "held"
    FREE = "free"
    NO_FILE = "no file"
    """There is none, or none that can be opened."""


def probe(path: Path) -> Flock:
    """Look whether somebody holds a file's exclusive lock at this moment; lookers do not collide."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return Flock.NO_FILE
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return Flock.HELD
    finally:
        os.close(descriptor)
    return Flock.FREE
