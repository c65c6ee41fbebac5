"""What every runner keeps: a unit runs at most once, and is seen, stopped and adopted as it is."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from automation.core.errors import DependencyError
from automation.core.seams import Container, Launch, Patience
from automation.fleet.containers.engine import Engine
from automation.fleet.containers.runner import DockerRunner
from automation.fleet.identity import find_marked, identify, is_alive
from automation.fleet.process import ProcessRunner
from automation.testing import FakeRunner
from tests.contract.docker_engine import IMAGE, borrowed


@pytest.fixture(params=["process", "docker"])
def real(request):
    """A runner of real units, and `another` that takes over from it."""
    return request.getfixturevalue(f"{request.param}_runners")[0]


@pytest.fixture
def another(request, real):
    """The runner of the next supervisor."""
    kind = "docker" if isinstance(real, DockerRunner) else "process"
    return request.getfixturevalue(f"{kind}_runners")[1]


@pytest.fixture
async def process_runners():
    async with two(ProcessRunner, ProcessRunner) as made:
        yield made


@pytest.fixture
async def docker_runners(docker_address):
    def make() -> DockerRunner:
        return DockerRunner(Engine(docker_address))

    async with two(make, make) as made:
        yield made


@asynccontextmanager
async def two(make_one, make_other):
    made = (make_one(), make_other())
    yield made
    for one in made:
        for unit in ("a", "b"):
            await one.stop(unit, Patience(0, 0, 5))
        await one.close()


PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"}
PATIENCE = Patience(interrupt_s=5.0, terminate_s=1.0, kill_s=5.0)
OBEYS = "import time; print('up', flush=True); time.sleep(600)"
IGNORES = (
    "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; "
    "print('up', flush=True); time.sleep(600)"
)


def launch(folder: Path, code: str = OBEYS, unit: str = "a") -> Launch:
    home = folder / unit
    mark = str(home / "config.json")
    argv = (PYTHON, "-c", code, mark)
    console = home / "logs" / "console.log"
    image = Container(IMAGE, mounts=borrowed(), memory_mb=64, pids=16)
    return Launch(unit, home, argv, ENVIRONMENT, Path("/"), console, mark, container=image)


def start_stranger() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", OBEYS], stdout=subprocess.DEVNULL)


def reap(pid: int) -> None:
    os.waitpid(pid, 0)


@pytest.fixture(params=["process", "docker", "fake"])
async def runner(request):
    if request.param == "docker":
        made = DockerRunner(Engine(request.getfixturevalue("docker_address")))
    else:
        made = ProcessRunner() if request.param == "process" else FakeRunner()
    yield made
    for unit in ("a", "b"):
        await made.stop(unit, Patience(0, 0, 5))
    await made.close()


async def up(launched: Launch) -> None:
    deadline = time.monotonic() + 10
    while not (launched.console.exists() and launched.console.read_text()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_started_unit_lives_and_a_stopped_one_does_not(runner, tmp_path):
    assert not (await runner.look("a")).is_alive
    facts = await runner.start(launch(tmp_path))
    assert facts.is_alive
    assert not facts.is_adopted
    assert (await runner.look("a")).identity == facts.identity
    ended = await runner.stop("a", PATIENCE)
    assert not ended.is_alive
    assert ended.identity == facts.identity
    assert not (await runner.look("a")).is_alive


async def test_a_unit_runs_at_most_once(runner, tmp_path):
    await runner.start(launch(tmp_path))
    with pytest.raises(DependencyError, match="runs already"):
        await runner.start(launch(tmp_path))
    await runner.start(launch(tmp_path, unit="b"))


async def test_a_unit_can_be_started_again(runner, tmp_path):
    first = await runner.start(launch(tmp_path))
    await runner.stop("a", PATIENCE)
    second = await runner.start(launch(tmp_path))
    assert second.is_alive
    assert second.identity != first.identity


async def test_stopping_what_does_not_run_is_no_error(runner):
    assert not (await runner.stop("a", PATIENCE)).is_alive


async def test_nothing_is_found_where_nothing_was(runner, tmp_path):
    facts = await runner.adopt(launch(tmp_path))
    assert facts.identity is None
    assert not facts.is_alive


async def test_a_death_is_seen_at_once_with_its_code_and_last_words(real, tmp_path):
    woken = asyncio.Event()
    real.when_one_ends(woken.set)
    code = "import sys, time; time.sleep(0.2); sys.exit('disk on fire')"
    await real.start(launch(tmp_path, code))
    await asyncio.wait_for(woken.wait(), 30)
    facts = await real.look("a")
    assert (facts.is_alive, facts.exit_code, facts.last_words) == (False, 1, "disk on fire")


async def test_a_signal_is_told_as_a_negative_code(real, tmp_path):
    facts = await real.start(launch(tmp_path))
    os.kill(facts.identity.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (await real.look("a")).is_alive:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert (await real.look("a")).exit_code == -signal.SIGKILL


async def test_what_ignores_signals_is_killed(real, tmp_path):
    await real.start(launch(tmp_path, IGNORES))
    await asyncio.sleep(0.5)
    ended = await real.stop("a", Patience(0.2, 0.2, 5))
    assert not ended.is_alive
    assert ended.exit_code == -signal.SIGKILL


async def test_a_stopped_process_can_be_stopped_for_good(real, tmp_path):
    facts = await real.start(launch(tmp_path))
    os.kill(facts.identity.pid, signal.SIGSTOP)
    assert not (await real.stop("a", Patience(0.5, 0.5, 5))).is_alive


async def test_the_next_runner_adopts_what_lives_and_what_died(real, tmp_path, another):
    started = await real.start(launch(tmp_path))
    await real.start(launch(tmp_path, "import sys; sys.exit(3)", unit="b"))
    await asyncio.sleep(0.5)
    await real.close()
    adopted = await another.adopt(launch(tmp_path))
    assert adopted.is_alive
    assert adopted.is_adopted
    assert adopted.identity == started.identity
    assert abs(adopted.since_s - started.since_s) < 2
    with pytest.raises(DependencyError, match="runs already"):
        await another.start(launch(tmp_path))
    died = await another.adopt(launch(tmp_path, unit="b"))
    assert not died.is_alive
    assert died.identity is not None
    assert not (await another.stop("a", PATIENCE)).is_alive
    assert (await another.adopt(launch(tmp_path))).identity is None  # stopped on purpose


# --- what only processes can show ---------------------------------------------------------------


@pytest.fixture
async def processes():
    made = ProcessRunner()
    yield made
    for unit in ("a", "b"):
        await made.stop(unit, Patience(0, 0, 5))
    await made.close()


async def test_a_lost_pid_file_does_not_start_a_unit_twice(processes, tmp_path):
    """Killed between starting a unit and writing its pid file."""
    started = await processes.start(launch(tmp_path))
    (tmp_path / "a" / "process.json").unlink()
    successor = ProcessRunner()
    try:
        with pytest.raises(DependencyError, match="runs already"):
            await successor.start(launch(tmp_path))
        adopted = await successor.adopt(launch(tmp_path))
        assert adopted.identity == started.identity
    finally:
        await successor.close()


async def test_a_reused_pid_is_not_taken_for_the_unit(processes, tmp_path):
    await processes.start(launch(tmp_path))
    await processes.stop("a", PATIENCE)
    stranger = start_stranger()
    try:
        me = identify(stranger.pid)
        written = f'{{"pid": {me.pid}, "start": {me.start - 5}, "boot": "{me.boot}"}}'
        (tmp_path / "a" / "process.json").write_text(written)
        adopted = await processes.adopt(launch(tmp_path))
        assert not adopted.is_alive
        await processes.stop("a", PATIENCE)
        assert is_alive(me)
    finally:
        stranger.kill()
        stranger.wait()


async def test_what_ignores_signals_is_killed_with_its_children(processes, tmp_path):
    code = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {IGNORES!r}]); {IGNORES}"
    )
    launched = launch(tmp_path, code)
    facts = await processes.start(launched)
    await up(launched)
    family = [facts.identity.pid]
    deadline = time.monotonic() + 10
    while len(family) < 2:
        family = [
            facts.identity.pid,
            *(child.pid for child in psutil.Process(facts.identity.pid).children(recursive=True)),
        ]
        assert time.monotonic() < deadline
    ended = await processes.stop("a", Patience(0.2, 0.2, 5))
    assert ended.exit_code == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while any(identify(pid) for pid in family):
        assert time.monotonic() < deadline


async def test_children_that_outlive_a_unit_are_no_orphans(processes, tmp_path):
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {OBEYS!r}])"
    facts = await processes.start(launch(tmp_path, code))
    deadline = time.monotonic() + 5
    while (await processes.look("a")).is_alive:
        assert time.monotonic() < deadline

    def members():
        found = []
        for process in psutil.process_iter():
            try:
                same = os.getpgid(process.pid) == facts.identity.pid
            except ProcessLookupError:
                continue
            if same and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        return found

    deadline = time.monotonic() + 5
    while members():
        assert time.monotonic() < deadline


async def test_units_are_out_of_reach_of_a_terminals_ctrl_c(processes, tmp_path):
    facts = await processes.start(launch(tmp_path))
    assert os.getsid(facts.identity.pid) == facts.identity.pid
    assert os.getpgid(facts.identity.pid) != os.getpgid(0)


async def test_a_program_that_is_not_there_is_a_sentence(processes, tmp_path):
    missing = Launch(
        "a", tmp_path / "a", ("/no/such/python",), {}, tmp_path, tmp_path / "a" / "c.log", "m"
    )
    with pytest.raises(DependencyError, match=r"/no/such/python cannot be started"):
        await processes.start(missing)


async def test_a_disk_that_refuses_leaves_nothing_running(processes, tmp_path):
    launched = launch(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "process.json").mkdir()  # the pid file cannot be written
    (tmp_path / "a" / "process.json" / "x").touch()
    with pytest.raises(DependencyError, match="cannot be written"):
        await processes.start(launched)
    assert find_marked(launched.mark) is None


async def test_niceness(processes, tmp_path):
    facts = await processes.start(replace(launch(tmp_path), nice=7))
    assert os.getpriority(os.PRIO_PROCESS, facts.identity.pid) == 7
