"""A bot's messages over a real websocket that is cut, stalls and comes back, beside a real poll."""

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from automation.core.clock import SystemClock
from automation.core.config import Bot
from automation.core.model import Wish
from automation.fleet import feed
from automation.fleet.act import Hands
from automation.fleet.botapi import HttpBotApi, close_session, open_session
from automation.fleet.chronicle import Chronicle
from automation.fleet.credentials import ApiAccess
from automation.fleet.home import Home
from automation.fleet.observe import Observer
from automation.fleet.probe import BotProbe
from automation.fleet.site import Site
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit
from automation.testing import FakeBotApi, FakeRunner, fake_trade

TOKEN = "message-token"


def nothing(*_, **__):
    return None


class Watched:
    """One bot that serves trades and says so, watched as the supervisor watches."""

    def __init__(self, api, journal, observer, unit, poll_s):
        self.api, self.journal, self.observer, self.unit = api, journal, observer, unit
        self.poll_s = poll_s

    def told(self, *kinds):
        self.journal.append("test.flush", actor="test", source="test")
        return self.journal.search(kind=kinds, limit=100_000)

    async def until(self, holds, within_s=20.0):
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_heard(self):
        await self.until(lambda: self.unit.book is not None)
        await self.until(lambda: any(self.api.listeners.values()))

    async def opens(self, number):
        trade = fake_trade(number)
        self.api.open_trades.append(trade)
        await self.api.say(as_message(trade))

    async def closes(self, number):
        trade = fake_trade(number, closed=True)
        self.api.open_trades = [t for t in self.api.open_trades if t["trade_id"] != number]
        self.api.closed_trades.insert(0, trade)
        await self.api.say(as_message(trade))


def as_message(trade):
    def date(name):
        return datetime.fromtimestamp(trade[name] / 1000, UTC).isoformat()

    message = {
        **{name: trade[name] for name in ("trade_id", "pair", "leverage", "amount", "open_rate")},
        "type": "entry_fill", "direction": "Long", "stake_amount": trade["stake_amount"],
        "enter_tag": trade["enter_tag"], "open_date": date("open_timestamp"), "sub_trade": False,
    }  # fmt: skip
    if not trade["is_open"]:
        message |= {
            "type": "exit_fill", "close_date": date("close_timestamp"), "is_final_exit": True,
            "close_rate": trade["close_rate"], "cumulative_profit": trade["close_profit_abs"],
            "final_profit_ratio": trade["close_profit"], "exit_reason": trade["exit_reason"],
        }  # fmt: skip
    return message


@pytest.fixture
def watching(flight):
    """Watch one bot; polls as seldom as a test wants, so that messages can be told from polls."""

    @asynccontextmanager
    async def watch(poll_s=3600.0, token=TOKEN):
        api = FakeBotApi(ws_token=TOKEN)
        clock, session = SystemClock(), open_session()
        timing = Timing(
            poll_s=poll_s, eager_poll_s=0.05, detail_s=0.0, request_s=2.0, startup_s=0.0
        )
        fleet = flight.fleet()
        home = Home(flight.home)
        async with api.serve() as url:
            access = ApiAccess(urlsplit(url).port, password=api.password, ws_token=token)
            bot: Bot = fleet.bots[0]
            unit = Unit(bot.name, access, bot)
            hands = Hands(
                runner=FakeRunner(), site=lambda: Site(fleet, home, Path(), "python"),
                session=session, clock=clock, timing=timing, chronicle=Chronicle(flight.journal),
                patience=nothing, others_live=nothing, watch=nothing, save=nothing,
            )  # fmt: skip
            unit.client = HttpBotApi(session, access)
            unit.probe = BotProbe(unit.client, clock, timing)
            observer = Observer(
                {bot.name: unit}, hands, hands.runner, clock, nothing, lambda _: Wish.RUN
            )
            observer.watch(unit)
            try:
                yield Watched(api, flight.journal, observer, unit, poll_s)
            finally:
                unit.watcher.cancel()
                await asyncio.gather(unit.watcher, return_exceptions=True)
                await close_session(session)

    return watch


async def test_what_a_bot_says_is_told_without_a_poll(watching):
    async with watching() as bot:
        await bot.until_heard()
        await bot.opens(1)
        await bot.until(lambda: len(bot.told("trade.opened")) == 1, 2.0)
        await bot.closes(1)
        await bot.until(lambda: len(bot.told("trade.closed")) == 1, 2.0)
        await bot.api.say({"type": "warning", "status": "the exchange is slow"})
        await bot.until(lambda: bot.told("bot.said"), 2.0)


async def test_after_a_cut_the_bot_is_looked_at_before_anything_else(watching):
    async with watching() as bot:
        await bot.until_heard()
        bot.api.cut()
        bot.api.open_trades.append(fake_trade(1))  # said while nobody heard
        await bot.until(lambda: len(bot.told("trade.opened")) == 1, 5.0)
        await bot.opens(2)
        await bot.until(lambda: len(bot.told("trade.opened")) == 2, 2.0)


async def test_a_stalled_connection_is_given_up_and_made_anew(watching, monkeypatch):
    monkeypatch.setattr(feed, "PING_S", 0.4)
    monkeypatch.setitem(feed.MessageFeed.__init__.__kwdefaults__, "ping_s", 0.4)
    async with watching() as bot:
        await bot.until_heard()
        (first,) = bot.api.listeners
        bot.api.is_mute = True
        bot.api.open_trades.append(fake_trade(1))
        await asyncio.sleep(1.0)
        bot.api.is_mute = False
        await bot.until(lambda: len(bot.told("trade.opened")) == 1, 8.0)
        await bot.until(lambda: first not in bot.api.listeners, 2.0)


async def test_a_wrong_token_leaves_the_poll(watching):
    async with watching(0.1, token="wrong") as bot:
        await bot.until(lambda: bot.unit.book is not None)
        await bot.opens(1)
        await bot.until(lambda: len(bot.told("trade.opened")) == 1, 5.0)
        assert not any(bot.api.listeners.values())


async def test_more_closed_trades_than_one_answer_holds_are_all_told(watching):
    async with watching(0.1) as bot:
        await bot.until_heard()
        closed = [fake_trade(number, closed=True) for number in range(1, 1301)]
        bot.api.closed_trades = closed[::-1]
        await bot.until(lambda: len(bot.told("trade.closed")) == 1300)
        await asyncio.sleep(0.3)
        numbers = [event.payload["trade_id"] for event in bot.told("trade.closed")]
        assert sorted(numbers) == list(range(1, 1301))


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_breaks_each_trade_is_told_once(watching, monkeypatch, seed):
    """Cuts, stalls and lost messages at random; in the end the journal equals the bot's trades."""
    monkeypatch.setitem(feed.MessageFeed.__init__.__kwdefaults__, "ping_s", 0.3)
    chance = random.Random(seed)
    async with watching(0.25) as bot:
        await bot.until_heard()
        open_now, number = [], 0
        for _ in range(120):
            what = chance.random()
            if what < 0.45:
                number += 1
                open_now.append(number)
                await bot.opens(number)
            elif what < 0.8 and open_now:
                await bot.closes(open_now.pop(chance.randrange(len(open_now))))
            elif what < 0.9:
                bot.api.cut()
            else:
                bot.api.is_mute = not bot.api.is_mute
            await asyncio.sleep(chance.random() * 0.04)
        bot.api.is_mute = False
        closed = {trade["trade_id"] for trade in bot.api.closed_trades}
        await bot.until(lambda: len(bot.told("trade.closed")) >= len(closed))
        await bot.until(lambda: len(bot.told("trade.opened")) >= number)
        await asyncio.sleep(0.6)
        opened = [event.payload["trade_id"] for event in bot.told("trade.opened")]
        told = [event.payload["trade_id"] for event in bot.told("trade.closed")]
        assert sorted(opened) == list(range(1, number + 1))
        assert sorted(told) == sorted(closed)
        assert len({(e.payload["trade_id"], e.payload["opened_ms"])
                    for e in bot.told("trade.closed")}) == len(told)  # fmt: skip
