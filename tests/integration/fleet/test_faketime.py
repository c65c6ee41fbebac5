"""Real processes under libfaketime: one timeline, another speed without a jump, the same candles."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from automation.core.errors import DependencyError
from automation.fleet import faketime
from automation.fleet.tempo import Tempo
from automation.simulator import write_data_folder

AT = datetime(2024, 8, 5, tzinfo=UTC)
TELL = """
import sys, time
for line in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""


class MarketClock:
    """A shared start and a line, as a supervisor makes them."""

    def __init__(self, folder: Path, speed: float) -> None:
        try:
            library = faketime.find_library()
        except DependencyError as error:
            pytest.skip(str(error))
        self.start, self.line = faketime.SharedStart(uuid4().hex[:8]), folder / "line"
        self.start_s = self.start.make()
        self.tempo = Tempo(self.start_s, AT.timestamp(), speed)
        faketime.write_line(self.line, self.tempo, self.start_s)
        self.env = {**os.environ, **faketime.environment(library, self.start, self.line)}

    def turn(self, speed: float) -> None:
        wait_s, turn_s = faketime.wait_for_turn_s(time.time())
        time.sleep(wait_s)
        self.tempo = self.tempo.changed(turn_s, speed)
        faketime.write_line(self.line, self.tempo, self.start_s)
        time.sleep(max(0.0, turn_s - time.time()) + 0.05)

    def run(self, *argv: str, **options) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, *argv], env=self.env, text=True, **options)


@pytest.fixture
def clock_at(tmp_path):
    made = []

    def make(speed: float) -> MarketClock:
        folder = tmp_path / f"clock{len(made)}"
        folder.mkdir()
        made.append(MarketClock(folder, speed))
        return made[-1]

    yield make
    for clock in made:
        clock.start.remove()


@pytest.fixture
def told(clock_at):
    """Two processes, started apart, that tell their time when asked."""
    clock, pipes = clock_at(20.0), {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    first = clock.run("-c", TELL, **pipes)
    time.sleep(0.2)
    both = (first, clock.run("-c", TELL, **pipes))

    def ask(process) -> tuple[float, float, float]:
        """How far its clock is from the line, and its two clocks."""
        process.stdin.write("\n")
        process.stdin.flush()
        wall_s, monotonic_s = map(float, process.stdout.readline().split())
        return clock.tempo.market(time.time()) - wall_s, wall_s, monotonic_s

    yield clock, both, ask
    for process in both:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def test_processes_started_apart_share_one_time(told):
    _, both, ask = told
    for process in both:
        ask(process)  # it is up
    for process in both:
        behind_s, _, _ = min(ask(process) for _ in range(20))
        assert -0.5 < behind_s < 2.0  # of market time: a tenth of a second to answer


def test_another_speed_is_reached_without_a_jump(told):
    clock, both, ask = told
    clocks = {process: [ask(process)[1:]] for process in both}
    for speed in (5.0, 40.0):
        clock.turn(speed)
        for process in both:
            behind_s, *seen = min(ask(process) for _ in range(20))
            assert -0.5 < behind_s < 0.1 * speed
            clocks[process].append(tuple(seen))
    for seen in clocks.values():
        assert seen == sorted(seen)


def served(clock: MarketClock, data: Path, folder: Path) -> list:
    """Candles that a simulator in this clock has closed after five market minutes."""
    config = folder / f"{clock.start.name[1:]}.json"
    argv = ("-m", "automation", "simulate", "--data", str(data), "--write-config", str(config))
    process = clock.run(*argv, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not config.exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        url = json.loads(config.read_text())["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]
        while clock.tempo.market(time.time()) < AT.timestamp() + 301:
            time.sleep(0.05)
        query = f"symbol=BTCUSDT&interval=1m&endTime={int(AT.timestamp() * 1000) + 299_999}"
        with urllib.request.urlopen(f"{url}/klines?{query}&limit=30", timeout=10) as answer:
            return json.loads(answer.read())
    finally:
        process.terminate()
        process.wait(20)


def test_another_speed_serves_the_same_candles(clock_at, tmp_path):
    start, end = datetime(2024, 8, 4, tzinfo=UTC), datetime(2024, 8, 6, tzinfo=UTC)
    data = write_data_folder(tmp_path / "data", ["BTC/USDT:USDT"], ["1m"], start, end)
    slow, fast = (served(clock_at(speed), data, tmp_path) for speed in (40.0, 100.0))
    assert len(slow) == 30
    assert slow[-1][0] == AT.timestamp() * 1000 + 240_000
    assert slow == fast


def test_the_command_says_what_is_missing_or_too_fast(freqfleet):
    at = ("--at", "2024-08-05T00:00Z")
    done = freqfleet("up", "--speed", "20", *at, FREQFLEET_FAKETIME="/nowhere/lib.so")
    assert done.returncode == 3
    assert "apt install faketime" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for speed in ("1000", "0.5", "nan"):
        done = freqfleet("up", "--speed", speed, *at)
        assert done.returncode == 2
        assert "choose from 1 to 100" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = freqfleet("up", "--speed", "20")
    assert done.returncode == 2
    assert "a fast market needs a beginning" in done.stderr
