"""Time and memory limits on a process and all its children, and running one under them.

Decides when a process has had enough and ends its whole group. Time is processor time, so that a
busy machine changes no verdict; the clock on the wall is only a backstop for what sleeps. Memory is
what is resident (RSS); address space would also count what libraries merely reserve. Both are
summed over the process and its children and looked at ten times a second. Refuses to know what
runs. Called by `bench` and, as a `core.backtests.Guard`, around backtests.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from automation.core.errors import PermanentError
from automation.core.processes import dies_with_parent

_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use: seconds of processor time, MB of resident memory.

    `wall_factor` times as long on the clock is the backstop for what sleeps.
    """

    time_s: float
    memory_mb: float
    wall_factor: float = 8.0

    @property
    def wall_s(self) -> float:
        """Seconds on the clock after which it is stopped whatever it used."""
        return self.time_s * self.wall_factor


class LimitExceeded(PermanentError):
    """A process was ended because it took too long or too much memory."""


@asynccontextmanager
async def guarded(pid: int, limits: Limits) -> AsyncIterator[None]:
    """End the process group of `pid` when it exceeds `limits`; LimitExceeded on leaving then."""
    reasons: list[str] = []
    watch = asyncio.create_task(_watch(pid, limits, reasons))
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    if reasons:
        raise LimitExceeded(reasons[0])


async def _watch(pid: int, limits: Limits, reasons: list[str]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.wall_s
    while True:
        used_s, resident_mb = _usage(pid)
        if used_s > limits.time_s:
            reasons.append(f"was stopped after {limits.time_s:g} s of work, its time limit")
        elif loop.time() > deadline:
            reasons.append(f"was stopped after {limits.wall_s:g} s without an end, its time limit")
        elif resident_mb > limits.memory_mb:
            reasons.append(f"was stopped above {limits.memory_mb:,.0f} MB, its memory limit")
        if reasons:
            end_group(pid)
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _usage(pid: int) -> tuple[float, float]:
    """Tell processor time (s) and resident memory (MB) of a process and its descendants."""
    used_s, resident = 0.0, 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                times = one.cpu_times()
                used_s += times.user + times.system
                resident += one.memory_info().rss
    return used_s, resident / 1e6


def end_group(pid: int) -> None:
    """Kill a process that leads its own group, and the group; nothing happens if it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run: its argv, its environment, its folder, its limits."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    limits: Limits


@dataclass(frozen=True, slots=True)
class Output:
    """How a program ended: its exit code and what it printed, both streams."""

    code: int
    lines: tuple[str, ...]


async def run(command: Command, told: Callable[[str], None] | None = None) -> Output:
    """Run a program under its limits; `told` gets every line as it comes.

    Raises LimitExceeded if it had to be stopped; leaves no process behind, however it ends.
    """
    process = await asyncio.create_subprocess_exec(
        *command.argv,
        env=command.environment,
        cwd=command.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=dies_with_parent(),
        limit=1 << 22,
    )
    lines: list[str] = []
    try:
        assert process.stdout is not None
        async with guarded(process.pid, command.limits):
            async for raw in process.stdout:
                lines.append(raw.decode("utf-8", "replace").rstrip())
                if told is not None:
                    told(lines[-1])
            code = await process.wait()
        return Output(code, tuple(lines))
    finally:
        end_group(process.pid)
        await process.wait()
