"""Kill -9 at random: drivers, hosts, forks; PostgreSQL goes away; the study comes out as if nothing had been."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress

import numpy as np
import psutil
import pytest

from automation.app.tuning import tune
from automation.tuning.search import read_history
from automation.tuning.storage import open_storage
from automation.tuning.study import State
from tests.contract.journal_servers import postgres_server

pytestmark = [
    pytest.mark.timeout(3000),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]

# Wide enough not to be exhausted: the strategy's own parameters have a thousand combinations.
SPACES = ("buy", "sell", "stoploss")


def command(request, storage, study):
    words = [sys.executable, "-m", "automation", "tune", "run", request.strategy]
    words += ["--data", str(request.data), "--timerange", request.timerange, "--study", study]
    words += ["--pairs", ",".join(request.pairs), "--strategy-path", str(request.strategy_path)]
    words += ["--spaces", ",".join(request.spaces)]
    words += [
        "--loss",
        request.losses[0],
        "--storage",
        storage,
        "-n",
        str(request.trials),
        "-j",
        "2",
    ]
    return words


@contextmanager
def processes():
    """Start processes that are all gone at the end, with what they started."""
    started = []

    def start(words, log):
        with log.open("ab") as target:
            process = subprocess.Popen(words, stdout=target, stderr=target, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        for each in family(process):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(20)


def family(process):
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def answered(storage, name):
    return {row.plan.number: row.answer for row in storage.rows(name) if row.state >= State.DONE}


def assert_same(request, storage, name):
    """Compare with the study that one undisturbed process makes of the same seed."""
    tune(request, lambda _: None, lambda _: None)
    with closing(open_storage(request.storage)) as calm:
        (calm_name, *_), *_ = calm.names()
        wanted = read_history(calm, calm.study(calm_name))
    found = read_history(storage, storage.study(name))
    count = request.trials
    assert (found.states[:count] >= State.DONE).all()
    for part in ("vectors", "losses", "heads", "states"):
        ours, theirs = getattr(found, part)[:count], getattr(wanted, part)[:count]
        assert np.array_equal(ours, theirs, equal_nan=True), part


def test_a_killed_driver_loses_a_second_of_trials_at_most(request_of, tmp_path):
    request = request_of(trials=5000, spaces=SPACES)
    path, name = str(tmp_path / "killed.sqlite"), "killed"
    with processes() as start, closing(open_storage(path)) as storage:
        driver = start(command(request, path, name), tmp_path / "log")
        seen = [(time.monotonic(), 0)]
        while seen[-1][1] < 200:
            time.sleep(0.1)
            assert driver.poll() is None, (tmp_path / "log").read_text()[-2000:]
            seen.append((time.monotonic(), progress_of(storage, name)))
        engines = family(driver)[1:]
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait(20)
        # In the engines or not yet written when it died: what is claimed and not finished.
        lost = sum(row.state == State.RUNNING for row in storage.rows(name))
        first = next(at for at, count in seen if count > 0)
        rate = seen[-1][1] / (seen[-1][0] - first + 0.5)
        assert progress_of(storage, name) >= seen[-1][1]
        assert lost <= rate + 40  # a second, and what waits its turn
        psutil.wait_procs(engines, 20)
        assert not any(each.is_running() for each in engines)


@pytest.mark.parametrize(
    "kills",
    [pytest.param(4, marks=pytest.mark.long), pytest.param(25, marks=pytest.mark.prove)],
)
def test_kills_and_a_restarted_server_change_nothing(request_of, tmp_path, kills):
    request = request_of(
        trials=40 * kills + 60,
        spaces=SPACES,
        storage=str(tmp_path / "calm.sqlite"),
        workers=2,
    )
    drawn, name = random.Random(20241105), "killed"
    begun = time.monotonic()

    def elapsed() -> float:
        return time.monotonic() - begun

    with postgres_server() as server, processes() as start:
        url, log = server.url, tmp_path / "log"
        worker = [sys.executable, "-m", "automation", "tune", "worker", "--storage", url]
        words = [command(request, url, name), [*worker, "--study", name]]
        drivers = [start(words[0], log), None]
        with closing(open_storage(url)) as storage:
            done = 0
            for turn in range(kills):
                target = min(request.trials - 1, done + drawn.randrange(15, 60))
                drivers = await_progress(start, words, drivers, storage, name, target, log)
                if turn == kills // 2:
                    server.stop(signal.SIGINT)
                    time.sleep(2)
                    server.start()
                victims = [each for driver in drivers if driver for each in family(driver)]
                with suppress(psutil.NoSuchProcess):
                    drawn.choice(victims).kill()
                done = progress_of(storage, name)
                assert done >= target
                sys.stderr.write(
                    f"kill {turn + 1} of {kills} at {done} trials, {elapsed():.0f} s" + "\n"
                )
            await_progress(start, words, drivers, storage, name, request.trials, log)
            sys.stderr.write(f"all {request.trials} trials after {elapsed():.0f} s" + "\n")
            assert_same(request, storage, name)


def progress_of(storage, name):
    for _ in range(100):
        with suppress(Exception):
            return next((count for known, _, count in storage.names() if known == name), 0)
        time.sleep(0.2)
    raise TimeoutError("the storage does not come back")


def await_progress(start, words, drivers, storage, name, target, log):
    """Wait until so many trials are answered; start again what was killed."""
    deadline = time.monotonic() + 600
    while progress_of(storage, name) < target:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)
        for place, driver in enumerate(drivers):
            is_wanted = place == 0 or progress_of(storage, name) > 0
            if is_wanted and (driver is None or driver.poll() not in (None, 0)):
                drivers[place] = start(words[place], log)
    return drivers
