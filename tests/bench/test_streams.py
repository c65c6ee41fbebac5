"""How many messages the streams send, and what they cost. Server and load run in their own processes.

.venv/bin/python -m pytest -m bench tests/bench/test_streams.py -s
"""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.bench

LOAD = Path(__file__).with_name("streams_load.py")
SYMBOLS = ["btc", "eth", "sol", "xrp", "ada", "bnb", "doge", "link", "ltc", "trx"]
INTERVALS = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"]
BOOKS = ["bookTicker", "depth5@100ms", "depth10@100ms", "depth20@100ms", "depth@100ms"]
EVERYTHING = [
    *BOOKS,
    *(f"kline_{interval}" for interval in (*INTERVALS, "1M")),
    *("depth", "depth5", "depth10", "depth20", "depth@500ms", "depth5@500ms"),
    *("aggTrade", "trade", "markPrice@1s"),
]
CLIENTS, SECONDS = 50, 10


def names(kinds):
    return "/".join(f"{symbol}usdt@{kind}" for symbol in SYMBOLS for kind in kinds)


def pinned(core, *command):
    """The command on one core where there are several."""
    cores = sorted(os.sched_getaffinity(0))
    taskset = shutil.which("taskset")
    return ([taskset, "-c", str(cores[core % len(cores)])] if taskset else []) + list(command)


@contextmanager
def server(*arguments):
    command = pinned(0, sys.executable, str(LOAD), "serve", *arguments)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.port = process.stdout.readline().strip()
        yield process
        process.stdin.close()


def measure(running, kinds, clients=CLIENTS):
    """What the clients got, and the share of a core that the server worked meanwhile."""
    command = pinned(1, sys.executable, str(LOAD), "hear", running.port, str(clients), str(SECONDS))
    process = psutil.Process(running.pid)
    with subprocess.Popen([*command, names(kinds)], stdout=subprocess.PIPE, text=True) as load:
        time.sleep(3)  # until everyone is connected
        before, start = sum(process.cpu_times()[:2]), time.perf_counter()
        time.sleep(SECONDS - 3)
        worked = sum(process.cpu_times()[:2]) - before
        share = worked / (time.perf_counter() - start)
        got = json.loads(load.stdout.read())
    got["core"] = share
    got["us_each"] = share / got["per_second"] * 1e6
    return got


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_messages_per_second_over_fifty_clients(loop):
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    with server(*([loop] if loop == "uvloop" else [])) as running:
        one = measure(running, BOOKS, clients=1)
        some = measure(running, [*BOOKS[:4], "kline_1m"])
        most = measure(running, EVERYTHING)
    for name, got in (("1 client", one), ("50 clients", some), ("50 clients, everything", most)):
        print(
            f"\n{loop}, {name}: {got['per_second']:.0f}/s ({got['least']:.0f} to "
            f"{got['most']:.0f} each, {got['lost']} lost), {got['core']:.0%} of a core, "
            f"{got['us_each']:.1f} us each",
            end="",
        )
    print(f"\nload average {os.getloadavg()[0]:.1f}")
    assert some["lost"] == most["lost"] == 0
    assert some["us_each"] < one["us_each"] / 4  # a message is made once, whoever hears it
