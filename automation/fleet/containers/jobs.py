"""Runs one freqfleet command as a container that is gone afterwards: a backtest, a gate, a tuning.

For a sidecar without Freqtrade. The container is bounded and confined like a bot's, has no network
at all (the command brings its own exchange), reads what it is given and writes only where its
results go. It is on a leash (`core.leash`): killed at its time limit, and when this process ends,
however that comes about; the engine itself removes it. Refuses to know which commands there are.
Called by `app.jobs` for what a person typed, by `app.rehearsal_job` from the supervisor's threads.
"""

import fcntl
import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from automation.core.errors import DependencyError, TransientError
from automation.core.flocks import Flock, probe
from automation.core.leash import ERR, EXIT, GRACE_S, LOCK, OUT, TOLD, TOLD_VARIABLE
from automation.core.seams import Container, Launch, Mount
from automation.fleet.contained import USER_BASE, user_of_ours
from automation.fleet.containers.engine import Engine
from automation.fleet.containers.spec import arguments, name_for
from automation.fleet.home import disk_error, make_private

UNIT = "job"
POLL_S = 0.1
ASK_EVERY_S = 2.0
GONE_WITHIN_S = 10.0
MOST_AT_ONCE = 1 << 20
KILLED = 137
Told = Callable[[], int]
"""Gives the signal that asks a job to end; 0 while none does. SIGKILL ends it at once."""

_START = 'exec "${FREQFLEET_PYTHON:-$0}" -m automation "$@"'


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, and what it may use."""

    words: tuple[str, ...]  # of the command line, without `freqfleet`
    image: str
    cwd: Path | None = None  # without it its scratch folder
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = "python"
    user: str | None = None
    memory_mb: int = 4096
    cpus: float = 2.0
    pids: int = 512
    limit_s: float = 12 * 3600.0
    furnish: Callable[[Path], None] | None = None  # lays what it needs into its scratch folder
    cure: str = "shorten the range, or raise docker.jobs in the fleet file"  # when it was killed


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended, and what it said is to be remembered."""

    code: int
    told: tuple[str, ...] = ()
    out: bytes = b""  # of a job that was run for its answer
    err: bytes = b""


class _Tail:
    """Reads what is added to a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                found = file.read(MOST_AT_ONCE)
        except OSError:
            return b""  # not begun yet
        self._at += len(found)
        return found


_Tails = tuple[tuple[_Tail, BinaryIO], ...]


def run(engine: Engine, job: Job, place: Path, out: BinaryIO, err: BinaryIO) -> Done:
    """Run a job to its end, with what it prints copied to `out` and `err`, signals passed on to it.

    `place` holds its scratch folder. For the main thread. DependencyError when the engine, the
    image or the memory limit does not let it run; TransientError when the engine does not answer.
    """
    return _perform(engine, job, place, (out, err), _signals)


def run_until(engine: Engine, job: Job, place: Path, is_over: threading.Event) -> Done:
    """Run a job to its end and give what it printed, in any thread; killed once `is_over` is set.

    Returns after the container is gone. Raises as `run`.
    """
    out, err = io.BytesIO(), io.BytesIO()
    done = _perform(
        engine,
        job,
        place,
        (out, err),
        lambda: nullcontext(lambda: signal.SIGKILL if is_over.is_set() else 0),
    )
    return replace(done, out=out.getvalue(), err=err.getvalue())


def _perform(
    engine: Engine,
    job: Job,
    place: Path,
    streams: tuple[BinaryIO, BinaryIO],
    listen: Callable[[], AbstractContextManager[Told]],
) -> Done:
    with _scratch(engine, place) as folder:
        _furnish(job, folder)
        _give(job, folder)
        launch = _launch(job, folder)
        container = engine.create(arguments(launch) | {"auto_remove": True})
        try:
            engine.start(container)
            tails = tuple(
                (_Tail(folder / name), stream)
                for name, stream in zip((OUT, ERR), streams, strict=True)
            )
            with listen() as told:
                code = _follow(engine, container, job, folder, tails, told)
        finally:
            _remove(engine, container)
        with suppress(OSError):
            return Done(code, tuple((folder / TOLD).read_text().splitlines()))
        return Done(code)


def _remove(engine: Engine, container: str) -> None:
    """Remove the container, and wait until the engine has done so, itself or as told."""
    deadline = time.monotonic() + GONE_WITHIN_S
    with suppress(TransientError):
        engine.remove(container)
        while engine.inspect(container) is not None and time.monotonic() < deadline:
            time.sleep(POLL_S)


def _launch(job: Job, folder: Path) -> Launch:
    mounts = [Mount(path, path) for path in dict.fromkeys(job.readable) if path.exists()]
    mounts += [Mount(path, path, is_writable=True) for path in (*job.writable, folder)]
    container = Container(
        image=job.image,
        networks=("none",),
        mounts=tuple(mounts),
        user=job.user or user_of_ours(),
        memory_mb=job.memory_mb,
        cpus=job.cpus,
        pids=job.pids,
    )
    words = ("--leash", str(folder), f"{job.limit_s:g}", *job.words)
    environment = {
        "HOME": "/tmp",  # noqa: S108  the container's own
        "TMPDIR": str(folder / "tmp"),  # not the container's memory
        "NUMBA_CACHE_DIR": str(folder / "tmp" / "numba"),
        "PYTHONUSERBASE": USER_BASE,
        "PYTHONDONTWRITEBYTECODE": "1",
        TOLD_VARIABLE: str(folder / TOLD),
        **job.environment,
    }
    return Launch(
        unit=UNIT,
        folder=folder,
        argv=("/bin/sh", "-c", _START, job.python, *words),
        env=environment,
        cwd=job.cwd or folder,
        console=folder / OUT,
        mark=str(folder),
        container=container,
    )


def _follow(  # noqa: PLR0917  the parts of one run
    engine: Engine, container: str, job: Job, folder: Path, tails: _Tails, told: Told
) -> int:
    """Copy what it prints until it has ended; gives its exit code."""
    deadline, asked_s = time.monotonic() + job.limit_s + GRACE_S, time.monotonic()
    while True:
        is_over = (folder / EXIT).exists()
        _copy(tails)
        if is_over:
            return _code(job, folder)
        now_s, number = time.monotonic(), told()
        if number == signal.SIGKILL:
            return KILLED  # whoever removes the container kills it
        if number and deadline > now_s + GRACE_S:  # asked to end: as a terminal would
            deadline = now_s + GRACE_S
            engine.signal(container, number)
        if now_s >= deadline:
            return 128 + number if number else KILLED
        if now_s - asked_s >= ASK_EVERY_S:
            asked_s = now_s
            if not _lives(engine, container) and not (folder / EXIT).exists():
                _copy(tails)
                raise _vanished(job, folder)
        time.sleep(POLL_S)


def _lives(engine: Engine, container: str) -> bool:
    try:
        found = engine.inspect(container)
    except TransientError:
        return True  # an engine that restarts says nothing about its containers
    return found is not None and bool(found["State"]["Running"])


def _code(job: Job, folder: Path) -> int:
    code = int((folder / EXIT).read_text())
    if code == KILLED:
        limits = f"{job.memory_mb} MB and {job.limit_s / 3600:g} h"
        raise DependencyError(
            f"it was killed; it may use {limits}",
            where=f"{' '.join(job.words[:2])} in a container",
            cure=job.cure,
        )
    return code


def _vanished(job: Job, folder: Path) -> DependencyError:
    where = f"image {job.image}"
    if (folder / OUT).exists():
        return DependencyError("the job's container was ended from outside", where=where)
    cure = "build the bot image with make images and name it in the fleet file (docker.image)"
    return DependencyError("freqfleet does not start in it", where=where, cure=cure)


def _copy(tails: _Tails) -> None:
    for tail, stream in tails:
        while found := tail.read():
            stream.write(found)
            stream.flush()


@contextmanager
def _signals() -> Iterator[Told]:
    """Collect the signals that ask this process to end, instead of ending at once."""
    told: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(n, lambda got, _frame: told.append(got)) for n in numbers]
    try:
        yield lambda: told[0] if told else 0
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _scratch(engine: Engine, place: Path) -> Iterator[Path]:
    """Make a folder whose lock we hold; those of dead askers are removed."""
    make_private(place)
    for left in place.iterdir():
        if _is_left(left):
            with suppress(DependencyError):  # it may have been created and never started
                engine.remove(name_for(UNIT, str(left)))
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(mkdtemp(prefix="job-", dir=place))
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (folder / "tmp").mkdir()
    try:
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Tell whether its asker is gone; a folder without a lock is being made at this moment."""
    return probe(folder / LOCK) is Flock.FREE


def _furnish(job: Job, scratch: Path) -> None:
    if job.furnish is None:
        return
    try:
        job.furnish(scratch)
    except OSError as error:
        raise disk_error(error, scratch) from None


def _give(job: Job, scratch: Path) -> None:
    """Hand what it writes to the user inside; only root can, and only root has to."""
    if os.getuid() != 0:
        return
    uid, gid = (int(number) for number in (job.user or user_of_ours()).split(":"))
    for top in (*job.writable, scratch):
        # Where the command stands in the folder it only adds a file to it: the rest is not its own.
        is_around = job.cwd is not None and job.cwd.is_relative_to(top)
        for path in (top, *(() if is_around else top.rglob("*"))):
            os.chown(path, uid, gid, follow_symlinks=False)
