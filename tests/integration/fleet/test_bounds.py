"""What the kernel really does to a bounded process: files, core dumps, niceness, cgroups."""

import asyncio
import os
import sys
from contextlib import suppress

import psutil
import pytest

from automation.core.errors import Refusal
from automation.core.model import KILLED_FOR_MEMORY
from automation.core.seams import Launch, Patience, ProcessLimits
from automation.fleet import cgroup
from automation.fleet.identity import is_alive
from automation.fleet.process import ProcessRunner, digest_of

NOW = Patience(0, 0, 5)
SLEEP = "import time; time.sleep(60)"
GREEDY = "import time; time.sleep(0.5); held = bytearray(400 << 20); time.sleep(60)"
ESCAPING = "import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(60)"


@pytest.fixture
async def start(tmp_path):
    """Start a bounded unit; it is ended afterwards."""
    runner = ProcessRunner()

    async def begin(code: str, limits: ProcessLimits, nice: int = 0):
        launch = Launch(
            unit="a",
            folder=tmp_path / "a",
            argv=(sys.executable, "-c", code, str(tmp_path / "mark")),
            env=dict(os.environ),
            cwd=tmp_path,
            console=tmp_path / "a" / "logs" / "console.log",
            mark=str(tmp_path / "mark"),
            nice=nice,
            limits=limits,
        )
        return runner, launch, await runner.start(launch)

    yield begin
    await runner.stop("a", NOW)
    await runner.close()


async def test_files_niceness_and_core_files_are_bounded(start):
    _runner, _launch, facts = await start(SLEEP, ProcessLimits(files=300), nice=7)
    assert facts.unbounded == ""
    process = psutil.Process(facts.identity.pid)
    assert process.rlimit(psutil.RLIMIT_NOFILE) == (300, 300)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert process.nice() == 7


async def test_a_unit_without_limits_is_left_as_it_is(start):
    _runner, launch, facts = await start(SLEEP, ProcessLimits())
    assert facts.unbounded == ""
    ours = psutil.Process().rlimit(psutil.RLIMIT_NOFILE)
    assert psutil.Process(facts.identity.pid).rlimit(psutil.RLIMIT_NOFILE) == ours
    assert "ProcessLimits" not in repr(digest_of(launch))


async def test_memory_cpu_and_processes_are_bounded_or_the_reason_is_told(start):
    limits = ProcessLimits(memory_mb=256, cpus=0.5, pids=32)
    runner, launch, facts = await start(GREEDY, limits)
    division = cgroup.find_division()
    if isinstance(division, Refusal) or cgroup.missing(division, limits):
        assert facts.unbounded.startswith(("memory_mb", "cpus", "pids"))
        assert "not enforced: " in facts.unbounded
        assert facts.is_alive  # a bot without a limit is better than none
        return
    assert facts.unbounded == ""
    (group,) = division.path.glob("freqfleet-a-*")
    assert (group / "cpu.max").read_text().split() == ["50000", "100000"]
    ended = facts
    for _ in range(200):
        ended = await runner.look("a")
        if not ended.is_alive:
            break
        await asyncio.sleep(0.05)
    assert ended.last_words == KILLED_FOR_MEMORY
    assert not group.exists()
    assert launch.limits == limits


@pytest.fixture
def division():
    """The root of this machine's hierarchy, where only root may make groups."""
    found = cgroup.find_division()
    if isinstance(found, Refusal):
        assert found.reason  # elsewhere the reason is all there is to see
        return None
    return found


async def test_a_group_is_made_once_filled_and_removed_with_what_escaped_into_it(start, division):
    if division is None:
        return
    _runner, _launch, facts = await start(SLEEP, ProcessLimits())
    name = f"freqfleet-test-{os.getpid()}"
    cgroup.confine(division, name, facts.identity.pid, ProcessLimits())
    cgroup.confine(division, name, facts.identity.pid, ProcessLimits())
    assert cgroup.holds(division, name, facts.identity.pid)
    stray = await asyncio.create_subprocess_exec(sys.executable, "-c", ESCAPING)
    try:
        cgroup.confine(division, name, stray.pid, ProcessLimits())
        await asyncio.sleep(0.5)
        members = (division.path / name / "cgroup.procs").read_text().split()
        assert len(members) == 3  # the one that left its session is still in its group
        assert cgroup.dissolve(division, name) is False
    finally:
        with suppress(ProcessLookupError):
            stray.kill()
    await stray.wait()
    assert not (division.path / name).exists()
    assert not is_alive(facts.identity)
    assert cgroup.dissolve(division, name) is False
