"""Runs each entry of the schedule as a freqfleet command of its own, one at a time an entry.

What was run or skipped stands in the journal, and there a new supervisor reads where to go on. A run
holds a locked file, so that the one of a supervisor that was killed is not overlapped either. Its
output goes line by line, secrets masked, into a log that its owner alone can read; what is in the
journal is masked like everything there. Decides nothing about times (`planning`). Run by `app`
beside the supervisor; ends with it, and ends what still runs.
"""

import asyncio
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from automation.core.clock import Clock, SystemClock
from automation.core.config import Fleet, ScheduledCommand
from automation.core.errors import DependencyError
from automation.core.masking import mask
from automation.fleet.chronicle import Chronicle
from automation.fleet.home import Home, disk_error, make_private
from automation.fleet.logfile import rotate
from automation.fleet.schedule import events
from automation.fleet.schedule.planning import due, following
from automation.journal import Event, Query

LOOK_S = 20.0
"""The wall clock may be put forward: nothing sleeps longer than this."""

END_WITHIN_S = 5.0
LOOK_BACK = 1000
LONGEST_LINE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """Where scheduled commands run."""

    home: Home
    root: Path
    program: Sequence[str] = (sys.executable, "-m", "automation")


class Scheduler:
    """Keeps the schedule of one fleet."""

    def __init__(
        self, fleet: Fleet, place: Place, chronicle: Chronicle, clock: Clock | None = None
    ) -> None:
        """Take the entries; `refuse_wrong_times` was asked before."""
        self._entries, self._place = _by_name(fleet), place
        self._chronicle, self._clock = chronicle, clock or SystemClock()
        self._kept: dict[str, asyncio.Event] = {}  # by name, set when the entry has changed
        self._is_renewed = asyncio.Event()

    async def run(self) -> None:
        """Keep all entries until cancelled."""
        is_first = True
        async with asyncio.TaskGroup() as group:
            while True:
                self._is_renewed.clear()
                for name in self._entries.keys() - self._kept.keys():
                    self._kept[name] = asyncio.Event()
                    keeping = self._keep(name, is_known=is_first)
                    group.create_task(keeping, name=f"schedule {name}")
                is_first = False
                await self._is_renewed.wait()

    def renew(self, fleet: Fleet) -> None:
        """Go by another schedule; a run under way ends as it would have.

        New and changed entries begin with their next time; `refuse_wrong_times` was asked before.
        """
        before, self._entries = self._entries, _by_name(fleet)
        for name, changed in self._kept.items():
            if self._entries.get(name) != before.get(name):
                changed.set()
        self._is_renewed.set()

    async def _keep(self, name: str, *, is_known: bool) -> None:
        """Run one entry at its times until it is gone and its last run has ended."""
        entry, changed = self._entries[name], self._kept[name]
        handled = await self._recall(entry) if is_known else self._clock.now()
        running: asyncio.Task[None] | None = None
        try:
            while True:
                now = self._clock.now()
                if changed.is_set():
                    changed.clear()
                    if name not in self._entries and running is not None:
                        await asyncio.wait([running])
                    if name not in self._entries:
                        return
                    entry, handled = self._entries[name], now
                found = due(entry, handled, now)
                if found is not None:
                    handled = found.planned
                    refusal = "" if found.runs else "nobody ran it in time"
                    if found.runs and running is not None and not running.done():
                        refusal = "the run before has not ended"
                    if refusal:
                        self._tell_skipped(entry, found.planned, found.missed, refusal)
                    else:
                        running = asyncio.create_task(
                            self._guard(entry, found.planned), name=f"run {entry.name}"
                        )
                wait_s = (following(entry, handled) - self._clock.now()).total_seconds()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(LOOK_S, max(0.05, wait_s))):
                        await changed.wait()
        finally:
            del self._kept[name]
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def _guard(self, entry: ScheduledCommand, planned: datetime) -> None:
        try:
            await self._run(entry, planned)
        except DependencyError as error:
            self._tell_skipped(entry, planned, 0, str(error))

    async def _run(self, entry: ScheduledCommand, planned: datetime) -> None:
        folder = self._place.home.path / "schedule" / entry.name
        make_private(folder)
        log = folder / "output.log"
        rotate(log)
        lock = _lock(folder / "run.lock")
        if lock is None:
            reason = "the run that an earlier supervisor started has not ended"
            self._tell_skipped(entry, planned, 0, reason)
            return
        began_s = time.monotonic()
        try:
            process = await self._start(entry, lock)
        finally:
            os.close(lock)  # the run holds its own copy
        started = events.RunStarted(
            entry=entry.name,
            command=shlex.join(entry.command),
            planned=planned.isoformat(),
            pid=process.pid,
            log=str(log.relative_to(self._place.home.path)),
        )
        self._chronicle.tell("schedule.started", started)
        why = "was ended with its supervisor"
        try:
            why = await self._follow(entry, process, log, planned)
        finally:
            await _end(process)
            code, took_s = process.returncode, time.monotonic() - began_s
            said = why or (f"ended with exit code {code} after {took_s:.0f} s")
            ended = events.RunEnded(
                entry=entry.name, exit_code=code, took_s=round(took_s, 3), reason=said
            )
            self._chronicle.tell("schedule.ended", ended)

    async def _start(self, entry: ScheduledCommand, lock: int) -> asyncio.subprocess.Process:
        environment = {
            **os.environ,
            "FREQFLEET_HOME": str(self._place.home.path),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        try:
            return await asyncio.create_subprocess_exec(
                *self._place.program,
                *entry.command,
                cwd=self._place.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
                limit=LONGEST_LINE_BYTES,
            )
        except OSError as error:
            raise DependencyError(f"it cannot be started: {error}") from None

    async def _follow(
        self,
        entry: ScheduledCommand,
        process: asyncio.subprocess.Process,
        log: Path,
        planned: datetime,
    ) -> str:
        """Write down what a run says until it ends; tells why it was ended, "" if by itself."""
        try:
            async with asyncio.timeout(entry.timeout_h * 3600.0):
                await _write_output(process, log, planned)
                await process.wait()
        except TimeoutError:
            return f"was ended after {entry.timeout_h:g} h, its limit"
        return ""

    async def _recall(self, entry: ScheduledCommand) -> datetime:
        """Read which time was handled last; an entry that is new begins now."""
        while True:
            with suppress(DependencyError):
                return await asyncio.to_thread(self._recalled, entry)
            await asyncio.sleep(1.0)

    def _recalled(self, entry: ScheduledCommand) -> datetime:
        last = self._last(entry, "schedule.started", "schedule.skipped")
        if last is None:
            return self._clock.now()
        ended = self._last(entry, "schedule.ended")
        if last.kind == "schedule.started" and (ended is None or ended.sequence < last.sequence):
            reason = "was left by a supervisor that ended; nobody saw how it went"
            left = events.RunEnded(entry=entry.name, exit_code=None, took_s=None, reason=reason)
            self._chronicle.tell("schedule.ended", left)
        return datetime.fromisoformat(last.payload["planned"]).astimezone(UTC)

    def _last(self, entry: ScheduledCommand, *kinds: str) -> Event | None:
        # The text narrows it down; other entries may hold this one's name in theirs.
        query = Query(kind=kinds, text=entry.name)
        for event in reversed(self._chronicle.journal.tail(LOOK_BACK, query)):
            if event.payload.get("entry") == entry.name:
                return event
        return None

    def _tell_skipped(
        self, entry: ScheduledCommand, planned: datetime, missed: int, reason: str
    ) -> None:
        skipped = events.RunSkipped(
            entry=entry.name, planned=planned.isoformat(), missed=missed, reason=reason
        )
        self._chronicle.tell("schedule.skipped", skipped)


def _by_name(fleet: Fleet) -> dict[str, ScheduledCommand]:
    return {entry.name: entry for entry in fleet.schedule}


async def _write_output(process: asyncio.subprocess.Process, log: Path, planned: datetime) -> None:
    assert process.stdout is not None
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_error(error, log) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(f"--- planned for {planned.isoformat()}\n")
        while True:
            try:
                line = await process.stdout.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                line = end.partial
            except asyncio.LimitOverrunError as long:
                line = await process.stdout.readexactly(long.consumed)
            if not line:
                return
            try:
                file.write(str(mask(line.decode("utf-8", "replace"))))
                file.flush()
            except OSError as error:  # a full disk ends no run
                structlog.get_logger("schedule").warning("output not written", error=str(error))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a run and all it started, gently at first."""
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN_S):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _lock(path: Path) -> int | None:
    """Lock an entry's file for its run; None when a run still holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_error(error, path) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
