"""The runner whose units are processes of this machine.

Each unit is a session of its own, so a Ctrl-C in the supervisor's terminal does not reach it and it
outlives the supervisor. It inherits a locked file: while any process of the unit holds it, no
second one can be started, whoever tries and whatever the pid file says. A living unit is held by a
pidfd where the system has one, so a signal can never reach a stranger under a reused pid.
Refuses to know what the units do. Called by the supervisor.
"""

import asyncio
import fcntl
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from automation.core.errors import DependencyError, TransientError
from automation.core.flocks import Flock, probe
from automation.core.model import Identity, ProcessFacts
from automation.core.seams import Launch, Patience, Poster, ProcessLimits
from automation.fleet.bounds import Bounds
from automation.fleet.home import disk_error, make_private, read_json, write_json
from automation.fleet.identity import describe, find_marked, identify, is_alive
from automation.fleet.logfile import last_words, open_console

POLL_S = 0.05
DYING_S = 1.0


@dataclass(slots=True)
class _Held:
    """A unit that this runner looks after."""

    launch: Launch
    facts: ProcessFacts
    child: subprocess.Popen[bytes] | None = None
    descriptor: int | None = None  # pidfd


class ProcessRunner:
    """Starts, adopts, watches and stops processes."""

    def __init__(self) -> None:
        """Look after nothing yet."""
        self._units: dict[str, _Held] = {}
        self._wake: Poster = lambda: None
        self._bounds = Bounds()

    def when_one_ends(self, wake: Poster) -> None:
        """Have `wake` called as soon as a unit ends."""
        self._wake = wake

    async def adopt(self, launch: Launch) -> ProcessFacts:
        """Find what an earlier supervisor started for this unit, dead or alive."""
        identity = _written_identity(launch.folder)
        if identity is None or not is_alive(identity):
            # Killed between starting the unit and writing its pid file: the lock tells.
            found = find_marked(launch.mark) if _is_locked(launch.folder) else None
            if found is not None:
                identity = found
                _write_identity(launch, found)
        if identity is None:
            return ProcessFacts()
        if not is_alive(identity):
            words = self._bounds.lift(launch) or last_words(launch.console)
            return ProcessFacts(identity, since_s=time.monotonic(), last_words=words)
        facts = ProcessFacts(
            identity,
            True,
            True,
            _came_up_s(launch.folder),
            seen_s=time.monotonic(),
            unbounded=self._bounds.keep(launch, identity.pid),
        )
        self._hold(_Held(launch, facts))
        return facts

    async def start(self, launch: Launch) -> ProcessFacts:
        """Start the unit; DependencyError when it cannot be, or already runs."""
        make_private(launch.folder)
        make_private(launch.console.parent)
        lock = await _lock(launch)
        try:
            child = _spawn(launch, lock)
        finally:
            os.close(lock)  # the unit holds its own copy
        identity = identify(child.pid)
        now_s = time.monotonic()
        held = _Held(launch, ProcessFacts(identity, True, False, now_s, now_s), child)
        if identity is None:  # ended already
            held.facts = replace(held.facts, identity=Identity(child.pid, 0, ""))
            self._units[launch.unit] = held
            return await self.look(launch.unit)
        try:
            _write_identity(launch, identity)
        except DependencyError:
            _kill_group(child.pid)
            child.wait()
            raise
        held.facts = replace(held.facts, unbounded=self._bounds.put(launch, child.pid))
        self._hold(held)
        return held.facts

    async def look(self, unit: str) -> ProcessFacts:
        """Tell whether the unit lives."""
        held = self._units.get(unit)
        if held is None:
            return ProcessFacts()
        if held.facts.is_alive and not _lives(held):
            self._bury(held)
        return held.facts

    async def stop(self, unit: str, patience: Patience) -> ProcessFacts:
        """Interrupt, then terminate, then kill, each after its time; the whole group dies."""
        held = self._units.get(unit)
        if held is None or not held.facts.is_alive:
            return await self.look(unit)
        rungs = (
            (signal.SIGINT, patience.interrupt_s),
            (signal.SIGTERM, patience.terminate_s),
            (signal.SIGKILL, patience.kill_s),
        )
        for number, wait_s in rungs:
            if wait_s <= 0 and number is not signal.SIGKILL:
                continue
            patience.check()
            _send(held, number)
            _send(held, signal.SIGCONT)  # a stopped process would never hear of it
            if await self._ends_within(unit, wait_s):
                # An end on purpose leaves no pid file: the next supervisor finds nothing amiss.
                (held.launch.folder / "process.json").unlink(missing_ok=True)
                return held.facts
        pid = held.facts.identity.pid if held.facts.identity else 0
        raise TransientError(f"{describe(pid)} does not die; the kernel holds it", where=unit)

    async def close(self) -> None:
        """Let go of all units without touching them."""
        for held in self._units.values():
            self._let_go(held)
        self._units.clear()

    async def _ends_within(self, unit: str, wait_s: float) -> bool:
        deadline = time.monotonic() + wait_s
        while (await self.look(unit)).is_alive:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True

    def _hold(self, held: _Held) -> None:
        self._units[held.launch.unit] = held
        identity = held.facts.identity
        if identity is None or not hasattr(os, "pidfd_open"):
            return
        try:
            descriptor = os.pidfd_open(identity.pid)
        except OSError:
            return  # it ended, or there are no descriptors left; polling sees it too
        if held.child is None and not is_alive(identity):
            os.close(descriptor)  # the pid changed hands before it was opened
            return
        held.descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._on_end, held)

    def _on_end(self, held: _Held) -> None:
        self._forget_reader(held)
        self._wake()

    def _bury(self, held: _Held) -> None:
        identity = held.facts.identity
        # What it left behind. A child's pid is ours until it is waited for; an adopted one's may
        # belong to a stranger by now, and then so does the group of that number.
        if identity is not None and (held.child is not None or identify(identity.pid) is None):
            _kill_group(identity.pid)
        code = held.child.wait() if held.child is not None else None
        self._let_go(held)
        words = self._bounds.lift(held.launch) or last_words(held.launch.console)
        held.facts = replace(
            held.facts, is_alive=False, since_s=time.monotonic(), exit_code=code, last_words=words
        )

    def _let_go(self, held: _Held) -> None:
        if held.descriptor is not None:
            self._forget_reader(held)
            os.close(held.descriptor)
            held.descriptor = None
        if held.child is not None and held.child.returncode is None and held.facts.is_alive:
            # It lives on; tell subprocess that nobody will wait, or it warns.
            held.child.returncode = 0

    def _forget_reader(self, held: _Held) -> None:
        if held.descriptor is not None:
            asyncio.get_running_loop().remove_reader(held.descriptor)


def digest_of(launch: Launch) -> str:
    """Condense a command line and what it may use, so that a changed one is noticed."""
    words = [*launch.argv, *([] if launch.container is None else [repr(launch.container)])]
    if launch.limits != ProcessLimits():
        words.append(repr(launch.limits))
    return sha256("\0".join(words).encode()).hexdigest()[:16]


def _spawn(launch: Launch, lock: int) -> subprocess.Popen[bytes]:
    try:
        console = open_console(launch.console)
    except OSError as error:
        raise disk_error(error, launch.console) from None
    try:
        return subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env=dict(launch.env),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )
    except OSError as error:
        message = f"{launch.argv[0]} cannot be started: {error.strerror or error}"
        raise DependencyError(message, where=launch.unit) from None
    finally:
        os.close(console)


async def _lock(launch: Launch) -> int:
    """Lock the unit's file; one that was just killed holds it until its last thread is gone."""
    path = launch.folder / "process.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise disk_error(error, path) from None
    deadline = time.monotonic() + DYING_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < deadline:
                await asyncio.sleep(POLL_S)
                continue
            os.close(descriptor)
            raise DependencyError(
                "it runs already, though not under this supervisor",
                where=launch.unit,
                cure="run freqfleet down, then freqfleet up",
            ) from None
        return descriptor


def _is_locked(folder: Path) -> bool:
    """Tell whether some process of the unit lives; without a file none was ever started."""
    return probe(folder / "process.lock") is Flock.HELD


def _lives(held: _Held) -> bool:
    if held.child is not None:
        # Not poll(): the zombie keeps its pid, and so its group's name, until it is buried.
        status = os.waitid(os.P_PID, held.child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        return status is None
    if held.descriptor is not None:
        poll = select.poll()
        poll.register(held.descriptor, select.POLLIN)
        return not poll.poll(0)
    return held.facts.identity is not None and is_alive(held.facts.identity)


def _send(held: _Held, number: signal.Signals) -> None:
    identity = held.facts.identity
    if identity is None:
        return
    with suppress(ProcessLookupError):
        if number is signal.SIGKILL and _lives(held):
            _kill_group(identity.pid)
        elif held.descriptor is not None:
            signal.pidfd_send_signal(held.descriptor, number)
        elif is_alive(identity):
            os.kill(identity.pid, number)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _write_identity(launch: Launch, identity: Identity) -> None:
    document = asdict(identity) | {"argv": digest_of(launch), "came_up": time.time()}
    write_json(launch.folder / "process.json", document)


def living(folder: Path) -> Identity | None:
    """Tell which process runs a unit by its pid file; None when it does not run."""
    identity = _written_identity(folder)
    return identity if identity is not None and is_alive(identity) else None


def _written_identity(folder: Path) -> Identity | None:
    written = read_json(folder / "process.json")
    try:
        return Identity(int(written["pid"]), int(written["start"]), str(written["boot"]))
    except (KeyError, TypeError, ValueError):
        return None


def _came_up_s(folder: Path) -> float:
    """Place the start of an adopted process on this supervisor's monotonic clock."""
    came_up = read_json(folder / "process.json").get("came_up", 0)
    age_s = time.time() - came_up if isinstance(came_up, int | float) else 0.0
    return time.monotonic() - max(0.0, age_s)
