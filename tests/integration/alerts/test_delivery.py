"""Real servers on loopback, real HTTP, a real journal."""

import asyncio
import socket
import time

from automation.alerts.breaker import Breaker
from automation.alerts.delivery import kind_of


async def test_an_alert_reaches_all_channels_of_our_own_and_its_end_too(
    journal, make_settings, serve, happen, receivers, until
):
    async with serve(journal, make_settings()):
        happen.exited("m", "killed by signal 9")
        await until(lambda: len(receivers.taken) == 3)
        happen.healthy("m")
        await until(lambda: len(journal.search(kind="alert.delivered")) == 6)
    for service in ("telegram", "slack", "discord"):
        told, over = receivers.of(service)
        assert "m is down" in told.text
        assert "killed by signal 9" in told.text
        assert "Over" in over.text
    delivered = journal.search(kind="alert.delivered")
    assert len(delivered) == 6
    assert {event.payload["attempts"] for event in delivered} == {1}
    assert journal.verify().is_whole


async def test_an_emergency_is_told_at_once(
    journal, make_settings, serve, happen, receivers, until
):
    async with serve(journal, make_settings("telegram")):
        happen.exited()
        started = time.monotonic()
        happen.liquidated()
        await until(lambda: receivers.taken)
        assert "liquidated" in receivers.texts[0]
        assert receivers.taken[0].at_s - started < 1.0


async def test_a_429_is_obeyed_to_the_second(
    journal, make_settings, serve, happen, receivers, until
):
    for name in ("telegram", "slack", "discord"):
        receivers.answers.append((429, 2.0))
        before = receivers.attempts
        journal_name = f"{name}-bot"
        async with serve(journal, make_settings(name)):
            started = time.monotonic()
            happen.liquidated(journal_name)
            await until(lambda name=name: receivers.of(name))
            assert receivers.of(name)[0].at_s - started >= 1.9
            assert receivers.attempts - before == 2
    assert not journal.search(kind="alert.channel_broken")


async def test_a_429_is_no_failure_however_often(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.answers.extend([(429, 0.1)] * 8)
    async with serve(journal, make_settings("slack")):
        happen.liquidated()
        await until(lambda: journal.search(kind="alert.delivered"))
    assert receivers.attempts == 9
    assert not journal.search(kind="alert.channel_broken")


async def test_a_429_does_not_make_the_pause_after_a_failure_longer(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.answers.extend([(429, 0.1)] * 6 + [(500, 0)])  # by attempts it would wait a minute
    async with serve(journal, make_settings("slack")):
        happen.liquidated()
        await until(lambda: journal.search(kind="alert.delivered"), 20)
    assert receivers.attempts == 8


async def test_a_429_that_asks_for_no_wait_is_no_reason_to_hurry(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.answers.extend([(429, 0.0)] * 10)
    async with serve(journal, make_settings("slack")):
        started = time.monotonic()
        happen.liquidated()
        await until(lambda: receivers.taken)
    assert receivers.taken[0].at_s - started >= 1.0


async def test_what_waited_goes_at_once_when_something_gets_through(
    journal, make_settings, serve, happen, receivers, until, monkeypatch
):
    monkeypatch.setattr(Breaker, "pause_s", lambda *_args, **_named: 60.0)
    receivers.answers.append((500, 0))
    settings = make_settings("slack", route={"group_by": ["bot"], "group_wait": "0"})
    async with serve(journal, settings):
        happen.liquidated("first")
        await until(lambda: journal.search(kind="alert.undelivered"))
        happen.liquidated("second")
        await until(lambda: len(journal.search(kind="alert.delivered")) == 2)
    assert [name for text in receivers.texts for name in ("first", "second") if name in text] == [
        "second",
        "first",
    ]
    assert receivers.attempts == 3, "each was sent once"


async def test_what_was_refused_for_good_is_not_tried_again_for_each_success(
    journal, make_settings, serve, happen, receivers, until, monkeypatch
):
    monkeypatch.setattr(Breaker, "pause_s", lambda *_args, **_named: 60.0)
    receivers.answers.append((400, 0))
    settings = make_settings("slack", route={"group_by": ["bot"], "group_wait": "0"})
    async with serve(journal, settings) as service:
        happen.liquidated("poison")
        await until(lambda: journal.search(kind="alert.channel_broken"))
        service._couriers["slack"].breaker.succeeds()
        for number in (1, 2):
            happen.liquidated(f"well-{number}")
            await until(lambda number=number: len(receivers.taken) == number)
        await asyncio.sleep(0.5)
    assert receivers.attempts == 3
    assert len(journal.store.effects("pending", 10)) == 1


async def test_an_emergency_is_tried_at_once_on_a_broken_channel(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.answers.append((400, 0))
    async with serve(journal, make_settings("slack")):
        happen.exited()
        await until(lambda: journal.search(kind="alert.channel_broken"))
        happen.liquidated()
        await until(lambda: any("liquidated" in text for text in receivers.texts))


async def test_failures_are_tried_again_with_growing_pauses(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.answers.extend([(500, 0)] * 2)
    async with serve(journal, make_settings("slack")):
        started = time.monotonic()
        happen.liquidated()
        await until(lambda: journal.search(kind="alert.delivered"))
    assert receivers.attempts == 3
    assert receivers.taken[0].at_s - started >= 0.8 + 1.6
    [delivered] = journal.search(kind="alert.delivered")
    assert delivered.payload["attempts"] == 3
    assert len(journal.search(kind="alert.undelivered")) == 2


async def test_a_channel_that_fails_gives_way_to_its_fallback_and_is_reported(
    journal, channels, make_settings, serve, happen, receivers, until, monkeypatch
):
    monkeypatch.setenv("TG_TOKEN", "1:" + "wrong" * 8)
    channels["telegram"]["fallback"] = "slack"
    route = {"channels": "telegram", "group_wait": "0"}
    async with serve(journal, make_settings("telegram", "slack", route=route)):
        happen.liquidated()
        await until(lambda: receivers.taken)
    assert receivers.taken[0].service == "slack"
    [broken] = journal.search(kind="alert.channel_broken")
    assert "401" in broken.payload["reason"]
    assert "wrong" not in str(journal.read())
    [said] = journal.search(kind="alert.undelivered")
    assert said.payload["then"] == "slack takes over"


async def test_a_slow_channel_holds_up_no_other(
    journal, channels, make_settings, serve, happen, receivers, until
):
    never = socket.create_server(("127.0.0.1", 0))  # takes connections and never answers
    channels["slack"]["base_url"] = f"http://127.0.0.1:{never.getsockname()[1]}"
    channels["slack"]["timeout"] = "5m"  # longer than the test waits
    async with serve(journal, make_settings("slack", "telegram")):
        happen.liquidated()
        await until(lambda: receivers.taken)
    never.close()


async def test_a_backlog_goes_out_as_one_message_the_emergency_alone_and_first(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.is_down = True
    many = {"messages": 50, "per": "1s"}
    settings = make_settings(
        "slack", tune={"limit": many}, route={"group_by": ["bot"], "group_wait": "0"}
    )
    async with serve(journal, settings) as service:
        for number in range(8):
            happen.exited(f"bot-{number}")
        await until(lambda: len(journal.store.effects("pending", 100)) == 8)
        happen.liquidated()
        await until(lambda: len(journal.store.effects("pending", 100)) == 9)
        receivers.is_down = False
        service._couriers["slack"].breaker.succeeds()
        await until(lambda: len(receivers.taken) >= 2, 20)
        await until(lambda: not journal.store.effects("pending", 100))
    together = [text for text in receivers.texts if "digest" in text]
    assert len(together) == 1
    assert all(f"bot-{number} is down" in "".join(receivers.texts) for number in range(8))


async def test_what_was_not_delivered_is_delivered_after_a_restart(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.is_down = True
    settings = make_settings("slack")
    async with serve(journal, settings):
        happen.liquidated()
        await until(lambda: receivers.attempts)
    receivers.is_down = False
    async with serve(journal, settings):
        await until(lambda: receivers.taken, 30)
    assert "#slack-1" in receivers.texts[0]


async def test_events_while_nobody_ran_are_told_after_the_start(
    journal, make_settings, serve, happen, receivers, until
):
    settings = make_settings("slack")
    async with serve(journal, settings):
        pass
    happen.exited("night")
    async with serve(journal, settings):
        await until(lambda: receivers.taken)
    assert "night is down" in receivers.texts[0]


async def test_the_past_before_the_first_start_is_no_news(
    journal, make_settings, serve, happen, receivers, until
):
    happen.exited("old")
    async with serve(journal, make_settings("slack")):
        happen.exited("new")
        await until(lambda: receivers.taken)
    assert "old" not in receivers.texts[0]


async def test_messages_for_a_channel_that_is_gone_are_given_up(
    journal, make_settings, serve, happen, receivers, until
):
    receivers.is_down = True
    async with serve(journal, make_settings("slack")):
        happen.liquidated()
        await until(lambda: receivers.attempts)
    receivers.is_down = False
    async with serve(journal, make_settings("telegram")):
        await until(lambda: journal.store.effects("given_up", 10))
    assert journal.store.effects("given_up", 10)[0].kind == kind_of("slack")


async def test_an_event_is_taken_twice_after_a_crash_and_told_once(
    journal, make_settings, serve, happen, receivers, until
):
    settings = make_settings("slack")
    async with serve(journal, settings):
        happen.liquidated()  # a notice: once told it is forgotten
        await until(lambda: journal.search(kind="alert.delivered"))
    # The place in the journal was not saved any more: the event comes again.
    journal.save_offset("alerts", 0).result()
    async with serve(journal, settings):
        happen.exited()
        await until(lambda: len(receivers.taken) == 2)
    assert ["liquidated" in text for text in receivers.texts] == [True, False]
    assert len(journal.search(kind="alert.fired")) == 2
