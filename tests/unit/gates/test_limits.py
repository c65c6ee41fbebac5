"""Time and memory limits on real processes."""

import subprocess
import sys
import time

import psutil
import pytest

from automation.gates.limits import Command, LimitExceeded, Limits, run


def command(code: str, tmp_path, **bounds) -> Command:
    limits = Limits(**{"time_s": 20.0, "memory_mb": 500.0, **bounds})
    return Command((sys.executable, "-u", "-c", code), {}, tmp_path, limits)


def ended(pid: int) -> bool:
    """Wait until a process is gone, or dead and not yet collected, for at most five seconds."""
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


async def test_output_and_code(tmp_path):
    told = []
    output = await run(
        command("print('a'); print('b'); raise SystemExit(3)", tmp_path), told.append
    )
    assert (output.code, output.lines, told) == (3, ("a", "b"), ["a", "b"])


async def test_a_loop_without_end_is_stopped(tmp_path):
    with pytest.raises(LimitExceeded, match=r"after 0\.5 s of work, its time limit"):
        await run(command("while True: pass", tmp_path, time_s=0.5, wall_factor=100.0))


async def test_a_program_that_sleeps_for_ever_is_stopped(tmp_path):
    with pytest.raises(LimitExceeded, match=r"after 4 s without an end"):
        await run(command("import time; time.sleep(60)", tmp_path, time_s=0.5))


async def test_sleeping_is_not_working(tmp_path):
    code = "import time; time.sleep(1.2); print('done')"
    assert (await run(command(code, tmp_path, time_s=1.0))).lines == ("done",)


async def test_memory_of_children_counts_and_all_of_them_end(tmp_path):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c',"
        " 'import time; x = bytearray(300_000_000); time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()"
    )
    told: list[str] = []
    with pytest.raises(LimitExceeded, match="above 150 MB, its memory limit"):
        await run(command(code, tmp_path, memory_mb=150.0), told.append)
    assert ended(int(told[0]))


async def test_what_a_program_leaves_running_is_ended(tmp_path):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(child.pid)"
    )
    output = await run(command(code, tmp_path))
    assert ended(int(output.lines[0]))


def test_a_gate_that_is_killed_leaves_no_program_behind(tmp_path):
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from automation.gates.limits import Command, Limits, run\n"
        "sleep = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
        "limits = Limits(time_s=60.0, memory_mb=500.0)\n"
        "command = Command([sys.executable, '-c', sleep], {}, Path.cwd(), limits)\n"
        "asyncio.run(run(command, lambda line: print(line, flush=True)))\n"
    )
    gate = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path)
    with gate:
        program = int(gate.stdout.readline())
        gate.terminate()
        assert ended(program)
