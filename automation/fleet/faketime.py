"""One accelerated clock for several processes that know nothing of it, by libfaketime 0.9.10.

Decides how the library is told: all processes share one start (a POSIX semaphore and a block of
shared memory, as the library itself lays them out) and read one file that holds the line from real
to market time. The library reads it again at the first call after each full second, so a line
that crosses the old one at the next full second changes the speed of all of them without a jump.
Refuses to know which speed and why. Called by `fastforward`.

What the library does not reach: a thread's wait with a time limit (`Event.wait(5)`) ends only when
it is woken, for Python 3.11 waits by a call that 0.9.10 does not know.
"""

import ctypes
import math
import os
import shutil
import struct
import time
from contextlib import suppress
from pathlib import Path

from automation.core.errors import DependencyError
from automation.fleet.home import disk_error, write_private
from automation.fleet.tempo import Tempo

VARIABLE = "FREQFLEET_FAKETIME"
"""Names the library's file where it is not found by itself."""
_LIBRARY = "libfaketimeMT.so.1"
_SHARED = Path("/dev/shm")  # noqa: S108  where Linux keeps POSIX semaphores
_CLOCKS = ("CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME")
_SECOND_NS = 1_000_000_000
WRITE_AT_FRAC = 0.85
"""Part of a second at which a new line is written, to hold from the next full second on."""


def find_library() -> Path:
    """Find libfaketime; DependencyError when it is not installed."""
    named, places = os.environ.get(VARIABLE), []
    if named is not None:
        places.append(Path(named))
    else:
        command = shutil.which("faketime")
        prefix = Path(command).parent.parent if command else Path("/usr")
        for folder in ("lib", "lib64"):
            places += sorted((prefix / folder).glob(f"*/faketime/{_LIBRARY}"))
            places.append(prefix / folder / "faketime" / _LIBRARY)
    found = next((place for place in places if place.is_file()), None)
    if found is None or not _SHARED.is_dir():
        raise DependencyError(
            "bots can be run faster than the clock only with libfaketime, which is not here",
            where=str(named or "--speed"),
            cure="apt install faketime, or leave --speed out",
        )
    return found


class SharedStart:
    """The moment from which all processes of a fleet count, in shared memory under one name."""

    def __init__(self, name: str) -> None:
        """Name it; nothing is made yet."""
        self.name = f"/freqfleet-{name}"
        self._memory = _SHARED / self.name[1:]

    def make(self) -> float:
        """Make it with this very moment in it, and return that moment (real epoch, s)."""
        self.remove()
        _open_semaphore(self.name)
        instants = [time.clock_gettime_ns(getattr(time, clock)) for clock in _CLOCKS]
        parts = [part for instant in instants for part in divmod(instant, _SECOND_NS)]
        try:
            with open(self._memory, "xb", opener=_privately) as memory:
                memory.write(struct.pack("<2Q8q", 0, 0, *parts))
        except OSError as error:
            raise disk_error(error, self._memory) from None
        return instants[0] / _SECOND_NS

    def exists(self) -> bool:
        """Tell whether it is there; a reboot takes it away."""
        return self._memory.exists()

    def remove(self) -> None:
        """Remove it; processes that use it go on."""
        self._memory.unlink(missing_ok=True)
        (_SHARED / f"sem.{self.name[1:]}").unlink(missing_ok=True)


def environment(library: Path, start: SharedStart, line: Path) -> dict[str, str]:
    """Make what a process must be given to live in market time."""
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_SHARED": f"{start.name} {start.name}",
        "FAKETIME_TIMESTAMP_FILE": str(line),
        "FAKETIME_FMT": "%s",
        "FAKETIME_CACHE_DURATION": "0",
        "FAKETIME_DONT_RESET": "1",
        "NO_FAKE_STAT": "1",  # else Python takes its compiled files for outdated
        "TZ": "UTC",
    }


def write_line(path: Path, tempo: Tempo, start_s: float) -> None:
    """Write the line that the processes read: market time at the shared start, and the speed."""
    write_private(path, f"@{tempo.market(start_s):.6f} x{tempo.speed:.6g}\n")


def wait_for_turn_s(real_s: float) -> tuple[float, float]:
    """Tell how long to wait before a new line is written, and from when on it shall hold."""
    turn_s = math.floor(real_s) + 1.0
    if real_s > turn_s - 1.0 + WRITE_AT_FRAC:
        turn_s += 1.0
    return turn_s - 1.0 + WRITE_AT_FRAC - real_s, turn_s


def _open_semaphore(name: str) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    library.sem_open.restype = ctypes.c_void_p
    flags = os.O_CREAT | os.O_EXCL
    made = library.sem_open(name.encode(), flags, ctypes.c_uint(0o600), ctypes.c_uint(1))
    if not made:
        reason = os.strerror(ctypes.get_errno())
        raise DependencyError(f"no shared clock can be made: {reason}", where=name)
    with suppress(AttributeError):
        library.sem_close(ctypes.c_void_p(made))


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
