"""Groups of processes whose memory, CPU and number the kernel bounds (cgroup v2).

A group can only be made below one that is ours to divide: that of a systemd service with
`Delegate=` and `DelegateSubgroup=supervisor`, or the root of the hierarchy. The supervisor never
moves itself: a group that holds processes cannot be divided, and systemd could not start a second
supervisor in one that was. Refuses to know what is bounded. Called by `bounds` and `doctor`.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst; systemd, CGROUP_DELEGATION.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from automation.core.errors import Refusal
from automation.core.seams import ProcessLimits

SUBGROUP = "supervisor"
"""What systemd calls the group of the service's own process (`DelegateSubgroup=`)."""

PERIOD_US = 100_000
EMPTY_WITHIN_S = 0.3
_CURE = "run it as a systemd service with Delegate= and DelegateSubgroup=supervisor"


@dataclass(frozen=True, slots=True)
class Division:
    """A group that may be divided into one for each unit, and what can be bounded in it."""

    path: Path
    controllers: frozenset[str]


NOTHING = Division(Path("/"), frozenset())
"""A division that bounds nothing: what is missing of it is all that was asked."""


def find_division(proc: Path = Path("/proc/self")) -> Division | Refusal:
    """Find the group that this process may divide; a Refusal says why there is none."""
    own = _own_group(proc)
    if own is None:
        return Refusal("this system has no cgroup v2")
    is_root = not (own / "cgroup.type").exists()
    if own.name != SUBGROUP and not is_root:
        return Refusal(f"the supervisor's cgroup {own} is not its to divide; {_CURE}")
    path = own if is_root else own.parent
    switch = path / "cgroup.subtree_control"
    if not (os.access(path, os.W_OK) and os.access(switch, os.W_OK)):
        return Refusal(f"the cgroup {path} cannot be written; {_CURE}")
    try:
        controllers = frozenset((path / "cgroup.controllers").read_text().split())
    except OSError as error:
        return Refusal(f"the cgroup {path} cannot be read: {error.strerror}")
    return Division(path, controllers)


def missing(division: Division, limits: ProcessLimits) -> tuple[str, ...]:
    """Name the limits, as the fleet file does, whose controllers the kernel does not offer."""
    return tuple(f for c, f in _asked(limits).items() if c not in division.controllers)


def confine(division: Division, name: str, pid: int, limits: ProcessLimits) -> None:
    """Put a process with all its threads into a bounded group; OSError when the kernel refuses."""
    group = division.path / name
    wanted = [c for c in _asked(limits) if c in division.controllers]
    enabled = (division.path / "cgroup.subtree_control").read_text().split()
    lacking = [f"+{c}" for c in wanted if c not in enabled]
    if lacking:
        _write(division.path / "cgroup.subtree_control", " ".join(lacking))
    group.mkdir(exist_ok=True)
    for file, value in _values(limits, wanted):
        _write(group / file, value)
    if "memory" in wanted and (group / "memory.swap.max").exists():
        _write(group / "memory.swap.max", "0")  # a bot that swaps trades late
    _write(group / "cgroup.procs", str(pid))


def holds(division: Division, name: str, pid: int) -> bool:
    """Tell whether a process is in the group of this name."""
    try:
        return str(pid) in (division.path / name / "cgroup.procs").read_text().split()
    except OSError:
        return False


def dissolve(division: Division, name: str) -> bool:
    """End what is left in a group and remove it; tells whether memory ran out in it."""
    group = division.path / name
    if not group.is_dir():
        return False
    was_out_of_memory = _count(group / "memory.events", "oom_kill") > 0
    with suppress(OSError):
        _write(group / "cgroup.kill", "1")
    deadline = time.monotonic() + EMPTY_WITHIN_S
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() >= deadline:
                return was_out_of_memory  # the next start takes it over
            time.sleep(0.01)
        else:
            return was_out_of_memory


def _asked(limits: ProcessLimits) -> dict[str, str]:
    named = {
        "memory": ("memory_mb", limits.memory_mb),
        "cpu": ("cpus", limits.cpus),
        "pids": ("pids", limits.pids),
    }
    return {controller: field for controller, (field, value) in named.items() if value is not None}


def _values(limits: ProcessLimits, wanted: list[str]) -> list[tuple[str, str]]:
    values: list[tuple[str, str]] = []
    if "memory" in wanted and limits.memory_mb is not None:
        # All of it dies together: half a bot would mind no trades.
        values += [("memory.max", str(limits.memory_mb * 2**20)), ("memory.oom.group", "1")]
    if "cpu" in wanted and limits.cpus is not None:
        values.append(("cpu.max", f"{round(limits.cpus * PERIOD_US)} {PERIOD_US}"))
    if "pids" in wanted and limits.pids is not None:
        values.append(("pids.max", str(limits.pids)))
    return values


def _own_group(proc: Path) -> Path | None:
    try:
        groups = (proc / "cgroup").read_text().splitlines()
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
    except OSError:
        return None
    paths = [line.removeprefix("0::") for line in groups if line.startswith("0::")]
    places = [(Path(m[3]), Path(m[4])) for m in mounts if m[m.index("-") + 1] == "cgroup2"]
    if not paths or not places:
        return None
    root, place = places[0]
    own = Path(paths[0])
    return place / (own.relative_to(root) if own.is_relative_to(root) else own.relative_to("/"))


def _count(path: Path, key: str) -> int:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return next((int(row[1]) for row in rows if row[:1] == [key]), 0)


def _write(path: Path, value: str) -> None:
    """Write one value at once, as the kernel wants it; a missing file is an error."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
