"""Each stream has the keys and the types of Binance's documented and recorded messages."""

import asyncio
import gzip
import itertools
import json
import re

import aiohttp
import ccxt.async_support
import pytest

from automation.simulator import Simulator, Trading, account, ccxt_config, open_market
from automation.simulator.streams.user_messages import force_order, user_messages
from automation.simulator.trading import events

NET = "binance_net_usdm/Subscriptions/UsdFutures"
WS, RUST = "nautilus_binance/ws/ws_futures", "nautilus_binance/rust_test_data"
MARKET = {
    "btcusdt@kline_1m": (f"{NET}/Klines.txt", f"{RUST}/market_data_json/kline_stream_open.json"),
    "btcusdt_perpetual@continuousKline_1m": (f"{NET}/ContKlines.txt",),
    "btcusdt@markPrice@1s": (
        f"{NET}/MarkPrice.txt",
        f"{RUST}/market_data_json/mark_price_stream.json",
    ),
    "btcusdt@bookTicker": (f"{NET}/BookTicker.txt", f"{WS}_book_ticker.json"),
    "btcusdt@aggTrade": (f"{NET}/AggTrades.txt", f"{RUST}/market_data_json/agg_trade_stream.json"),
    "btcusdt@ticker": (f"{NET}/Ticker.txt", f"{WS}_ticker_24hr.json"),
    "btcusdt@miniTicker": (f"{NET}/MiniTicker.txt",),
    "btcusdt@depth5@100ms": (f"{NET}/PartialBook.txt", f"{WS}_depth_update.json"),
    "btcusdt@depth@100ms": (f"{NET}/Book.txt", f"{WS}_depth_diff_update.json"),
}
USER = {
    "ORDER_TRADE_UPDATE": (f"{NET}/OrderUpdate.txt",),
    "ACCOUNT_UPDATE": (f"{NET}/AccountUpdate.txt",),
    "ACCOUNT_CONFIG_UPDATE": (f"{NET}/Leverage.txt",),
    "TRADE_LITE": (f"{NET}/TradeUpdate.txt",),
    "ALGO_UPDATE": (f"{WS}_algo_update_triggering.json",),
}
NEWER = {"st", "ps"}  # beside the data since 2026, in some recordings
TRAILING = {"AP", "cr"}  # told of trailing stops only


def load(path):
    text = path.read_text()
    if path.suffix == ".txt":  # what was asked and answered, then the message
        text = text.split("\n=", 1)[1]
    body = json.loads(re.sub(r"\s*//.*", "", text))
    return body.get("data", body)


def shape(value):
    """Keys and types, all the way down; of lists the first entry."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


@pytest.fixture
async def sim():
    trading = Trading([account("alice", "key-a", "secret-a", 10_000)])
    async with Simulator(open_market(11), trading=trading) as running:
        yield running


async def hear(sim, path, wanted, found):
    """Collect the first message of each kind."""
    base = sim.url.replace("http", "ws")
    async with aiohttp.ClientSession() as session, session.ws_connect(base + path) as socket:
        async for message in socket:
            body = json.loads(message.data)
            data = body.get("data", body)
            found.setdefault(body.get("stream", data["e"]), data)
            if wanted <= set(found):
                return


@pytest.mark.fixtures
@pytest.mark.parametrize("prefix", ["", "/market", "/public"])
async def test_market_streams(sim, fixtures_dir, prefix):
    found = {}
    path = f"{prefix}/stream?streams={'/'.join(MARKET)}"
    await asyncio.wait_for(hear(sim, path, set(MARKET), found), 20)
    for stream, names in MARKET.items():
        for name in names:
            recorded = load(fixtures_dir / name)
            if not name.startswith(NET):
                recorded = {k: v for k, v in recorded.items() if k not in NEWER}
            assert shape(found[stream]) == shape(recorded), name


@pytest.mark.fixtures
async def test_market_streams_read_like_the_recorded_ones(sim, fixtures_dir):
    recorded, found = {}, {}
    with gzip.open(fixtures_dir / "binance_ws_raw" / "btcusdt_20240808.gz") as lines:
        for line in itertools.islice(lines, 200):
            body = json.loads(line.partition(b" ")[2])
            if "stream" in body:
                recorded.setdefault(body["stream"], body["data"])
    assert len(recorded) == 3
    path = f"/stream?streams={'/'.join(recorded)}"
    await asyncio.wait_for(hear(sim, path, set(recorded), found), 20)
    assert {name: shape(each) for name, each in found.items()} == {
        name: shape(each) for name, each in recorded.items()
    }


@pytest.mark.fixtures
@pytest.mark.parametrize("path", ["/ws/{}", "/private/ws?listenKey={}", "/stream?streams={}"])
async def test_user_data(sim, fixtures_dir, path):
    api = ccxt.async_support.binanceusdm(
        ccxt_config(sim.url) | {"apiKey": "key-a", "secret": "secret-a"}
    )
    found = {}
    try:
        await api.load_markets()
        key = (await api.fapiPrivatePostListenKey())["listenKey"]
        hearing = asyncio.create_task(hear(sim, path.format(key), set(USER), found))
        await asyncio.sleep(0.3)
        pair = "BTC/USDT:USDT"
        await api.set_leverage(7, pair)
        await api.create_order(pair, "market", "buy", 0.02)
        price = round((await api.fetch_ticker(pair))["last"] * 0.9)
        await api.create_order(
            pair, "STOP_MARKET", "sell", 0.02, None, {"stopPrice": price, "reduceOnly": True}
        )
        if path.startswith("/stream"):  # every kind of event is told under the listen key
            await asyncio.sleep(0.5)
            assert set(found) == {key}
            hearing.cancel()
            return
        await asyncio.wait_for(hearing, 20)
    finally:
        await api.close()
    for event, names in USER.items():
        for name in names:
            recorded = load(fixtures_dir / name)
            if event == "ORDER_TRADE_UPDATE":
                recorded["o"] = {k: v for k, v in recorded["o"].items() if k not in TRAILING}
            assert shape(found[event]) == shape(recorded), name


@pytest.mark.fixtures
async def test_margin_calls_and_forced_orders(sim, fixtures_dir):
    contracts = sim.desk.exchange.contracts
    line = events.EndangeredPosition("BTCUSDT", 1327, "cross", 0, 18_717_127_000, -116, 161)
    call = events.MarginCall(1, 1_587_727_187_525, "alice", 316_812_045, (line,))
    (body,) = user_messages(call, contracts)
    assert shape(json.loads(body)) == shape(load(fixtures_dir / f"{NET}/MarginUpdate.txt"))
    taken = events.Liquidation(2, 1_568_014_460_893, "alice", "BTCUSDT", 7, "SELL", 14, 99_100)
    found = {}
    hearing = asyncio.create_task(hear(sim, "/ws/btcusdt@forceOrder", {"forceOrder"}, found))
    await asyncio.sleep(0.3)
    sim.hub.tell_public(["btcusdt@forceOrder"], force_order(taken, contracts["BTCUSDT"]))
    await asyncio.wait_for(hearing, 30)
    assert shape(found["forceOrder"]) == shape(load(fixtures_dir / f"{NET}/Liquidations.txt"))
