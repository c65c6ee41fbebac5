"""Who a process is: pid, start time and boot, so that a reused pid is never taken for it.

Refuses to know what the process does. Called by the process runner and the supervisor's lock.
"""

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import psutil

from automation.core.model import Identity


def identify(pid: int) -> Identity | None:
    """Tell who runs under this pid; None when nobody does, or only a zombie."""
    start = _start_of(pid)
    return None if start is None else Identity(pid, start, _boot())


def is_alive(identity: Identity) -> bool:
    """Tell whether this very process still runs."""
    return identify(identity.pid) == identity


def find_marked(mark: str) -> Identity | None:
    """Find the process that has `mark` as one of its arguments; the oldest when several have."""
    found: list[tuple[float, int]] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and mark in process.cmdline():
                found.append((process.create_time(), process.pid))
    return identify(min(found)[1]) if found else None


def describe(pid: int) -> str:
    """Name a process for a person: `pid 4711 (python3)`."""
    try:
        return f"pid {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"pid {pid}"


def _start_of(pid: int) -> int | None:
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        # The name in parentheses may hold anything, so fields are counted from its end.
        fields = stat[stat.rindex(b")") + 2 :].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return int(process.create_time() * 1_000_000)
    except psutil.Error:
        return None


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
