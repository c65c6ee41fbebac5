"""How fast the simulator starts and answers. Server and load run in processes of their own.

.venv/bin/python -m pytest -m bench tests/bench/test_simulator.py -s
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.bench, pytest.mark.real_data]

LOAD = Path(__file__).with_name("simulator_load.py")
KLINES = "/fapi/v1/klines?symbol={}&interval={}&limit=500"
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "BNBUSDT", "DOGEUSDT"]
LATEST = [KLINES.format(symbol, "15m") for symbol in SYMBOLS]


def pinned(core, *command):
    """The command on one core where there are several."""
    cores = sorted(os.sched_getaffinity(0))
    taskset = shutil.which("taskset")
    return ([taskset, "-c", str(cores[core % len(cores)])] if taskset else []) + list(command)


@contextmanager
def server(*arguments):
    command = pinned(0, sys.executable, LOAD, "serve", *map(str, arguments))
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        port = int(process.stdout.readline())
        process.ready_s = time.perf_counter() - started
        process.port = port
        yield process
        process.stdin.close()


def load(*arguments):
    command = pinned(1, sys.executable, LOAD, *map(str, arguments))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return json.loads(answer.read())


def test_ready_and_memory_with_all_data(data_dir):
    with server(data_dir) as running:
        memory = psutil.Process(running.pid).memory_info
        ready_mb = memory().rss / 2**20
        for symbol in SYMBOLS:
            for interval in ("1m", "5m", "15m", "1h", "4h", "1d"):
                for start in range(1_577_836_800_000, 1_751_300_000_000, 86_400_000 * 5):
                    if interval in {"1h", "4h"} or start % 7 == 0:
                        path = f"{KLINES.format(symbol, interval)}&startTime={start}"
                        fetch(running.port, path)
            fetch(running.port, f"/fapi/v1/markPriceKlines?symbol={symbol}&interval=1h&limit=1500")
        served_mb = memory().rss / 2**20
    print(f"\nready {running.ready_s:.2f} s, {ready_mb:.0f} MB; after serving {served_mb:.0f} MB")


def most(running, *paths):
    """Requests per second of the clock, and per second that the server's core worked."""
    process = psutil.Process(running.pid)
    before = sum(process.cpu_times()[:2])
    got = load("most", running.port, 8, 5, *paths)
    worked = sum(process.cpu_times()[:2]) - before
    return got["per_second"], got["requests"] / worked


def test_klines_per_second_against_formatting_each(data_dir):
    with server(data_dir) as running:
        one = most(running, KLINES.format("BTCUSDT", "5m"))
        several = most(running, *LATEST)
    with server(data_dir, "naive") as running:
        each = most(running, "/")
    for name, (by_clock, by_core) in (
        ("one pair", one),
        ("seven pairs", several),
        ("formatted anew", each),
    ):
        print(f"\n500 rows, {name}: {by_clock:.0f}/s, {by_core:.0f} per second of one core", end="")
    print(f"\nload average {os.getloadavg()[0]:.1f}")
    assert one[1] > 4 * each[1]


def test_answer_times_at_500_per_second(data_dir):
    with server(data_dir) as running:
        warm = [fetch(running.port, path) for path in LATEST]
        times = load("steady", running.port, 500, 10, *LATEST)
    print("\n500 requests/s: " + ", ".join(f"{name} {ms:.2f}" for name, ms in times.items()))
    assert all(len(rows) == 500 for rows in warm)
