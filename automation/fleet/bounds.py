"""What a unit that is a process of this machine may use, and who enforces it.

Niceness, open files and core dumps are the kernel's for any process; memory, CPU and number of
processes need a cgroup, which not every supervisor may make. What cannot be enforced is told as a
sentence, and the unit runs all the same: a bot without a limit is better than none. Address space
(RLIMIT_AS, RLIMIT_DATA) is left alone: numpy and its threads reserve many times what they use, and
Freqtrade would die of it at rest. Called by the runner of processes.
"""

import os
import resource
from contextlib import suppress
from hashlib import sha256

from automation.core.errors import Refusal
from automation.core.model import KILLED_FOR_MEMORY
from automation.core.seams import Launch
from automation.fleet import cgroup


class Bounds:
    """Bounds units, each in a group of its own."""

    def __init__(self) -> None:
        """Look once what this process may do."""
        self._division = cgroup.find_division()

    def put(self, launch: Launch, pid: int) -> str:
        """Bound a process that was just started; tells what is not enforced and why, "" if all is."""
        if launch.nice:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, pid, launch.nice)
        if hasattr(resource, "prlimit"):
            with suppress(OSError):
                resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))  # a core file holds its keys
                _limit_files(pid, launch.limits.files)
        return self.keep(launch, pid)

    def keep(self, launch: Launch, pid: int) -> str:
        """Have a process in its group: one whose supervisor died before it put it there as well."""
        asked = name_limits(cgroup.missing(cgroup.NOTHING, launch.limits))
        if not asked:
            return ""
        if isinstance(self._division, Refusal):
            return f"{asked} not enforced: {self._division.reason}"
        name = _name_of(launch)
        if not cgroup.holds(self._division, name, pid):
            try:
                cgroup.confine(self._division, name, pid, launch.limits)
            except OSError as error:
                return f"{asked} not enforced: the kernel refused ({error.strerror})"
        missing = name_limits(cgroup.missing(self._division, launch.limits))
        why = "the kernel has no such controller in cgroup v2 here"
        return f"{missing} not enforced: {why}" if missing else ""

    def lift(self, launch: Launch) -> str:
        """Remove the group of a process that ended, with what is left in it; tells how it ended."""
        if isinstance(self._division, Refusal):
            return ""
        return KILLED_FOR_MEMORY if cgroup.dissolve(self._division, _name_of(launch)) else ""


def name_limits(fields: tuple[str, ...]) -> str:
    """Write names of limits as the subject of a sentence; "" for none."""
    if len(fields) < 2:
        return "".join(f"{field} is" for field in fields)
    return f"{', '.join(fields[:-1])} and {fields[-1]} are"


def _limit_files(pid: int, files: int | None) -> None:
    if files is None:
        return
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    most = files if hard == resource.RLIM_INFINITY else min(files, hard)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))


def _name_of(launch: Launch) -> str:
    """Name the group: one state folder's unit always gets the same."""
    return f"freqfleet-{launch.unit.lstrip('_')}-{sha256(launch.mark.encode()).hexdigest()[:10]}"
