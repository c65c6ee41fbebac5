"""ccxt's unmodified `binanceusdm` of ccxt.pro listens to the simulator's streams."""

import asyncio
from datetime import UTC, datetime

import ccxt.pro
import pytest

from automation.simulator import Simulator, Trading, account, ccxt_config, open_market

PAIR, OTHER = "BTC/USDT:USDT", "ETH/USDT:USDT"
AT = datetime(2024, 8, 5, 3, tzinfo=UTC)
KEYS = {"apiKey": "key-a", "secret": "secret-a"}


@pytest.fixture
async def sim():
    trading = Trading([account("alice", "key-a", "secret-a", 10_000)])
    async with Simulator(open_market(11), at=AT, trading=trading) as running:
        yield running


@pytest.fixture
async def api(sim):
    made = ccxt.pro.binanceusdm(ccxt_config(sim.url) | KEYS)
    await made.load_markets()
    yield made
    await made.close()


def soon(coroutine, within_s=15):
    return asyncio.wait_for(coroutine, within_s)


async def test_candles_are_those_of_rest(api):
    rows = await soon(api.watch_ohlcv(PAIR, "1m"))
    (row,) = [each for each in await api.fetch_ohlcv(PAIR, "1m", limit=2) if each[0] == rows[-1][0]]
    assert rows[-1][1] == row[1]
    assert row[3] <= rows[-1][3] <= rows[-1][4] <= rows[-1][2] <= row[2]
    both = await soon(api.watch_ohlcv_for_symbols([[PAIR, "5m"], [OTHER, "1h"]]))
    assert both
    await soon(api.un_watch_ohlcv(PAIR, "1m"))


async def test_the_book_that_ccxt_rebuilds_is_that_of_rest(sim, api):
    book = await soon(api.watch_order_book(PAIR))
    compared = 0
    for _ in range(60):
        book = await soon(api.watch_order_book(PAIR))
        rest = await api.fetch_order_book(PAIR, 1000)
        if rest["nonce"] != book["nonce"]:
            continue
        assert [list(each) for each in book["bids"]][:500] == rest["bids"][:500]
        assert [list(each) for each in book["asks"]][:500] == rest["asks"][:500]
        compared += 1
    assert compared >= 5


async def test_trades_are_those_of_rest(api):
    first = await soon(api.watch_trades(PAIR))
    later = await soon(api.watch_trades(PAIR))
    known = {each["id"]: each for each in await api.fetch_trades(PAIR, limit=50)}
    for each in (*first, *later):
        row = known[each["id"]]
        for name in ("price", "amount", "side", "timestamp"):
            assert each[name] == row[name]


async def test_tickers_bids_asks_and_mark_prices(api):
    one = await soon(api.watch_ticker(PAIR))
    assert one["low"] <= one["last"] <= one["high"]
    assert one["baseVolume"] > 0
    assert PAIR in await soon(api.watch_tickers([PAIR]))
    assert {PAIR, OTHER} <= set(await soon(api.watch_tickers()))
    touch = (await soon(api.watch_bids_asks([PAIR])))[PAIR]
    assert 0 < touch["ask"] - touch["bid"] < touch["ask"] * 0.005
    assert await soon(api.watch_bids_asks())
    mark = await soon(api.watch_mark_price(PAIR))
    assert abs(mark["markPrice"] / touch["bid"] - 1) < 0.01
    assert set(await soon(api.watch_mark_prices())) >= {PAIR, OTHER}


async def test_an_account_hears_of_its_orders_trades_positions_and_money(sim, api):
    no_snapshot = {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False}
    api.options["watchPositions"] = no_snapshot
    watching = [
        asyncio.create_task(soon(each))
        for each in (
            api.watch_orders(PAIR),
            api.watch_my_trades(PAIR),
            api.watch_positions([PAIR]),
            api.watch_balance(),
        )
    ]
    await asyncio.sleep(0.5)
    order = await api.create_order(PAIR, "market", "buy", 0.02)
    orders, trades, positions, balance = await asyncio.gather(*watching)
    assert {each["id"] for each in orders} == {order["id"]}
    alice = sim.desk.exchange.accounts["alice"]
    fills = await api.fetch_my_trades(PAIR)
    ours = {each["id"]: each for each in fills}
    for each in trades:
        row = ours[each["id"]]
        assert (each["price"], each["amount"], each["side"]) == (
            row["price"],
            row["amount"],
            row["side"],
        )
        assert each["fee"]["cost"] == pytest.approx(row["fee"]["cost"])
    assert positions[-1]["side"] == "long"
    assert balance["USDT"]["total"] == pytest.approx(alice.wallet / 1e8, abs=0.5)
    await asyncio.sleep(0.3)
    assert [(each["id"], each["status"]) for each in api.orders] == [(order["id"], "closed")]


async def test_two_clients_of_one_account_hear_the_same(sim):
    clients = [ccxt.pro.binanceusdm(ccxt_config(sim.url) | KEYS) for _ in range(2)]
    try:
        for each in clients:
            await each.load_markets()
        heard = [asyncio.create_task(soon(each.watch_orders(PAIR))) for each in clients]
        await asyncio.sleep(0.5)
        price = round((await clients[0].fetch_ticker(PAIR))["last"] * 0.97)
        placed = await clients[0].create_order(PAIR, "limit", "buy", 0.01, price)
        first, second = await asyncio.gather(*heard)
        assert [each["id"] for each in first] == [each["id"] for each in second] == [placed["id"]]
    finally:
        for each in clients:
            await each.close()
