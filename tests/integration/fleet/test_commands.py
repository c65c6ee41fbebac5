"""Commands from outside: detached supervisors, status, one bot, stop, with and without one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import psutil
import pytest

from automation.core.errors import ConfigError, DependencyError
from automation.core.model import BotState, Health
from automation.fleet import commands
from automation.fleet.home import Home
from automation.fleet.identity import identify
from automation.fleet.lock import find_supervisor
from automation.journal import Journal

# A program of its own, as the command line is: it forks, so it must not be this process.
UP = """
import sys
from pathlib import Path
from automation.core.config import Fleet
from automation.core.errors import FreqfleetError
from automation.fleet.daemon import start_detached
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.journal import Journal

home, root, python, fleet = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

async def supervise():
    with Journal.open(home / "journal.sqlite") as journal:
        around = Surroundings(root=root, python=python)
        await Supervisor(Fleet.model_validate_json(fleet), home, journal, around).run()

try:
    print(start_detached(home, supervise))
except FreqfleetError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def up(flight, fleet=None) -> subprocess.CompletedProcess:
    fleet = fleet or flight.fleet()
    program = [sys.executable, "-c", UP, str(flight.home), str(flight.root), flight.python]
    return subprocess.run(
        [*program, fleet.model_dump_json()], capture_output=True, text=True, timeout=60, check=False
    )


def until(holds, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def healthy(home: Path):
    status = commands.status(home)
    return status if status is not None and status.healthy else None


@pytest.fixture
def detached(flight):
    done = up(flight)
    assert done.returncode == 0, done.stderr
    yield flight, int(done.stdout)
    commands.stop(flight.home)


def test_a_detached_fleet_is_asked_steered_and_stopped(detached):
    flight, pid = detached
    status = until(lambda: healthy(flight.home))
    assert status.supervisor_pid == pid == find_supervisor(Home(flight.home)).pid
    assert os.getsid(pid) != os.getsid(0)
    document = orjson.loads(status.model_dump_json())
    assert set(document["bots"][0]) >= {
        "name", "strategy", "mode", "state", "health", "reason", "pid", "api_url", "uptime_s",
        "restarts", "open_trades", "profit_usdt", "last_candle_age_s",
    }  # fmt: skip
    assert "is paused" in commands.bot_action(flight.home, "bot-a", "pause")
    assert commands.status(flight.home).bots[0].state is BotState.PAUSED
    assert "trades again" in commands.bot_action(flight.home, "bot-a", "resume")
    with pytest.raises(ConfigError, match="there is no bot ghost"):
        commands.bot_action(flight.home, "ghost", "pause")
    told = []
    assert commands.stop(flight.home, told.append) == "fleet test is down"
    until(lambda: not flight.processes(), 5)  # the supervisor lets go of its lock before it is gone
    assert find_supervisor(Home(flight.home)) is None
    assert commands.stop(flight.home) == "fleet test is down already"


def test_two_ups_at_once(detached):
    flight, pid = detached
    second = up(flight)
    assert second.returncode == 2
    assert f"is up already, under supervisor pid {pid}" in second.stderr
    assert second.stderr.count("\n") == 1


def test_what_keeps_it_from_starting_is_said_in_the_terminal(flight):
    done = up(flight, flight.fleet("Nope"))
    assert done.returncode == 2
    assert "no strategy Nope" in done.stderr


def test_after_a_kill_of_the_supervisor_the_bots_live_and_are_adopted(detached):
    flight, pid = detached
    before = until(lambda: healthy(flight.home))
    os.kill(pid, signal.SIGKILL)
    until(lambda: identify(pid) is None)
    orphaned = commands.status(flight.home)
    assert not orphaned.healthy
    assert orphaned.supervisor_pid is None
    assert orphaned.bots[0].pid == before.bots[0].pid
    assert orphaned.bots[0].health is Health.UNKNOWN
    assert "freqfleet up adopts it" in orphaned.bots[0].reason
    with pytest.raises(ConfigError, match="no supervisor runs"):
        commands.bot_action(flight.home, "bot-a", "pause")
    assert up(flight).returncode == 0
    after = until(lambda: healthy(flight.home))
    assert after.bots[0].pid == before.bots[0].pid
    assert after.bots[0].adopted


def test_down_takes_down_what_a_killed_supervisor_left(detached):
    flight, pid = detached
    until(lambda: healthy(flight.home))
    os.kill(pid, signal.SIGKILL)
    until(lambda: identify(pid) is None)
    elsewhere = flight.home.parent / "elsewhere.sqlite"  # as a fleet with PostgreSQL has it
    said = commands.stop(flight.home, journal_of=lambda _: Journal.open(elsewhere))
    assert said == "no supervisor ran; stopped what one had left: bot-a, the simulator"
    assert flight.processes() == []
    with Journal.open(elsewhere, read_only=True) as journal:
        assert "fleet.down" in {event.kind for event in journal.tail(100)}


def test_a_terminal_that_closes_takes_the_fleet_down_in_order(detached):
    flight, pid = detached
    until(lambda: healthy(flight.home))
    os.kill(pid, signal.SIGHUP)
    until(lambda: identify(pid) is None)
    assert flight.processes() == []


def test_login_and_log(detached):
    flight, _ = detached
    until(lambda: healthy(flight.home))
    login = commands.bot_login(flight.home, "bot-a")
    assert login.url.startswith("http://127.0.0.1:")
    assert login.password not in repr(login)
    assert commands.bot_log(flight.home, "bot-a").name == "console.log"
    with pytest.raises(ConfigError, match=r"there is no bot ghost.*bot-a"):
        commands.bot_login(flight.home, "ghost")


def test_no_secret_stands_in_a_command_line_or_the_journal(detached):
    flight, _ = detached
    until(lambda: healthy(flight.home))
    password = commands.bot_login(flight.home, "bot-a").password
    for process in flight.processes():
        assert password not in " ".join(process.cmdline())
        assert password not in str(process.environ())
    assert password not in flight.story()
    assert password not in (flight.home / "supervisor.log").read_text()


def test_where_no_fleet_ever_was(tmp_path):
    assert commands.status(tmp_path) is None
    assert commands.stop(tmp_path) == "there is no fleet here"


def test_a_supervisor_that_does_not_answer_is_a_sentence(detached):
    flight, pid = detached
    until(lambda: healthy(flight.home))
    psutil.Process(pid).suspend()
    try:
        holder = find_supervisor(Home(flight.home))
        with pytest.raises(DependencyError, match=f"supervisor pid {pid} does not answer"):
            commands.ask_supervisor(holder, {"do": "status"}, 0.3)
    finally:
        psutil.Process(pid).resume()


def test_a_deep_state_folder(flight):
    """The kernel allows 107 bytes for a socket's path."""
    flight.home = flight.home / ("deep" * 30)
    flight.home.mkdir()
    assert up(flight).returncode == 0
    until(lambda: healthy(flight.home))
    holder = find_supervisor(Home(flight.home))
    commands.stop(flight.home)
    assert not Path(holder.socket).parent.exists()
