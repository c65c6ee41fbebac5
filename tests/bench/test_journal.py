"""How fast the journal is, beside what the disk itself can do. Figures are printed, not asserted."""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import orjson
import pytest

from automation.journal import Draft, Journal, Query
from automation.journal.folds import current, save_snapshot
from tests.contract.journal_servers import postgres_server

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_600)]
MANY = int(os.environ.get("FREQFLEET_BENCH_EVENTS", "10000000"))
PAYLOAD = {
    "pair": "BTC/USDT:USDT",
    "state": "running",
    "reason": "the bot answered its API and its last candle is 12 s old",
    "open_trades": 3,
    "profit_usdt": 12.345,
    "restarts": 0,
}


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="ff-bench-"))
    yield folder
    shutil.rmtree(folder)


def drafts(count):
    return [
        Draft("bot.observed", "supervisor", "fleet.observe", PAYLOAD, f"momentum-{n % 12}")
        for n in range(count)
    ]


def say(name, figure):
    print(f"\n{name}: {figure}")


def fdatasync_rate(folder):
    descriptor = os.open(folder / "probe", os.O_CREAT | os.O_WRONLY)
    began, count = time.perf_counter(), 500
    for n in range(count):
        os.pwrite(descriptor, b"x" * 4096, n * 4096)
        os.fdatasync(descriptor)
    os.close(descriptor)
    return count / (time.perf_counter() - began)


def test_sqlite_appends_verifies_and_stores(folder):
    count, size = 400_000, 2_000
    batch = drafts(size)
    with Journal.open(folder / "journal.db") as journal:
        began = time.perf_counter()
        waiting = [journal.submit(batch) for _ in range(count // size)]
        events = waiting[-1].result()
        say("SQLite, batches of 2,000, events/s", round(count / (time.perf_counter() - began)))
    # The event as one JSON document without its hashes: what has to be stored.
    plain = len(orjson.dumps([*events[0][:9], events[0].payload]))
    stored = (folder / "journal.db").stat().st_size / count
    say("bytes of an event, and stored for it with indexes and hash", (plain, round(stored)))
    with Journal.open(folder / "journal.db") as journal:
        rates = []
        for _ in range(3):
            began = time.perf_counter()
            assert journal.verify().is_whole
            rates.append(count / (time.perf_counter() - began))
        say("verify, events/s, median of 3", round(statistics.median(rates)))


def test_sqlite_each_event_durable_from_eight_writers(folder):
    say("the disk: fdatasync/s", round(fdatasync_rate(folder)))
    with Journal.open(folder / "journal.db") as journal:
        each = 2_000

        def write():
            for _ in range(each):
                journal.append("bot.observed", actor="a", source="s", bot="m", payload=PAYLOAD)

        threads = [threading.Thread(target=write) for _ in range(8)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say("SQLite, durable one by one, 8 threads, events/s", round(8 * each / since(began)))

        async def eight():
            async def write_async():
                for _ in range(each):
                    await journal.append_async(
                        "bot.observed", actor="a", source="s", bot="m", payload=PAYLOAD
                    )

            await asyncio.gather(*(write_async() for _ in range(8)))

        began = time.perf_counter()
        asyncio.run(eight())
        say("SQLite, durable one by one, 8 tasks, events/s", round(8 * each / since(began)))


def since(began):
    return time.perf_counter() - began


POSTGRES_WRITER = """
import asyncio, sys, time
from automation.journal import Draft, Journal
from tests.bench.test_journal import PAYLOAD, drafts
url, how, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
async def one_by_one(journal):
    async def write():
        for _ in range(count // 32):
            await journal.append_async("bot.observed", actor="a", source="s", payload=PAYLOAD)
    await asyncio.gather(*(write() for _ in range(32)))
with Journal.open(url) as journal:
    sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
    if how == "batched":
        for _ in range(count // 500):
            journal.append_many(drafts(500))
    else:
        asyncio.run(one_by_one(journal))
"""


@pytest.mark.parametrize("how", ["one by one, 32 tasks each", "batched"])
def test_postgresql_from_four_writers(how):
    each = 8_000
    with postgres_server() as server:
        url = server.schema_url()
        command = [sys.executable, "-c", POSTGRES_WRITER, url, how, str(each)]
        writers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(4)
        ]
        for writer in writers:
            writer.stdout.readline()
        began = time.perf_counter()
        for writer in writers:
            writer.stdin.write(b"go\n")
            writer.stdin.flush()
        for writer in writers:
            writer.communicate()
            assert writer.returncode == 0
        say(f"PostgreSQL, four processes, {how}, events/s", round(4 * each / since(began)))
        with Journal.open(url) as journal:
            found = journal.verify()
            assert (found.is_whole, found.events) == (True, 4 * each)


def test_from_append_to_a_subscriber_at_a_thousand_a_second(folder):
    delays_ms = []

    async def scenario():
        with Journal.open(folder / "journal.db") as journal:
            total = 5_000

            async def follow():
                async for event in journal.subscribe(0):
                    delays_ms.append((time.time_ns() / 1000 - event.time_us) / 1000)
                    if len(delays_ms) == total:
                        return

            follower = asyncio.create_task(follow())
            began = time.perf_counter()
            for n in range(total // 10):
                for draft in drafts(10):
                    journal.submit([draft], keep=True)
                await asyncio.sleep(max(0.0, began + (n + 1) / 100 - time.perf_counter()))
            await asyncio.wait_for(follower, 60)

    asyncio.run(scenario())
    delays_ms.sort()
    say(
        "from append to a subscriber at 1,000 events/s, ms: p50, p99, most",
        [round(delays_ms[int(len(delays_ms) * part)], 1) for part in (0.5, 0.99, 0.9999)],
    )


class LastSeen:
    """A state like the fleet's: something about every bot."""

    name, version, query = "last_seen", 1, Query()

    def initial(self):
        return {}

    def apply(self, state, event):
        state[event.bot] = event.sequence
        return state

    def dump(self, state):
        return state

    def load(self, dumped):
        return dumped


def test_start_and_search_with_very_many_events(folder):
    path, size = folder / "journal.db", 5_000
    batch = drafts(size)
    with Journal.open(path) as journal:
        began = time.perf_counter()
        for n in range(MANY // size):
            future = journal.submit(batch)
            if n % 4 == 0:
                future.result()
        future.result()
        say(f"filling with {MANY:,} events, events/s", round(MANY / since(began)))
        journal.append("bot.rare", actor="ann", source="cli", bot="rare", address="10.0.0.7")
        folded = current(journal, LastSeen(), until=size)
        folded.state["all"] = MANY
        save_snapshot(journal, LastSeen(), type(folded)(folded.state, MANY, 0))
    began = time.perf_counter()
    with Journal.open(path) as journal:
        assert journal.last().sequence == MANY + 1
        assert current(journal, LastSeen()).folded == 1
        say("start with a snapshot: open, newest event, state, s", round(since(began), 3))
        now = journal.last().time
        for name, query in {
            "the rare bot": Query(bot="rare"),
            "the rare actor": Query(actor="ann"),
            "the address": Query(address="10.0.0.7"),
            "the last moment": Query(since=now),
            "newest of a busy bot": Query(bot="momentum-3"),
        }.items():
            began = time.perf_counter()
            assert journal.tail(20, query)
            say(f"search for {name} among {MANY:,}, ms", round(since(began) * 1000, 1))
    say("size, GB", round(path.stat().st_size / 1e9, 2))
