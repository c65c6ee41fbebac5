"""An account hears every event of the exchange that concerns it, in the exchange's order."""

import asyncio

import aiohttp
import ccxt.async_support
import orjson
import pytest

from automation.simulator import Simulator, Trading, account, ccxt_config, open_market
from automation.simulator.streams.user_messages import user_messages

PAIR = "BTC/USDT:USDT"


@pytest.fixture
async def sim():
    trading = Trading(
        [account("alice", "key-a", "sec-a", 10_000), account("bob", "key-b", "sec-b", 9_000)]
    )
    async with Simulator(open_market(11), trading=trading) as running:
        yield running


@pytest.fixture
async def clients(sim):
    made = [
        ccxt.async_support.binanceusdm(ccxt_config(sim.url) | {"apiKey": key, "secret": secret})
        for key, secret in (("key-a", "sec-a"), ("key-b", "sec-b"))
    ]
    for each in made:
        await each.load_markets()
    yield made
    for each in made:
        await each.close()


async def listen(sim, client, heard):
    key = (await client.fapiPrivatePostListenKey())["listenKey"]
    url = sim.url.replace("http", "ws") + f"/ws/{key}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        async for message in socket:
            heard.append(orjson.loads(message.data))


async def trade(client, number):
    await client.set_leverage(5 + number, PAIR)
    last = (await client.fetch_ticker(PAIR))["last"]
    resting = await client.create_order(PAIR, "limit", "buy", 0.01, round(last * 0.97))
    await client.create_order(PAIR, "market", "buy", 0.02)
    stop = {"stopPrice": round(last * 0.9), "reduceOnly": True}
    await client.create_order(PAIR, "STOP_MARKET", "sell", 0.02, None, stop)
    await client.cancel_order(resting["id"], PAIR)
    await client.create_order(PAIR, "market", "sell", 0.02, None, {"reduceOnly": True})


async def test_everything_once_in_order_and_nothing_of_others(sim, clients):
    exchange, told = sim.desk.exchange, []
    exchange.subscribe(told.append)
    heard = [[], []]
    listening = [
        asyncio.create_task(listen(sim, client, mine))
        for client, mine in zip(clients, heard, strict=True)
    ]
    await asyncio.sleep(0.5)
    await asyncio.gather(*(trade(client, number) for number, client in enumerate(clients)))
    await asyncio.sleep(0.3)
    for task in listening:
        task.cancel()
    for name, mine in zip(("alice", "bob"), heard, strict=True):
        expected = [
            orjson.loads(payload)
            for event in told
            if event.account == name
            for payload in user_messages(event, exchange.contracts)
        ]
        assert mine == expected
        assert {each["e"] for each in mine} >= {
            "ORDER_TRADE_UPDATE",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ACCOUNT_CONFIG_UPDATE",
            "ALGO_UPDATE",
        }
        wallet = [each["a"]["B"][0]["wb"] for each in mine if each["e"] == "ACCOUNT_UPDATE"][-1]
        assert round(float(wallet) * 1e8) == exchange.accounts[name].wallet
