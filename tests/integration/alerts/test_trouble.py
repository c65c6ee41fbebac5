"""The disk is full, the clock goes back, the dead man's switch answers not; and test messages."""

import asyncio

import pytest

from automation.alerts import desk, service
from automation.alerts.channel_settings import Heartbeat
from automation.alerts.channels.building import build_channels
from automation.alerts.channels.http import new_client
from automation.alerts.heartbeat import HeartbeatSender
from automation.core.clock import SystemClock
from automation.core.errors import ConfigError
from automation.journal import Journal
from automation.testing import ManualClock


class ShiftedClock(SystemClock):
    """The machine's clock, until somebody sets it."""

    def __init__(self):
        self._shift = ManualClock()
        self._start = self._shift.now()

    def now(self):
        return super().now() + (self._shift.now() - self._start)

    def jump(self, seconds):
        self._shift.jump(seconds)


def fill_disk(journal, *, full):
    """Let SQLite meet the end of the disk, or give it room again."""
    raw = journal.store._writer.raw
    pages = raw.execute("PRAGMA page_count").fetchone()[0]
    raw.execute(f"PRAGMA max_page_count={pages if full else 2**30}")


async def test_when_the_journal_takes_nothing_people_are_told_directly(
    journal, make_settings, serve, happen, receivers, until, monkeypatch
):
    monkeypatch.setattr(service, "SPEAKS_UP_AFTER_S", 0.5)
    async with serve(journal, make_settings("slack", "telegram")) as alerts:
        for number in range(40):
            happen.exited(f"bot-{number}")
        await until(lambda: len(alerts.state.alerts) == 40)
        fill_disk(journal, full=True)
        await until(lambda: len(receivers.taken) >= 4, 20)  # both channels: the fault and the alert
        told = "\n".join(receivers.texts)
        assert "database or disk is full" in told
        assert "bot-3 is down" in told
        assert not alerts.is_alive()
        fill_disk(journal, full=False)
        await until(lambda: len(journal.search(kind="alert.delivered")) >= 2, 20)
        assert alerts.is_alive()
    # Told twice, under one name.
    assert sum("#slack-1\n" in f"{text}\n" for text in receivers.texts) == 2
    assert journal.verify().is_whole


async def test_a_clock_that_goes_back_holds_nothing_up(
    journal, make_settings, serve, happen, receivers, until
):
    clock = ShiftedClock()
    async with serve(journal, make_settings("slack"), clock=clock):
        happen.exited("a")
        await until(lambda: len(receivers.taken) == 1)
        clock.jump(-3600)
        happen.exited("b")
        happen.liquidated("c")
        await until(lambda: len(receivers.taken) == 3)
    # Started again with the clock still behind.
    async with serve(journal, make_settings("slack"), clock=clock):
        happen.liquidated("d")
        await until(lambda: len(receivers.taken) == 4)


async def test_a_clock_that_goes_back_keeps_no_message_that_is_to_be_tried_again(
    tmp_path, make_settings, serve, happen, receivers, until
):
    clock = ShiftedClock()
    receivers.answers.append((500, 0))
    with Journal.open(tmp_path / "shifted.db", clock=clock) as journal:
        async with serve(journal, make_settings("slack"), clock=clock):
            happen.liquidated(journal=journal)
            await until(lambda: journal.search(kind="alert.undelivered"))
            clock.jump(-3600)
            await until(lambda: receivers.taken)


async def test_the_sign_of_life_is_given_as_long_as_there_is_life(
    journal, receivers, until, monkeypatch
):
    monkeypatch.setenv("BEAT", f"{receivers.url}/beat")
    alive = True
    settings = Heartbeat.model_validate({"url": "env:BEAT", "every": "0.05s"})
    async with new_client() as client:
        sender = HeartbeatSender(journal, settings, client, lambda: alive)
        task = asyncio.create_task(sender.run())
        await until(lambda: receivers.beats >= 3)
        alive = False
        await asyncio.sleep(0.2)
        before = receivers.beats
        await asyncio.sleep(0.3)
        assert receivers.beats == before
        alive, receivers.is_down = True, True
        await until(lambda: journal.search(kind="alert.heartbeat_refused"))
        receivers.is_down = False
        await until(lambda: journal.search(kind="alert.heartbeat_taken"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(journal.search(kind="alert.heartbeat_refused")) == 1


async def test_a_test_message_goes_to_each_channel_and_says_what_is_wrong(
    make_settings, receivers, monkeypatch
):
    settings = make_settings()
    async with new_client() as client:
        channels = build_channels(settings, client)
        assert await desk.send_test(settings, channels) == {
            "telegram": "",
            "slack": "",
            "discord": "",
        }
        assert all("This is a test" in text for text in receivers.texts)
        receivers.answers.append((403, 0))
        outcome = await desk.send_test(settings, channels, ("slack", "pigeon"))
        assert "refused with 403" in outcome["slack"]
        assert "there is no channel pigeon" in outcome["pigeon"]


async def test_a_channel_without_its_secret_is_not_built(make_settings, monkeypatch):
    settings = make_settings("slack")
    monkeypatch.delenv("SLACK")
    async with new_client() as client:
        with pytest.raises(ConfigError, match=r"channels\.slack\.webhook"):
            build_channels(settings, client)


async def test_no_secret_is_told_when_a_channel_cannot_be_reached(
    channels, make_settings, monkeypatch
):
    for channel in channels.values():
        channel["base_url"] = "http://127.0.0.1:9"
    settings = make_settings()
    async with new_client() as client:
        outcomes = await desk.send_test(settings, build_channels(settings, client))
    for outcome in outcomes.values():
        assert "cannot be reached" in outcome
        assert "secret" not in outcome
        assert "AAH" not in outcome
