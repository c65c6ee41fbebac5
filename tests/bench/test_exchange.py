"""How fast the exchange trades: in process, over REST, with a durable log, through a whole day.

.venv/bin/python -m pytest -m bench tests/bench/test_exchange.py -s
"""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from automation.simulator import Trading, account, open_market
from automation.simulator.timeline import Timeline
from automation.simulator.trading.orders import OrderRequest
from automation.simulator.venue import Venue

pytestmark = pytest.mark.bench

LOAD = Path(__file__).with_name("exchange_load.py")


class Fixed:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def desk(accounts: int = 8):
    clock = Fixed(datetime(2026, 3, 2, tzinfo=UTC))
    venue = Venue(open_market(11), Timeline(clock))
    specs = [account(f"a{i}", f"k{i}", f"s{i}", 1_000_000) for i in range(accounts)]
    return Trading(specs).open(venue)


def test_orders_in_process():
    """Half market orders, half limit orders that rest and are cancelled; 2,000 orders a second."""
    made = desk()
    exchange, heard = made.exchange, []
    exchange.subscribe(heard.append)
    now, last = made.now_ms, exchange.floor.quote("BTCUSDT").last

    def trade(count: int) -> float:
        nonlocal now
        begun = time.process_time()
        for i in range(count):
            now += 100 if i % 200 == 0 else 0
            name, side = f"a{i % 8}", "BUY" if i % 4 < 2 else "SELL"
            if i % 2:
                exchange.place(name, OrderRequest("BTCUSDT", side, "MARKET", 2), now)
            else:
                price = last + (-1000 if side == "BUY" else 1000)
                order = exchange.place(name, OrderRequest("BTCUSDT", side, "LIMIT", 10, price), now)
                exchange.cancel(name, "BTCUSDT", now, order_id=order.order_id)
        return count / (time.process_time() - begun)

    trade(1000)
    print(f"\n{trade(20_000):,.0f} orders/s of CPU in process (half of them cancelled again)")
    assert len(heard) > 40_000


def test_one_day_with_resting_orders():
    """Ten pairs at 1m, five orders on each side of each, near enough that many are filled."""
    made = desk()
    exchange, now = made.exchange, made.now_ms
    for symbol, contract in exchange.contracts.items():
        last = exchange.floor.quote(symbol).last
        least = contract.min_notional * 2 // max(contract.notional(last, 1), 1) + 1
        for step in range(1, 6):
            for side, sign in (("BUY", -1), ("SELL", 1)):
                price = last * (1000 + sign * step * 8) // 1000
                request = OrderRequest(symbol, side, "LIMIT", least, price)
                exchange.place(f"a{step}", request, now)
    resting = sum(len(o) for a in exchange.accounts.values() for o in a.open_orders.values())
    begun = time.process_time()
    exchange.advance(now + 86_400_000)
    spent = time.process_time() - begun
    left = sum(len(o) for a in exchange.accounts.values() for o in a.open_orders.values())
    print(
        f"\none day, {len(exchange.contracts)} pairs, {resting} orders, {resting - left} filled: {spent:.2f} s"
    )
    assert resting == 100


@contextmanager
def server(*arguments):
    cores = sorted(os.sched_getaffinity(0))
    pin = ["taskset", "-c", str(cores[0])] if shutil.which("taskset") else []
    command = [*pin, sys.executable, str(LOAD), "serve", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        one.port = int(one.stdout.readline())
        yield one
        one.stdin.close()


def load(*arguments):
    cores = sorted(os.sched_getaffinity(0))
    pin = ["taskset", "-c", str(cores[-1])] if shutil.which("taskset") else []
    command = [*pin, sys.executable, str(LOAD), *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def orders(running, connections: int, seconds: int):
    process = psutil.Process(running.pid)
    before = sum(process.cpu_times()[:2])
    got = load("orders", running.port, connections, seconds)
    worked = sum(process.cpu_times()[:2]) - before
    assert not got["refused"]
    return got["per_second"], got["requests"] / worked


def test_orders_over_rest():
    with server(11) as running:
        clocked, worked = orders(running, 8, 4)
    print(f"\n{clocked:,.0f} orders/s over REST, {worked:,.0f} per second of the server's core")


def test_orders_over_rest_with_a_durable_log(tmp_path):
    with server(11, tmp_path / "events.log") as running:
        clocked, worked = orders(running, 8, 4)
    size_mb = (tmp_path / "events.log").stat().st_size / 2**20
    print(
        f"\n{clocked:,.0f} orders/s, each on the disk before its answer ({size_mb:.0f} MB), "
        f"{worked:,.0f} per second of the server's core"
    )


def test_thirty_bots_polling():
    with server(11) as running:
        process = psutil.Process(running.pid)
        load("poll", running.port, 30, 3)
        before = sum(process.cpu_times()[:2])
        got = load("poll", running.port, 30, 10)
        share = (sum(process.cpu_times()[:2]) - before) / 10
    assert not got["refused"]
    print(f"\n30 bots, {got['requests'] / 10:.0f} requests/s: {share:.0%} of a core")
