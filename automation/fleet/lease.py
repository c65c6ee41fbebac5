"""The right to supervise a fleet: at any time one supervisor has it, and others may wait for it.

Two things together. The *lock* of the state folder is the kernel's: it is free the moment its holder
is dead. The *lease* in the journal's store tells of a holder that lives and does nothing (stopped,
hung): its beat stands still. Whoever waits takes the lease over in one step that only one of several
can make, then puts a lock file of its own in place of the old one, and waits until nothing of the
former holder is under way any more. The former one sees before each act that its lock file is no
longer the one in the folder, and ends.

No clock of the wall is compared, and a store that is down ends nobody's right: what counts is how
long the waiting one has seen no beat by its own clock. Supervisors at another place (another machine
or state folder) cannot see the bots here and never take over by themselves.
Called by the supervisor and by `app`.
"""

import asyncio
import hashlib
import os
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from automation.core.errors import ConfigError, DependencyError
from automation.fleet.home import Home, read_json, write_json
from automation.fleet.lock import FleetIsUp, SupervisorLock, find_supervisor
from automation.journal.store import LeaseRecord, Store


class LeaseLost(DependencyError):
    """Another supervisor has taken this fleet over."""


@dataclass(frozen=True, slots=True)
class Beats:
    """The lease's times, in seconds."""

    beat_s: float = 1.0  # the holder shows that it lives
    look_s: float = 0.4  # those who wait look
    silent_s: float = 6.0  # without a beat for so long a holder has lost its right
    grace_s: float = 1.5  # what the former holder had under way has ended after this


@dataclass(frozen=True, slots=True)
class Terms:
    """How a supervisor comes to its lease."""

    waits: bool = False  # stands by until the holder is gone
    takes_over: bool = False  # a person says that the holder at another place is gone
    beats: Beats = Beats()


class Lease:
    """Held while this process supervises a fleet; a context manager, or `take` and `close`."""

    def __init__(self, home: Home, store: Store, fleet: str, terms: Terms | None = None) -> None:
        """Name the fleet; nothing is taken yet."""
        self._home, self._store, self._fleet = home, store, fleet
        self._terms = terms or Terms()
        self._name = f"supervisor of {fleet}"
        self._lock = SupervisorLock(home)
        self._mine: LeaseRecord | None = None
        self._lost = ""
        self._keeping: asyncio.Task[None] | None = None
        self.follows = ""
        """Why the one before no longer supervises, where this one stood by for it."""

    async def __aenter__(self) -> Self:
        """Take it, unless it was taken before."""
        if self._mine is None:
            await self.take()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        await self.close()

    async def take(self) -> None:
        """Take the lease, or wait for it; FleetIsUp when another supervisor has it.

        Raises ConfigError when it is held at another place, DependencyError as the store does.
        """
        try:
            await (self._stand_by() if self._terms.waits else self._take_free())
        except BaseException:
            self._lock.release()
            raise
        self._keeping = asyncio.create_task(self._keep(), name="lease")

    async def close(self) -> None:
        """Give it back, so that the next one need not wait; what was lost is left alone."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        mine, self._mine = self._mine, None
        if mine is not None and not self.is_lost:
            with suppress(DependencyError):  # then the lock alone tells that it is free
                free = replace(mine, holder="", beat=mine.beat + 1)
                await asyncio.to_thread(self._store.swap_lease, self._name, mine, free)
        self._lock.release()

    @property
    def is_lost(self) -> bool:
        """Whether another supervisor has taken over."""
        if not self._lost and self._lock.is_taken_away():
            self._lost = "its state folder has another lock"
        return bool(self._lost)

    def check(self) -> None:
        """Return while this process may act; LeaseLost once it may not."""
        if self.is_lost:
            raise LeaseLost(
                f"another supervisor has taken the fleet {self._fleet} over ({self._lost})",
                cure="this one ends and touches no bot; freqfleet status shows who supervises",
            )

    def announce(self, socket: str) -> None:
        """Write down who supervises, for the commands."""
        self._lock.announce(self._fleet, socket)

    async def _take_free(self) -> None:
        self._lock.take()
        if not await self._swap(await self._read_ours()):
            raise FleetIsUp("another supervisor took this fleet at the same moment")

    async def _read_ours(self) -> LeaseRecord | None:
        """Read the lease, the lock being ours: whoever had it here before is dead."""
        known = await self._read()
        if known is not None and known.holder and known.place != self._place():
            await self._refuse_elsewhere(known)
        return known

    async def _refuse_elsewhere(self, known: LeaseRecord) -> None:
        """Go on only if a person says that the holder at another place is gone, and it is silent."""
        await asyncio.sleep(self._terms.beats.silent_s)
        if await self._read() != known:
            raise FleetIsUp(
                f"this fleet is up already, at another place, under {known.holder}",
                where=self._store.name,
                cure="take it down there",
            )
        if not self._terms.takes_over:
            raise ConfigError(
                f"this fleet was last supervised at another place, under {known.holder}, and was "
                "not taken down: its bots may still run there",
                where=self._store.name,
                cure="run freqfleet down there, or, once that machine is gone for good, "
                "freqfleet up --take-over here",
            )

    async def _stand_by(self) -> None:
        """Wait until the holder is dead (its lock is free) or silent (its beat stands still)."""
        seen: LeaseRecord | None = None
        beats, since_s = self._terms.beats, _now_s()
        while not await self._take_from_dead():
            looked_s = _now_s()
            self._refuse_another_fleet()
            with suppress(DependencyError):  # a store that is down tells nothing of the holder
                known = await self._read()
                if known != seen:
                    seen, since_s = known, looked_s
            if seen is not None and looked_s - since_s >= beats.silent_s:
                if await self._take_from_silent(seen):
                    return
                since_s = _now_s()
            await asyncio.sleep(beats.look_s)
            if _now_s() - looked_s > beats.silent_s / 2:
                since_s = _now_s()  # it was this process that slept

    async def _take_from_dead(self) -> bool:
        try:
            self._lock.take(patient=False)
        except FleetIsUp:
            return False
        try:
            known = await self._read_ours()
            has_taken = await self._swap(known)
        except DependencyError:
            known, has_taken = None, False
        if not has_taken:
            self._lock.release()
        elif known is not None and known.holder:
            self.follows = f"{known.holder} has died"
        return has_taken

    def _refuse_another_fleet(self) -> None:
        holder = find_supervisor(self._home)
        if holder is not None and holder.fleet != self._fleet:
            raise FleetIsUp(
                f"the fleet {holder.fleet} is up in this state folder, not {self._fleet}",
                where=str(self._home.path),
                cure="set FREQFLEET_HOME for a second fleet",
            )

    async def _take_from_silent(self, seen: LeaseRecord) -> bool:
        holder = find_supervisor(self._home)
        taking = asyncio.create_task(self._swap(seen), name="take over")
        done, _ = await asyncio.wait({taking}, timeout=self._terms.beats.grace_s)
        if not done and holder is not None:
            _kill_if_stopped(holder.pid)  # stopped while it wrote, it holds the store from us all
        try:
            if not await taking:
                return False
        except DependencyError:
            return False
        self._lock.seize()
        self.follows = f"{seen.holder} has given no sign for {self._terms.beats.silent_s:g} s"
        await asyncio.sleep(self._terms.beats.grace_s)
        self.check()
        return True

    async def _read(self) -> LeaseRecord | None:
        return await asyncio.to_thread(self._store.lease, self._name)

    async def _swap(self, was: LeaseRecord | None) -> bool:
        term = was.term + 1 if was is not None else 1
        mine = LeaseRecord(f"supervisor pid {os.getpid()}", self._place(), term, 0)
        if not await asyncio.to_thread(self._store.swap_lease, self._name, was, mine):
            return False
        self._mine = mine
        return True

    async def _keep(self) -> None:
        """Show again and again that this supervisor lives, until the lease is another's."""
        while not self.is_lost:
            with suppress(DependencyError):  # the lock tells what the store cannot
                await self._beat()
            await asyncio.sleep(self._terms.beats.beat_s)

    async def _beat(self) -> None:
        assert self._mine is not None
        was = self._mine
        now = replace(was, beat=was.beat + 1)
        if await asyncio.to_thread(self._store.swap_lease, self._name, was, now):
            self._mine = now
            return
        found = await self._read()
        if found is None or (found.holder, found.term) != (was.holder, was.term):
            self._lost = f"the lease is that of {found.holder}" if found else "the lease is gone"
        else:
            self._mine = found  # an earlier beat arrived, though the store did not say so

    def _place(self) -> str:
        """Tell machine and state folder; a copied folder on another machine is another place."""
        path = self._home.path / "place.json"
        known = str(read_json(path).get("place", ""))
        if not known:
            known = secrets.token_hex(8)
            write_json(path, {"place": known})
        return f"{known}-{_machine()}"


def end_if_lost(lease: Lease) -> None:
    """End this process on the spot if another supervisor has taken over while it stood still.

    Nothing that it was about to do is done: not the next line, not the next callback.
    """
    try:
        lease.check()
    except LeaseLost as lost:
        show_cursor = "\x1b[?25h" if os.isatty(2) else ""
        os.write(2, f"{show_cursor}freqfleet: {lost}\n".encode())
        os._exit(lost.exit_code)


def _machine() -> str:
    with suppress(OSError):
        return hashlib.sha256(Path("/etc/machine-id").read_bytes()).hexdigest()[:8]
    return ""


def _now_s() -> float:
    """Tell a clock that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def _kill_if_stopped(pid: int) -> None:
    with suppress(psutil.Error, ProcessLookupError, PermissionError):
        if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
            os.kill(pid, signal.SIGKILL)
