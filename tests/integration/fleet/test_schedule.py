"""The scheduler with real processes: what it runs, writes down, and never does twice."""

import asyncio
import os
import stat
import sys
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from automation.core.config import ScheduledCommand
from automation.core.masking import register_secret
from automation.fleet import kinds  # noqa: F401  defines the events
from automation.fleet.chronicle import Chronicle
from automation.fleet.home import Home
from automation.fleet.schedule.scheduler import Place, Scheduler
from automation.journal import Journal, sentence
from automation.testing import ManualClock

SECRET = "hunter2-of-the-test"
PROGRAM = (
    "import os, sys, time\n"
    "what = sys.argv[1]\n"
    "print('said', what, os.environ['FREQFLEET_HOME'], flush=True)\n"
    f"print('key', {SECRET!r}, flush=True)\n"
    "if what == 'fail': sys.exit(1)\n"
    "if what == 'long': print('x' * 200_000)\n"
    "if what == 'sleep': time.sleep(60)\n"
    "if what == 'short': time.sleep(2)\n"
)
START = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)


class AskedClock(ManualClock):
    """Counts how often it was asked, to tell whether the scheduler is in its loop."""

    asked = 0

    def now(self):
        self.asked += 1
        return super().now()


class Made:
    def __init__(self, tmp_path, journal):
        self.home, self.journal, self.clock = Home(tmp_path), journal, AskedClock(START)

    @staticmethod
    def fleet(*words, **more):
        raw = {"name": "e", "cron": "* * * * *", "command": list(words), **more}
        entries = (ScheduledCommand.model_validate(raw),) if words else ()
        return type("F", (), {"schedule": entries})

    @asynccontextmanager
    async def keeping(self, *words, **more):
        place = Place(self.home, self.home.path, (sys.executable, "-c", PROGRAM))
        chronicle = Chronicle(self.journal)
        scheduler = Scheduler(self.fleet(*words, **more), place, chronicle, self.clock)
        task = asyncio.create_task(scheduler.run())
        if words:
            await self.settle()
        try:
            yield scheduler
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def settle(self):
        """Wait until the scheduler has read where to go on, and is in its loop."""
        self.clock.asked = 0
        while self.clock.asked < 4:  # noqa: ASYNC110  it says nothing
            await asyncio.sleep(0.02)

    def told(self):
        self.journal.append("test.flush", actor="test", source="test")
        return self.journal.search(kind="schedule.*")

    async def until(self, *wanted, within_s=15.0):
        deadline = time.monotonic() + within_s
        while [event.kind.removeprefix("schedule.") for event in self.told()] != list(wanted):
            assert time.monotonic() < deadline, [sentence(event) for event in self.told()]
            await asyncio.sleep(0.05)
        return self.told()

    def log(self):
        return (self.home.path / "schedule" / "e" / "output.log").read_text()

    def minute(self):
        """Let a minute pass; the scheduler sees it at its next look."""
        self.clock.advance(60)


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setattr("automation.fleet.schedule.scheduler.LOOK_S", 0.05)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        yield Made(tmp_path, journal)


async def test_a_run_is_journaled_and_what_it_says_is_kept_without_secrets(made):
    register_secret(SECRET)
    async with made.keeping("hello", SECRET):
        assert made.told() == []
        made.minute()
        started, ended = await made.until("started", "ended")
    assert (started.payload["planned"], started.payload["command"]) == (
        "2026-01-01T00:01:00+00:00", "hello ***",
    )  # fmt: skip
    assert (ended.payload["exit_code"], ended.payload["entry"]) == (0, "e")
    assert f"said hello {made.home.path}" in made.log()
    assert "key ***" in made.log()
    assert SECRET not in made.log()
    path = made.home.path / started.payload["log"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_failure_is_told_with_its_code(made):
    async with made.keeping("fail"):
        made.minute()
        _, ended = await made.until("started", "ended")
    assert ended.payload["exit_code"] == 1
    assert "exit code 1" in sentence(ended)


async def test_an_endless_line_is_written_in_pieces(made):
    async with made.keeping("long"):
        made.minute()
        await made.until("started", "ended")
    assert made.log().count("x") == 200_000


async def test_a_run_is_never_overlapped_and_ends_with_its_supervisor(made):
    async with made.keeping("sleep"):
        made.minute()
        (started,) = await made.until("started")
        made.minute()
        _, skipped = await made.until("started", "skipped")
        assert "has not ended" in skipped.payload["reason"]
    assert not psutil.pid_exists(started.payload["pid"])
    *_, ended = await made.until("started", "skipped", "ended")
    assert "was ended with its supervisor" in sentence(ended)


async def test_a_run_that_takes_too_long_is_ended(made):
    async with made.keeping("sleep", timeout_h=0.0002):
        made.minute()
        _, ended = await made.until("started", "ended")
    assert "its limit" in ended.payload["reason"]


async def test_the_next_supervisor_goes_on_where_the_last_one_stopped(made):
    async with made.keeping("hello"):
        made.minute()
        await made.until("started", "ended")
    async with made.keeping("hello"):
        await asyncio.sleep(0.3)
        assert len(made.told()) == 2  # the same minute is not run twice
    made.clock.advance(10 * 60)
    async with made.keeping("hello", catch_up="once"):
        *_, started, _ = await made.until("started", "ended", "started", "ended")
        assert started.payload["planned"] == "2026-01-01T00:11:00+00:00"


async def test_what_nobody_ran_is_told_and_not_run(made):
    async with made.keeping("hello", cron="0 * * * *"):
        made.clock.advance(3600)
        await made.until("started", "ended")
    made.clock.advance(3 * 3600 + 1800)
    async with made.keeping("hello", cron="0 * * * *"):
        *_, skipped = await made.until("started", "ended", "skipped")
    assert (skipped.payload["missed"], skipped.payload["reason"]) == (3, "nobody ran it in time")


async def test_the_run_of_a_killed_supervisor_is_not_overlapped_and_its_end_is_told(made):
    folder = made.home.path / "schedule" / "e"
    folder.mkdir(parents=True)
    lock = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT)
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX)
    facts = {"entry": "e", "command": "x", "planned": START.isoformat(), "pid": 1, "log": "l"}
    made.journal.append("schedule.started", actor="supervisor", source="fleet", payload=facts)
    try:
        async with made.keeping("hello"):
            _, left = await made.until("started", "ended")
            assert left.payload["exit_code"] is None
            made.minute()
            *_, skipped = await made.until("started", "ended", "skipped")
            assert "earlier supervisor" in skipped.payload["reason"]
    finally:
        os.close(lock)


async def test_a_clock_that_is_put_back_runs_nothing_again(made):
    async with made.keeping("hello"):
        made.minute()
        await made.until("started", "ended")
        made.clock.jump(-timedelta(minutes=5).total_seconds())
        await asyncio.sleep(0.3)
        made.minute()
        await asyncio.sleep(0.3)
        assert len(made.told()) == 2


async def test_an_entry_that_joins_begins_with_its_next_time(made):
    async with made.keeping() as scheduler:
        made.minute()
        scheduler.renew(made.fleet("hello"))
        await made.settle()
        assert made.told() == []
        made.minute()
        started, _ = await made.until("started", "ended")
    assert started.payload["planned"] == "2026-01-01T00:02:00+00:00"


async def test_a_changed_entry_goes_by_its_new_times_and_words(made):
    async with made.keeping("hello") as scheduler:
        scheduler.renew(made.fleet("later", cron="5 * * * *"))
        await made.settle()
        made.minute()
        await made.settle()
        assert made.told() == []
        made.clock.advance(4 * 60)
        started, _ = await made.until("started", "ended")
    assert started.payload["command"] == "later"


async def test_a_run_of_an_entry_that_is_gone_ends_as_it_would_have(made):
    async with made.keeping("short") as scheduler:
        made.minute()
        await made.until("started")
        scheduler.renew(made.fleet())
        made.clock.advance(5 * 60)
        _, ended = await made.until("started", "ended")
        assert ended.payload["exit_code"] == 0
        scheduler.renew(made.fleet("hello"))
        await made.settle()
        made.minute()
        await made.until("started", "ended", "started", "ended")


async def test_an_unchanged_entry_is_not_disturbed(made):
    async with made.keeping("hello") as scheduler:
        scheduler.renew(made.fleet("hello"))
        made.minute()
        await made.until("started", "ended")
