"""Panic on bots over real HTTP, with a supervisor and without one."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from automation.core.model import Wish
from automation.fleet import panic as room
from automation.fleet.credentials import ApiAccess
from automation.fleet.panic import panic
from automation.testing import FakeBotApi, fake_trade


def trade_with_orders(number):
    order = {"order_id": f"o{number}", "ft_order_side": "buy", "is_open": True}
    stop = {"order_id": f"s{number}", "ft_order_side": "stoploss", "is_open": True}
    return fake_trade(number) | {"orders": [order, stop]}


async def test_entries_stop_on_every_bot_and_the_wish_lasts(flight):
    fleet = flight.fleet("FakeStrategy", "FakeStrategy")
    async with flight.up(fleet) as supervisor:
        await flight.until_healthy(supervisor)
        outcomes = await panic(flight.home, flight.journal, actor="ann")
        assert {one.bot: one.facts.entries_stopped for one in outcomes} == {
            "bot-a": True,
            "bot-b": True,
        }
        assert all(one.is_whole for one in outcomes), [one.sentence for one in outcomes]
        await flight.until(supervisor, lambda s: {b.state for b in s.bots} == {"paused"})
        wishes = {unit.wish for unit in supervisor._units.values() if unit.bot is not None}
        assert wishes == {Wish.PAUSE}
    (asked,) = flight.events("fleet.panic")
    assert (asked.actor, asked.payload) == ("ann", {"bots": 2, "flatten": False})
    assert len(flight.events("bot.panic")) == 2


async def test_a_bot_that_is_down_comes_up_paused(flight):
    fleet = flight.fleet("FakeStrategy", "DiesAtStart")
    async with flight.up(fleet) as supervisor:
        await flight.until(supervisor, lambda s: s.bots[0].health == "healthy")
        await panic(flight.home, flight.journal, actor="ann")
        await flight.until(supervisor, lambda s: s.bots[0].state == "paused")
        assert supervisor._units["bot-b"].wish is Wish.PAUSE


@pytest.fixture
def bots(flight, monkeypatch):
    """Serve bots in this process; the state folder knows them and no supervisor runs."""

    @asynccontextmanager
    async def serve(*apis):
        names = [f"bot-{n}" for n in range(len(apis))]
        accesses = {}
        monkeypatch.setattr(room.Home, "known_bots", lambda _: tuple(names))
        monkeypatch.setattr(room, "living", lambda _: object())
        monkeypatch.setattr(room, "read_access", lambda folder: accesses[folder.name])
        async with asyncio.TaskGroup(), _all(apis) as urls:
            for name, api, url in zip(names, apis, urls, strict=True):
                accesses[name] = ApiAccess(urlsplit(url).port, password=api.password)
            yield

    return serve


@asynccontextmanager
async def _all(apis):
    if not apis:
        yield []
        return
    async with apis[0].serve() as url, _all(apis[1:]) as others:
        yield [url, *others]


async def test_orders_go_and_stops_stay(flight, bots):
    api = FakeBotApi(open_trades=[trade_with_orders(1), fake_trade(2)])
    async with bots(api):
        (done,) = await panic(flight.home, flight.journal, actor="ann")
    assert (done.facts.orders_cancelled, done.facts.exits_asked) == (1, 0)
    assert [a for a in api.asked if a.startswith("DELETE")] == ["DELETE trades/1/open-order"]
    assert api.state == "paused"
    assert len(api.open_trades) == 2


async def test_positions_go_only_when_asked(flight, bots):
    api = FakeBotApi(open_trades=[trade_with_orders(1), fake_trade(2)])
    async with bots(api):
        (done,) = await panic(flight.home, flight.journal, actor="ann", flatten=True)
    assert (done.facts.exits_asked, api.open_trades) == (2, [])
    assert "2 positions are being closed" in done.sentence


async def test_a_bot_that_hangs_holds_up_no_other_and_is_named(flight, bots, monkeypatch):
    monkeypatch.setattr(room, "REQUEST_S", 0.3)
    hung, well = FakeBotApi(hangs=True), FakeBotApi(open_trades=[trade_with_orders(1)])
    async with bots(hung, well):
        first, second = await panic(flight.home, flight.journal, actor="ann")
    assert second.is_whole
    assert second.facts.entries_stopped
    assert not first.is_whole
    assert "ENTRIES NOT STOPPED" in first.sentence
    assert {e.bot for e in flight.events("bot.panic")} == {"bot-0", "bot-1"}
