"""One bot in this process, watched over real HTTP as the supervisor watches, without a supervisor."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from automation.core.clock import SystemClock
from automation.core.model import Identity, ProcessFacts, Wish
from automation.fleet.act import Hands
from automation.fleet.botapi import HttpBotApi, close_session, open_session
from automation.fleet.chronicle import Chronicle
from automation.fleet.credentials import ApiAccess
from automation.fleet.exchange import ExchangeWatch
from automation.fleet.home import Home
from automation.fleet.lookout import Lookout
from automation.fleet.observe import Observer
from automation.fleet.probe import BotProbe
from automation.fleet.site import Site
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit
from automation.fleet.witness import Witness
from automation.testing import FakeBotApi, FakeRunner, fake_trade

TOKEN = "message-token"


def nothing(*_, **__):
    return None


class Watched:
    """One bot that serves trades and says so, watched as the supervisor watches."""

    def __init__(self, api, journal, observer, unit):
        self.api, self.journal, self.observer, self.unit = api, journal, observer, unit

    def told(self, *kinds):
        self.journal.append("test.flush", actor="test", source="test")
        return self.journal.search(kind=kinds, limit=100_000)

    async def until(self, holds, within_s=60.0):
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


@asynccontextmanager
async def watch_bot(journal, folder, fleet, *, poll_s=3600.0, token=TOKEN, exchange="", **times):
    """Watch one bot; `exchange` is the exchange's address, "" for none to be asked."""
    api, clock, session = FakeBotApi(ws_token=TOKEN), SystemClock(), open_session()
    timing = Timing(
        **{
            "poll_s": poll_s, "eager_poll_s": 0.05, "detail_s": 0.0, "request_s": 2.0,
            "startup_s": 0.0, **times,
        }
    )  # fmt: skip
    home, bot, chronicle = Home(folder), fleet.bots[0], Chronicle(journal)
    async with api.serve() as url:
        access = ApiAccess(urlsplit(url).port, password=api.password, ws_token=token)
        unit = Unit(bot.name, access, bot)
        unit.process = ProcessFacts(Identity(1, 1, "fake"), is_alive=True)
        hands = Hands(
            runner=FakeRunner(), site=lambda: Site(fleet, home, Path(), "python"),
            session=session, clock=clock, timing=timing, chronicle=chronicle,
            patience=nothing, others_live=nothing, watch=nothing, check=nothing, save=nothing,
        )  # fmt: skip
        unit.client = HttpBotApi(session, access)
        unit.probe = BotProbe(unit.client, clock, timing)
        units = {bot.name: unit}
        observer = Observer(units, hands, hands.runner, clock, nothing, lambda _: Wish.RUN)
        seen = ExchangeWatch(chronicle, session, clock, lambda: exchange, timing.gauge_s, 2.0)
        witness = Witness(units, lambda: fleet, seen)
        lookout = Lookout(units, chronicle, clock, home, timing, seen, witness)
        async with lookout as observer.lookout:
            observer.watch(unit)
            try:
                yield Watched(api, journal, observer, unit)
            finally:
                unit.watcher.cancel()
                await asyncio.gather(unit.watcher, return_exceptions=True)
                await close_session(session)
