"""The state folder: lock, identity, ports, logs, memory of wishes."""

import os
import signal
import socket
import stat
import subprocess
import sys

import pytest

from automation.core.config import Fleet
from automation.core.model import Identity, RestartMemory, Wish
from automation.fleet.home import Home, make_private, read_json, write_json
from automation.fleet.identity import find_marked, identify, is_alive
from automation.fleet.lock import FleetIsUp, SupervisorLock, find_supervisor
from automation.fleet.logfile import last_lines, last_words, rotate
from automation.fleet.memory import (
    forget_stops,
    read_memory,
    read_wishes,
    write_memory,
    write_wishes,
)
from automation.fleet.ports import find_free, is_free, owner_of


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


def test_a_process_is_known_by_its_start(home):
    me = identify(os.getpid())
    assert is_alive(me)
    assert not is_alive(Identity(me.pid, me.start - 1, me.boot))
    assert not is_alive(Identity(me.pid, me.start, "another boot"))


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identify(child.pid) is None
    child.wait()


def test_a_process_is_found_by_its_mark(tmp_path):
    mark = str(tmp_path / "config.json")
    assert find_marked(mark) is None
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", mark]
    child = subprocess.Popen(sleeper)
    try:
        while (found := find_marked(mark)) is None:  # its words are not there at once
            assert child.poll() is None
        assert found.pid == child.pid
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_one_supervisor_for_one_folder(home):
    with SupervisorLock(home) as lock:
        lock.announce("demo", "sock")
        holder = find_supervisor(home)
        assert (holder.pid, holder.fleet, holder.socket) == (os.getpid(), "demo", "sock")
        with pytest.raises(FleetIsUp, match=f"supervisor pid {os.getpid()}") as raised:
            SupervisorLock(home).__enter__()
        assert raised.value.exit_code == 2
    assert find_supervisor(home) is None
    with SupervisorLock(home):
        pass


def test_the_file_of_a_killed_supervisor_fools_nobody(home):
    home.make()
    write_json(home.supervisor, {"pid": os.getpid(), "start": 1, "boot": "x", "fleet": "f"})
    assert find_supervisor(home) is None


def test_everything_is_closed_to_others(home):
    make_private(home.unit("a"))
    write_json(home.unit("a") / "x.json", {"a": 1})
    assert stat.S_IMODE((home.unit("a") / "x.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.unit("a").stat().st_mode) == 0o700


def test_a_broken_state_file_is_as_good_as_none(home):
    home.make()
    home.wishes.write_text("{half")
    assert read_json(home.wishes) == {}


def test_ports():
    port = find_free()
    assert is_free(port)
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        assert not is_free(port)
        assert f"pid {os.getpid()}" in owner_of(port)


def test_logs_are_cut_and_kept(tmp_path):
    log = tmp_path / "console.log"
    with log.open("a") as writer:  # as a unit writes: appending
        for number in range(6):
            writer.write(f"round {number}\n" * 10)
            writer.flush()
            assert rotate(log, 50)
            assert log.stat().st_size == 0
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["console.log", "console.log.1", "console.log.2", "console.log.3"]
    assert "round 5" in (tmp_path / "console.log.1").read_text()
    assert not rotate(log, 50)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", ""),
        ("hello\n", "hello"),
        (
            "2025-01-01 00:00:00,000 - freqtrade - ERROR - Fatal exception!\n"
            "Traceback (most recent call last):\n"
            '  File "x.py", line 1, in <module>\n'
            "ModuleNotFoundError: No module named 'talib'\n",
            "ModuleNotFoundError: No module named 'talib'",
        ),
        (
            "2025-01-01 00:00:00,000 - freqtrade - ERROR - Impossible to load Strategy 'X'.\n"
            "2025-01-01 00:00:00,100 - freqtrade - INFO - bye\n",
            "Impossible to load Strategy 'X'.",
        ),
    ],
)
def test_last_words(tmp_path, lines, words):
    log = tmp_path / "console.log"
    log.write_text(lines)
    assert last_words(log) == words


def test_logs_that_are_shown_are_masked(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("GET https://x/?signature=abcdef123&token=qwertyuiop\n")
    assert "qwertyuiop" not in last_lines(log, 5)[0]
    assert last_lines(tmp_path / "none.log", 5) == []


def test_pauses_outlive_the_fleet_and_stops_do_not(home):
    bots = [{"name": n, "strategy": "S"} for n in ("a", "b", "c")]
    fleet = Fleet.model_validate(
        {"fleet": "f", "bots": [*bots, {**bots[0], "name": "d", "starts": False}]}
    )
    home.make()
    write_wishes(home, {"a": Wish.PAUSE, "b": Wish.STOP, "c": Wish.RUN, "d": Wish.RUN})
    kept = {"a": Wish.PAUSE, "b": Wish.STOP, "c": Wish.RUN, "d": Wish.RUN}
    assert read_wishes(home, fleet) == kept
    forget_stops(home)
    after = {"a": Wish.PAUSE, "b": Wish.RUN, "c": Wish.RUN, "d": Wish.STOP}
    assert read_wishes(home, fleet) == after


def test_the_back_off_outlives_a_supervisor(home):
    memory = RestartMemory(restarts=4, streak=3, not_before_s=130.0)
    write_memory(home, "a", memory, now_s=100.0)
    read = read_memory(home, "a", now_s=5000.0, cap_s=300.0)
    assert (read.restarts, read.streak) == (4, 3)
    assert 25 < read.not_before_s - 5000.0 <= 30
    assert read_memory(home, "nobody", 0.0, 300.0) == RestartMemory()
