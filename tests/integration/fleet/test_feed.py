"""A bot's messages over a real websocket that is cut, stalls and comes back, beside a real poll."""

import asyncio
import random

import pytest

from automation.fleet import feed
from automation.testing import fake_trade

from .watched import TOKEN, watch_bot


@pytest.fixture
def watching(flight):
    """Watch one bot; polls as seldom as a test wants, so that messages can be told from polls."""

    def watch(poll_s=3600.0, token=TOKEN):
        return watch_bot(flight.journal, flight.home, flight.fleet(), poll_s=poll_s, token=token)

    return watch


async def test_what_a_bot_says_is_told_without_a_poll(watching):
    async with watching() as bot:
        await bot.until_heard()
        await bot.opens(1)
        await bot.until(lambda: len(bot.told("trade.opened")) == 1)
        await bot.closes(1)
        await bot.until(lambda: len(bot.told("trade.closed")) == 1)
        await bot.api.say({"type": "warning", "status": "the exchange is slow"})
        await bot.until(lambda: bot.told("bot.said"))


async def test_after_a_cut_the_bot_is_looked_at_before_anything_else(watching):
    async with watching() as bot:
        await bot.until_heard()
        bot.api.cut()
        bot.api.open_trades.append(fake_trade(1))  # said while nobody heard
        await bot.until(lambda: len(bot.told("trade.opened")) == 1)
        await bot.opens(2)
        await bot.until(lambda: len(bot.told("trade.opened")) == 2)


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
        await bot.until(lambda: len(bot.told("trade.opened")) == 1)
        await bot.until(lambda: first not in bot.api.listeners)


async def test_a_wrong_token_leaves_the_poll(watching):
    async with watching(0.1, token="wrong") as bot:
        await bot.until(lambda: bot.unit.book is not None)
        await bot.opens(1)
        await bot.until(lambda: len(bot.told("trade.opened")) == 1)
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
