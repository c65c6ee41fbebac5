"""Commands, confirmations and acknowledgements over a server that behaves like Telegram."""

import asyncio
from datetime import UTC, datetime

import pytest

from automation.alerts.channel_settings import Commands
from automation.alerts.channels.http import new_client
from automation.alerts.channels.telegram import TelegramApi
from automation.alerts.commander import Commander
from automation.alerts.receivers import TOKEN
from automation.core.errors import Refusal
from automation.core.model import BotState, BotStatus, FleetStatus, Health
from automation.testing import ManualClock


def bot(name, **rest):
    return BotStatus(
        name=name, strategy="S", mode="dry-run", state=BotState.RUNNING, health=Health.HEALTHY,
        reason="trades", api_url="", balance_usdt=1000.5, profit_usdt=-2.25, open_trades=1,
        closed_trades=7, **rest,
    )  # fmt: skip


class Fleet:
    """Keeps what it was asked, as the supervisor would do it."""

    def __init__(self):
        self.asked = []
        self.bots = (bot("trend"), bot("pulse<b>&_*"))

    async def status(self):
        return FleetStatus(fleet="demo", healthy=True, bots=self.bots, taken_at=datetime.now(UTC))

    async def ask(self, bot, action, actor):
        self.asked.append((action, bot, actor))
        return Refusal(f"{bot} runs already") if action == "start" else f"{bot}: {action} done"

    async def panic(self, actor, *, flatten):
        self.asked.append(("panic", "flatten" if flatten else "", actor))
        return "all 2 bots stopped"


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
async def start(journal, receivers, fleet):
    """Start commanders and stop them at the end."""
    tasks, clock = [], ManualClock(datetime.now(UTC))
    async with new_client() as client:

        def begin(**changes):
            given = {
                "channel": "telegram", "chats": {7: "admin", 8: "viewer", -5: "operator"}, **changes,
            }  # fmt: skip
            api = TelegramApi(client, TOKEN, base_url=receivers.url)
            commander = Commander(
                journal, Commands.model_validate(given), api, fleet, clock=clock, poll_s=1.0
            )
            tasks.append(asyncio.create_task(commander.run()))
            begin.clock = clock
            return commander

        yield begin
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def button(receivers, word):
    """Find a button's data in the newest message that has buttons."""
    for taken in reversed(receivers.taken):
        for row in taken.body.get("reply_markup", {}).get("inline_keyboard", []):
            for one in row:
                if one["text"].startswith(word):
                    return one["callback_data"]
    raise AssertionError(word)


async def test_questions_about_the_fleet_are_answered(start, receivers, until):
    start()
    for text in ("/fleet", "/portfolio@fleetbot", "/bot trend", "/bot nobody", "/start", "/dance"):
        receivers.type_in(text)
    await until(lambda: len(receivers.taken) == 6)
    whole, money, one, nobody, opened, dance = receivers.texts
    assert "🟢 trend running: trades" in whole
    assert "pulse<b>&_*" in whole  # plain text, whatever the name
    assert all("parse_mode" not in taken.body for taken in receivers.taken)
    assert "Together dry-run: 2,001.00 USDT, profit -4.50 USDT" in money
    assert "1 open and 7 closed trades" in one
    assert "there is no bot nobody; there are trend" in nobody
    assert "/panic" in opened
    assert "no command" in dance


async def test_commands_reach_the_fleet_and_the_journal(start, receivers, until, fleet, journal):
    start()
    receivers.type_in("/pause trend", name="Ann\nB")
    receivers.type_in("/start trend")
    await until(lambda: len(receivers.taken) == 2)
    assert fleet.asked == [
        ("pause", "trend", "telegram:7 Ann B"),
        ("start", "trend", "telegram:7 Ann"),
    ]
    assert receivers.texts == ["trend: pause done", "trend runs already"]
    asked = journal.search(kind="telegram.asked")
    assert [event.payload["command"] for event in asked] == ["/pause trend", "/start trend"]
    assert asked[0].address == "telegram:7"
    journal.append("x.y", actor="t", source="t")  # what was posted before is durable now
    assert journal.search(kind="telegram.answered")[0].cause == asked[0].sequence
    assert journal.search(kind="telegram.refused")[0].payload["outcome"] == "trend runs already"


async def test_strangers_get_no_answer_and_are_written_down_once(
    start, receivers, until, fleet, journal
):
    start(users={7: "operator"})
    for _ in range(5):
        receivers.type_in("/stop trend", chat=666, user=666)
        receivers.type_in("/stop trend", chat=7, user=99)
    receivers.type_in("/fleet")
    await until(lambda: receivers.taken)
    assert len(receivers.taken) == 1
    assert fleet.asked == []
    await until(lambda: len(journal.search(kind="telegram.refused")) == 2)


async def test_a_role_is_what_chat_and_person_both_have(start, receivers, until, fleet):
    start(users={7: "viewer", 1: "admin"})
    receivers.type_in("/pause trend", chat=7, user=7)
    receivers.type_in("/pause trend", chat=8, user=1)
    receivers.type_in("/panic", chat=-5, user=1)
    receivers.type_in("/pause trend", chat=-5, user=1)
    await until(lambda: len(receivers.taken) == 4)
    assert [("your role here is" in text) for text in receivers.texts] == [True, True, True, False]
    assert [asked[:2] for asked in fleet.asked] == [("pause", "trend")]


async def test_panic_needs_a_second_yes_of_the_same_person(start, receivers, until, fleet):
    start()
    receivers.type_in("/panic")
    await until(lambda: receivers.taken)
    assert fleet.asked == []
    yes = button(receivers, "Yes")
    receivers.press(yes, user=8)
    await until(lambda: len(receivers.taken) == 2)
    assert receivers.texts[1] == "only who asked can answer this"
    receivers.press(yes)
    await until(lambda: len(receivers.taken) == 3)
    assert receivers.texts[2] == "all 2 bots stopped"
    receivers.press(yes)  # pressed twice
    await until(lambda: len(receivers.taken) == 4)
    assert "no longer open" in receivers.texts[3]
    assert [asked[0] for asked in fleet.asked] == ["panic"]


async def test_panic_says_what_it_would_do_and_flattens_only_when_asked(
    start, receivers, until, fleet
):
    start()
    receivers.type_in("/panic flatten")
    await until(lambda: receivers.taken)
    assert "close ALL POSITIONS" in receivers.texts[0]
    receivers.press(button(receivers, "Yes"))
    await until(lambda: len(receivers.taken) == 2)
    assert fleet.asked == [("panic", "flatten", "telegram:7 Ann")]
    receivers.type_in("/panic please")
    await until(lambda: len(receivers.taken) == 3)
    assert "/panic flatten" in receivers.texts[2]


async def test_a_question_can_be_called_off_and_closes_by_itself(start, receivers, until, fleet):
    start()
    receivers.type_in("/stop all")
    await until(lambda: receivers.taken)
    receivers.press(button(receivers, "No"))
    await until(lambda: len(receivers.taken) == 2)
    assert "called off" in receivers.texts[1]
    receivers.type_in("/stop all")
    await until(lambda: len(receivers.taken) == 3)
    start.clock.advance(61)
    receivers.press(button(receivers, "Yes"))
    await until(lambda: len(receivers.taken) == 4)
    assert "no longer open" in receivers.texts[3]
    assert fleet.asked == []
    receivers.type_in("/stop all")
    await until(lambda: len(receivers.taken) == 5)
    receivers.press(button(receivers, "Yes"))
    await until(lambda: len(receivers.taken) == 6)
    assert [asked[:2] for asked in fleet.asked] == [("stop", "trend"), ("stop", "pulse<b>&_*")]


async def test_a_command_is_done_once_even_when_telegram_tells_it_again(
    start, receivers, until, fleet
):
    first = start()
    receivers.type_in("/pause trend")
    await until(lambda: receivers.taken)
    # Killed before the next getUpdates could confirm: Telegram keeps the update.
    kept = list(receivers.updates)
    start()
    receivers.updates.extendleft(one for one in kept if one not in receivers.updates)
    receivers.type_in("/fleet")
    await until(lambda: len(receivers.taken) >= 2)
    assert first is not None
    assert len(fleet.asked) == 1


async def test_a_button_below_an_alert_acknowledges_it(
    start, journal, channels, make_settings, serve, happen, receivers, until
):
    commands = {"channel": "telegram", "chats": {7: "operator"}}
    settings = make_settings("telegram", commands=commands)
    async with serve(journal, settings) as service:
        start()
        happen.exited("m")
        await until(lambda: receivers.taken)
        data = button(receivers, "Acknowledge")
        assert data == "ack:telegram-1"
        receivers.press(data, name="Ann")
        await until(lambda: any(a.acked_by for a in service.state.alerts.values()))
        [alert] = service.state.alerts.values()
        assert alert.acked_by == "telegram:7 Ann"
        await until(lambda: len(receivers.taken) == 2)
    assert receivers.texts[1] == "Ann takes care of 1 alert."
    methods = [method for method, _ in receivers.calls]
    assert "answerCallbackQuery" in methods
    assert "editMessageReplyMarkup" in methods


async def test_what_was_typed_while_nobody_listened_is_no_longer_done(
    start, receivers, until, fleet
):
    receivers.type_in("/stop trend", ago_s=3600)
    receivers.type_in("/panic", ago_s=600)
    receivers.type_in("/fleet", ago_s=600)
    receivers.type_in("/pause trend", ago_s=60)
    start()
    await until(lambda: len(receivers.taken) == 4)
    assert "asked 60 minutes ago" in receivers.texts[0]
    assert "asked 10 minutes ago" in receivers.texts[1]
    assert "trend running" in receivers.texts[2]
    assert [asked[:2] for asked in fleet.asked] == [("pause", "trend")]
