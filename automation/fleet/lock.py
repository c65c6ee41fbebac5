"""One supervisor for one state folder.

The lock is held by the kernel for as long as the process lives, so a supervisor that was killed
leaves none behind; the file beside it says who holds it. One that lives but does nothing can be
deprived of it: another lock file is put in place of its own. Decides nothing about when that may be
done (`lease`). Called by `lease` and by commands that have to know whether a supervisor runs.
"""

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from automation.core.errors import ConfigError
from automation.core.model import Identity
from automation.fleet.home import Home, disk_error, read_json, write_json
from automation.fleet.identity import identify, is_alive

DYING_S = 2.0


class FleetIsUp(ConfigError):
    """Another supervisor has this state folder."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The supervisor that runs."""

    pid: int
    fleet: str
    socket: str


class SupervisorLock:
    """Held while this process supervises the fleet of a state folder."""

    def __init__(self, home: Home) -> None:
        """Name the state folder."""
        self._home = home
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock; FleetIsUp when another supervisor has it."""
        self.take()
        return self

    def take(self, *, patient: bool = True) -> None:
        """Take the lock; FleetIsUp when another supervisor has it."""
        self._home.make()
        descriptor = _opened(self._home.lock)
        if not _take(descriptor, self._home, DYING_S if patient else 0.0):
            os.close(descriptor)
            holder = find_supervisor(self._home)
            who = f"supervisor pid {holder.pid}" if holder else "another process"
            raise FleetIsUp(
                f"this fleet is up already, under {who}",
                where=str(self._home.path),
                cure="see freqfleet status, or set FREQFLEET_HOME for a second fleet",
            )
        self._descriptor = descriptor
        if self.is_taken_away():  # another lock file was put here meanwhile
            os.close(descriptor)
            self._descriptor = None
            self.take(patient=patient)

    def seize(self) -> None:
        """Put a lock file of our own in place of the present one, whoever holds that."""
        fresh = self._home.lock.with_name(f".{self._home.lock.name}.{os.getpid()}")
        descriptor = _opened(fresh)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fresh.replace(self._home.lock)
        self._descriptor = descriptor

    def is_taken_away(self) -> bool:
        """Tell whether the folder has another lock file than the one that is held here."""
        if self._descriptor is None:
            return False
        try:
            present = self._home.lock.stat()
        except OSError:
            return False  # nobody has put another there
        held = os.fstat(self._descriptor)
        return (present.st_ino, present.st_dev) != (held.st_ino, held.st_dev)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it go."""
        self.release()

    def release(self) -> None:
        """Let it go; a successor's files stay."""
        if self._descriptor is not None:
            if not self.is_taken_away():
                self._home.supervisor.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def announce(self, fleet: str, socket: str) -> None:
        """Write down who supervises, for the commands."""
        identity = identify(os.getpid())
        start = identity.start if identity else 0
        boot = identity.boot if identity else ""
        document = {
            "pid": os.getpid(), "start": start, "boot": boot, "fleet": fleet, "socket": socket,
        }  # fmt: skip
        write_json(self._home.supervisor, document)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_error(error, path) from None


def _take(descriptor: int, home: Home, wait_s: float) -> bool:
    """Take the lock; a supervisor that was just killed holds it until its last thread is gone."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if find_supervisor(home) is not None or time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def find_supervisor(home: Home) -> Holder | None:
    """Find the supervisor of a state folder; None when none is alive."""
    written = read_json(home.supervisor)
    try:
        identity = Identity(int(written["pid"]), int(written["start"]), str(written["boot"]))
    except (KeyError, TypeError, ValueError):
        return None
    if not is_alive(identity):
        return None
    return Holder(identity.pid, str(written["fleet"]), str(written["socket"]))
