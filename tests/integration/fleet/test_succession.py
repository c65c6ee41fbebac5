"""A second supervisor waits and follows the first: killed, stopped or hung. Real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from automation.core.errors import DependencyError
from automation.fleet import commands
from automation.fleet.home import Home
from automation.fleet.lock import SupervisorLock, find_supervisor

STAND = """
import asyncio, sys
from pathlib import Path
from automation.core.config import Fleet
from automation.core.errors import FreqfleetError
from automation.fleet.lease import Lease, Terms
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.journal import Journal

home, root, python, fleet = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
sys.path.insert(0, sys.argv[5])

async def supervise():
    from conftest import FAST
    from automation.fleet.home import Home
    made = Fleet.model_validate_json(fleet)
    with Journal.open(home / "journal.sqlite") as journal:
        async with Lease(Home(home), journal.store, made.fleet, Terms(waits=True)) as lease:
            around = Surroundings(root=root, python=python, timing=FAST, lease=lease)
            await Supervisor(made, home, journal, around).run()

try:
    asyncio.run(supervise())
except FreqfleetError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
WITHIN_S = 60.0  # only bounds the test; tests/bench/test_succession.py measures


class Guard:
    """Supervisors of one fleet, each a process; all but one of them stand by."""

    def __init__(self, flight) -> None:
        self.flight, self.home = flight, Home(flight.home)
        self.fleet = flight.fleet("FakeStrategy", "FakeStrategy")
        self.all: list[subprocess.Popen] = []

    def send(self) -> subprocess.Popen:
        place = str(Path(__file__).parent)
        argv = [sys.executable, "-c", STAND, str(self.flight.home), str(self.flight.root)]
        argv += [self.flight.python, self.fleet.model_dump_json(), place]
        one = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        self.all.append(one)
        return one

    def leader(self, but: int = 0) -> subprocess.Popen | None:
        holder = find_supervisor(self.home)
        if holder is None or holder.pid == but:
            return None
        return next((one for one in self.all if one.pid == holder.pid), None)

    def healthy(self, under: int, without: int = 0):
        """Tell the status once all is well under this supervisor, and a killed bot is replaced."""
        with suppress(DependencyError):
            status = commands.status(self.flight.home)
            is_well = status is not None and status.healthy and status.supervisor_pid == under
            if is_well and without not in {bot.pid for bot in status.bots}:
                return status
        return None

    def bots(self) -> set[int]:
        return {p.pid for p in self.flight.processes() if p.pid not in {o.pid for o in self.all}}

    def end(self) -> None:
        for one in self.all:
            if one.poll() is None:
                one.kill()
            one.wait()
            one.stderr.close()


def until(holds, within_s=60.0):
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture
def guard(flight):
    made = Guard(flight)
    yield made
    made.end()
    with suppress(DependencyError):
        commands.stop(flight.home)


@pytest.fixture
def pair(guard):
    """One that supervises a healthy fleet, and one that stands by."""
    first = guard.send()
    until(lambda: guard.healthy(first.pid))
    second = guard.send()
    time.sleep(3.0)
    assert second.poll() is None
    assert guard.leader() is first
    return first, second


def test_the_successor_of_a_killed_one_adopts_and_starts_nothing_twice(guard, pair):
    first, second = pair
    before = guard.bots()
    first.kill()
    until(lambda: guard.leader(but=first.pid), WITHIN_S)
    victim = commands.status(guard.flight.home).bots[0].pid
    os.kill(victim, signal.SIGKILL)  # it acts: a bot that dies now comes back
    until(lambda: guard.healthy(second.pid, victim))
    after = guard.bots()
    assert before - after == {victim}
    assert len(after) == len(before)
    (told,) = guard.flight.events("fleet.taken_over")
    assert told.payload["reason"] == f"supervisor pid {first.pid} has died"
    assert len(guard.flight.events("bot.started", bot="bot-b")) == 1


def test_a_stopped_one_is_followed_and_wakes_to_touch_nothing(guard, pair):
    first, second = pair
    before = guard.bots()
    began = time.monotonic()
    os.kill(first.pid, signal.SIGSTOP)
    until(lambda: guard.leader(but=first.pid), WITHIN_S)
    assert time.monotonic() - began > 6.0
    victim = commands.status(guard.flight.home).bots[0].pid
    os.kill(victim, signal.SIGKILL)  # a child of the stopped one, which does not wait for it
    until(lambda: guard.healthy(second.pid, victim))
    assert len(guard.bots()) == len(before)
    settled = guard.bots()
    last = guard.flight.events()[-1].sequence
    os.kill(first.pid, signal.SIGCONT)
    assert first.wait(60) == 3
    assert "has taken the fleet test over" in first.stderr.read()
    time.sleep(1.0)
    assert guard.bots() == settled
    assert guard.leader() is second
    assert commands.status(guard.flight.home).healthy
    late = [e.kind for e in guard.flight.events() if e.sequence > last]
    assert not [kind for kind in late if kind.startswith(("action.", "bot.", "fleet."))]


@pytest.mark.long
def test_a_bot_that_the_stopped_one_was_ending_is_left_alone_when_it_wakes(guard):
    guard.fleet = guard.flight.fleet("IgnoresSignals")
    first = guard.send()
    until(lambda: guard.healthy(first.pid))
    second = guard.send()
    time.sleep(1.0)
    bot = commands.status(guard.flight.home).bots[0].pid
    asking = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from automation.fleet import "
         "commands; commands.bot_action(Path(sys.argv[1]), 'bot-a', 'restart')",
         str(guard.flight.home)], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(
        lambda: guard.flight.events("action.decided", bot="bot-a")[-1].payload["action"] == "stop"
    )
    os.kill(first.pid, signal.SIGSTOP)  # between the interrupt and the kill
    try:
        until(lambda: guard.healthy(second.pid))
        assert psutil.pid_exists(bot)
        os.kill(first.pid, signal.SIGCONT)
        assert first.wait(60) == 3
        time.sleep(4.0)
        assert commands.status(guard.flight.home).bots[0].pid == bot
    finally:
        asking.kill()
        asking.wait()


async def test_one_whose_loop_hangs_is_followed_and_ends_by_itself(flight):
    """Without any signal: the loop's next turn finds the lock of another."""
    first = flight.supervisor()
    task = asyncio.create_task(first.run(handle_signals=False))
    await flight.until_healthy(first)
    other = SupervisorLock(Home(flight.home))
    other.seize()
    with pytest.raises(DependencyError, match="has taken the fleet test over"):
        await asyncio.wait_for(task, 60)
    assert len(flight.processes()) == 2
    other.release()
    async with flight.up() as second:
        after = await flight.until_healthy(second)
        assert after.bots[0].adopted
