"""Whether stops stand, asked of a simulated exchange over HTTP with a key that may only read."""

from dataclasses import replace

import ccxt.async_support
import pytest

from automation.core.clock import SystemClock
from automation.core.config import Fleet
from automation.core.model import ApiFacts, Health, Identity, ProcessFacts, UnitSnapshot
from automation.core.vitals import Rung
from automation.fleet.botapi import HttpBotApi, close_session, open_session
from automation.fleet.chronicle import Chronicle
from automation.fleet.credentials import ApiAccess
from automation.fleet.exchange import ExchangeWatch
from automation.fleet.ladder import answers
from automation.fleet.ladder.climb import climb
from automation.fleet.probe import BotProbe
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit
from automation.fleet.witness import Witness
from automation.journal import Journal
from automation.simulator import Simulator, Trading, account, ccxt_config, open_market

PAIR, AMOUNT = "BTC/USDT:USDT", 0.02
CONFIG = {"dry_run": False, "stoploss_on_exchange": True}
STOP = {"order_id": "s1", "ft_order_side": "stoploss", "is_open": True}
CLAIM = {
    "trade_id": 7, "pair": PAIR, "open_timestamp": 1, "open_fill_timestamp": 1, "is_short": False,
    "amount": AMOUNT, "orders": [STOP],
}  # fmt: skip
"""What the bot claims: a trade that has its stop."""


@pytest.fixture
async def sim():
    spec = replace(account("main", "trades", "s", 10_000), read_keys=(("reads", "r"),))
    async with Simulator(open_market(11), trading=Trading([spec])) as running:
        yield running


@pytest.fixture
async def trader(sim):
    """The account, as its owner acts on it."""
    settings = ccxt_config(sim.url) | {"apiKey": "trades", "secret": "s"}
    client = ccxt.async_support.binanceusdm(settings)
    await client.load_markets()
    yield client
    await client.close()


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("r")
    monkeypatch.setenv("READ_KEY", "reads")
    return {"read_key": "env:READ_KEY", "read_secret": f"file:{tmp_path / 'secret'}"}


class Scene:
    """One live bot, and the witness of its account."""

    def __init__(self, sim, session, journal, keys) -> None:
        api = HttpBotApi(session, ApiAccess(1), 1.0)
        self.probe = BotProbe(api, SystemClock(), Timing())
        bot = {"name": "bot", "strategy": "S", "mode": "live", "account": "main", "capital_usdt": 9}
        main = {"key": "env:K", "secret": "env:S", "capital_usdt": 100, **keys}
        self.fleet = Fleet.model_validate(
            {"fleet": "f", "exchange": {"accounts": {"main": main}}, "bots": [bot]}
        )
        self.unit = Unit("bot", ApiAccess(1), self.fleet.bots[0], probe=self.probe)
        chronicle = Chronicle(journal)
        self.exchange = ExchangeWatch(chronicle, session, SystemClock(), lambda: sim.url)
        self.witness = Witness({"bot": self.unit}, lambda: self.fleet, self.exchange)

    def claim(self, *trades) -> None:
        vitals = answers.with_config(self.probe.vitals, CONFIG)
        now_s = self.exchange.clock.monotonic()
        self.probe.vitals = answers.with_trades(vitals, trades, now_s)

    async def look(self, times: int = 1):
        """Look, and judge the rung as the ladder does."""
        for _ in range(times):
            await self.witness.look()
        now_s = self.exchange.clock.monotonic()
        alive = ProcessFacts(Identity(1, 1, ""), is_alive=True)
        api = ApiFacts(answered_s=now_s, trader="running", looped_epoch_s=1.8e9)
        unit = UnitSnapshot("bot", process=alive, api=api, vitals=self.probe.vitals)
        found = climb(unit, Timing(), now_s=now_s, now_epoch_s=1.8e9)
        return next(finding for finding in found if finding.rung is Rung.STOPS)


@pytest.fixture
async def scene(sim, secrets):
    session = open_session()
    with Journal.in_memory() as journal:
        made = Scene(sim, session, journal, secrets)
        made.claim(CLAIM)
        yield made
    await close_session(session)


async def place_stop(trader, amount=AMOUNT, side="sell", **more):
    last = (await trader.fetch_ticker(PAIR))["last"]
    rate = round(last * (0.9 if side == "sell" else 1.1))
    asked = {"stopPrice": rate, "reduceOnly": True} | more
    return await trader.create_order(PAIR, "STOP_MARKET", side, amount, None, asked)


async def test_a_claimed_stop_that_is_not_there_is_found_on_the_second_look(scene, trader):
    await trader.create_order(PAIR, "market", "buy", AMOUNT)
    first = await scene.look()
    assert first.health is Health.HEALTHY  # it may be on its way from one order to the next
    found = await scene.look()
    assert (found.health, found.is_due) == (Health.UNHEALTHY, True)
    assert found.evidence == (
        f"no stop stands at the exchange for {PAIR}, as the exchange says, "
        "though the bot reports one"
    )
    await place_stop(trader)
    well = await scene.look()
    assert (well.health, well.evidence) == (
        Health.HEALTHY,
        "1 open trades have theirs, as the exchange says",
    )


async def test_a_stop_counts_only_for_what_it_closes(scene, trader):
    await trader.create_order(PAIR, "market", "buy", AMOUNT)
    await place_stop(trader, AMOUNT / 2)
    assert (await scene.look(2)).is_due  # half of it is bare
    await place_stop(trader, AMOUNT / 2)
    assert (await scene.look()).health is Health.HEALTHY
    scene.claim(CLAIM | {"is_short": True})
    assert (await scene.look(2)).is_due  # a stop of the other side guards nothing


async def test_a_conditional_entry_is_no_stop(scene, trader):
    await trader.create_order(PAIR, "market", "buy", AMOUNT)
    await place_stop(trader, reduceOnly=False)
    assert (await scene.look(2)).is_due


async def test_what_the_bot_does_not_know_is_missing_all_the_same(scene, trader):
    await trader.create_order(PAIR, "market", "buy", AMOUNT)
    await place_stop(trader)
    scene.claim(CLAIM | {"orders": []})
    assert (await scene.look()).evidence.endswith("as the bot reports")


async def test_nobody_asks_while_no_trade_is_open_or_no_key_was_given(scene, sim):
    scene.claim()
    assert (await scene.look()).evidence == "no trade is open"
    assert scene.probe.vitals.at_exchange is None
    scene.claim(CLAIM)
    exchange = scene.fleet.exchange
    main = exchange.accounts["main"].model_copy(update={"read_key": None})
    exchange = exchange.model_copy(update={"accounts": {"main": main}})
    scene.fleet = scene.fleet.model_copy(update={"exchange": exchange})
    assert (await scene.look()).evidence.endswith("as the bot reports")
    assert scene.probe.vitals.at_exchange is None


async def test_a_key_that_is_refused_leaves_the_word_to_the_bot(scene, sim):
    sim.desk.keys.revoked.add("reads")
    found = await scene.look(2)
    assert found.health is Health.HEALTHY
    assert "the exchange was not asked: it refuses the read-only key: Invalid API" in found.evidence


async def test_a_secret_that_is_missing_is_told(scene, monkeypatch):
    monkeypatch.delenv("READ_KEY")
    assert "READ_KEY" in (await scene.look()).evidence


async def test_an_exchange_that_bans_or_is_near_its_limit_is_not_asked(scene):
    scene.exchange.heard(200, {"X-MBX-USED-WEIGHT-1M": "1700"}, b"[]")
    assert "near its request limit" in (await scene.look()).evidence
    assert [used for _, used in scene.exchange._used] == [1700]  # or its answer would be noted
    scene.exchange._used.clear()
    scene.exchange.heard(418, {"Retry-After": "60"}, b"{}")
    assert "it has banned this address" in (await scene.look()).evidence
    assert not scene.exchange._used


async def test_an_exchange_that_is_gone_leaves_the_word_to_the_bot(scene):
    scene.exchange.address = lambda: "http://127.0.0.1:1"
    assert "no connection" in (await scene.look()).evidence


async def test_what_the_exchange_says_of_this_address_is_noted(scene):
    await scene.look()
    assert scene.exchange._used[-1][1] >= 1


async def test_a_key_that_may_only_read_cannot_trade(sim):
    settings = ccxt_config(sim.url) | {"apiKey": "reads", "secret": "r"}
    client = ccxt.async_support.binanceusdm(settings)
    try:
        await client.load_markets()
        assert await client.fapiPrivateGetOpenAlgoOrders() == []
        with pytest.raises(ccxt.async_support.BaseError, match="-2015"):
            await client.create_order(PAIR, "market", "buy", AMOUNT)
    finally:
        await client.close()
