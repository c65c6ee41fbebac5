import asyncio
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from automation.core.errors import ConfigError, PermanentError
from automation.journal import Draft, Journal, Query, sentence
from automation.testing import ManualClock


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.db") as journal:
        yield journal


def append(journal, n=0, **fields):
    fields = {"actor": "supervisor", "source": "test", "payload": {"n": n}, **fields}
    return journal.append(fields.pop("kind", "bot.up"), **fields)


def test_an_appended_event_comes_back_as_it_was(journal):
    first = append(journal, bot="m", address="10.0.0.1")
    second = append(journal, cause=first, kind="bot.down")
    assert journal.read() == [first, second]
    assert (first.sequence, second.sequence, second.cause) == (1, 2, 1)
    assert second.previous == first.hash
    assert (first.bot, first.address, first.payload) == ("m", "10.0.0.1", {"n": 0})
    assert journal.last() == second
    assert journal.verify().is_whole


def test_an_empty_journal_answers(journal):
    assert journal.last() is None
    assert journal.read() == []
    assert journal.verify().sentence == "0 events verified, up to number 0, not signed"


def test_the_time_is_the_clocks(tmp_path):
    clock = ManualClock(datetime(2025, 3, 1, 12, tzinfo=UTC))
    with Journal.open(tmp_path / "j.db", clock=clock) as journal:
        append(journal)
        clock.jump(-3600)
        append(journal)
        first, said, second = journal.read()
        assert [first.time, second.time] == [clock.now() + timedelta(hours=1), clock.now()]
        assert sentence(said).startswith("The clock was set back by 3600.0 s")
        assert journal.verify().is_whole


def test_events_survive_and_the_chain_goes_on_after_reopening(tmp_path):
    with Journal.open(tmp_path / "j.db") as journal:
        first = append(journal)
    with Journal.open(tmp_path / "j.db") as journal:
        assert append(journal).previous == first.hash


def test_batches_are_all_or_nothing(journal):
    good = Draft("bot.up", "a", "s")
    with pytest.raises(PermanentError):
        journal.append_many([good, Draft("NO", "a", "s")])
    assert journal.last() is None
    assert [e.sequence for e in journal.append_many([good] * 3)] == [1, 2, 3]


def test_threads_share_one_journal(journal):
    threads = [
        threading.Thread(target=lambda: [append(journal, n) for n in range(50)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.verify().events == 400


async def test_awaited_and_posted_events_keep_their_order(journal):
    journal.post("bot.a", actor="a", source="s")
    event = await journal.append_async("bot.b", actor="a", source="s")
    assert event.sequence == 2
    assert [e.kind for e in journal.read()] == ["bot.a", "bot.b"]


def test_tail_gives_the_newest_in_reading_order(journal):
    for n in range(30):
        append(journal, n)
    assert [e.payload["n"] for e in journal.tail(3)] == [27, 28, 29]


def test_the_file_itself_refuses_to_change_or_lose_events(tmp_path, journal):
    append(journal)
    with sqlite3.connect(tmp_path / "journal.db") as other:
        for statement in ("DELETE FROM events", "UPDATE events SET actor = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)
    other.close()


async def test_a_subscription_gives_what_is_there_and_what_comes(journal):
    append(journal, 0)
    seen = []
    async with asyncio.timeout(30):
        async for event in journal.subscribe(0):
            seen.append(event.payload["n"])
            if len(seen) == 3:
                break
            journal.post("bot.up", actor="a", source="s", payload={"n": len(seen)})
    assert seen == [0, 1, 2]


async def test_a_filtered_subscription_skips_the_rest(journal):
    append(journal, 0, bot="a")
    append(journal, 1, bot="b")
    stream = journal.subscribe(0, Query(bot="b"))
    async with asyncio.timeout(30):
        assert (await anext(stream)).payload == {"n": 1}
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        append(journal, 2, bot="a")
        append(journal, 3, bot="b")
        assert (await waiting).payload == {"n": 3}
    await stream.aclose()


async def test_closing_the_journal_ends_its_subscriptions(tmp_path):
    journal = Journal.open(tmp_path / "j.db")

    async def follow():
        return [event async for event in journal.subscribe(0)]

    append(journal)
    task = asyncio.create_task(follow())
    await asyncio.sleep(0.1)
    await asyncio.to_thread(journal.close)
    async with asyncio.timeout(30):
        assert len(await task) == 1
    with pytest.raises(PermanentError, match="closed"):
        append(journal)


OTHER = """
import sys
from automation.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    for n in range(int(sys.argv[2])):
        journal.append("bot.up", actor="other", source="test", payload={"n": n})
"""


async def test_a_subscription_wakes_for_another_process(tmp_path, journal):
    stream = journal.subscribe(0)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.2)
    path = str(tmp_path / "journal.db")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", OTHER, path, "1")
    async with asyncio.timeout(20):
        event = await waiting
    assert event.actor == "other"
    assert await other.wait() == 0
    await stream.aclose()


def test_several_processes_append_to_one_file_from_its_making_on(tmp_path):
    path = str(tmp_path / "new.db")
    others = [subprocess.Popen([sys.executable, "-c", OTHER, path, "100"]) for _ in range(4)]
    assert [other.wait(60) for other in others] == [0, 0, 0, 0]
    with Journal.open(path) as journal:
        assert journal.verify().events == 400
        assert journal.verify().is_whole


def test_reading_alone_never_makes_a_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.db.*cannot be opened"):
        Journal.open(tmp_path / "nothing.db", read_only=True)


def test_files_that_are_no_journal_are_refused(tmp_path):
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at" * 9)
    with pytest.raises(ConfigError, match="no journal"):
        Journal.open(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE t (a)")
    other.close()
    with pytest.raises(ConfigError, match="something else"):
        Journal.open(tmp_path / "other.db")


def test_a_newer_format_is_refused(tmp_path):
    with Journal.open(tmp_path / "j.db"):
        pass
    with sqlite3.connect(tmp_path / "j.db") as other:
        other.execute("PRAGMA user_version=99")
    other.close()
    with pytest.raises(ConfigError, match="format 99.*update"):
        Journal.open(tmp_path / "j.db")


def test_the_journal_in_memory_does_the_same():
    with Journal.in_memory() as journal:
        first = append(journal)
        assert journal.read() == [first]
        assert journal.verify().is_whole
