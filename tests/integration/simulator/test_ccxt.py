"""ccxt's own parsers over every served endpoint, sync and async."""

from datetime import UTC, datetime

import ccxt
import ccxt.async_support
import pytest

from automation.simulator import ccxt_config, open_market, serving
from automation.simulator.timeframes import DAY_MS, HOUR_MS

PAIR, OTHER = "BTC/USDT:USDT", "SOL/USDT:USDT"
AT = datetime(2024, 8, 5, 3, tzinfo=UTC)


@pytest.fixture(scope="module", params=["synthetic", "recorded"])
def sim(request):
    market = open_market(5)
    if request.param == "recorded":
        market = open_market(request.getfixturevalue("data_dir"), [PAIR, OTHER])
    with serving(market, at=AT, tls_port=0) as running:
        yield running


@pytest.fixture
def client(sim):
    made = ccxt.binanceusdm(ccxt_config(sim.url))
    made.load_markets()
    yield made
    made.close()


def is_candles(rows):
    return len(rows) >= 100 and all(
        low <= min(begin, end) and max(begin, end) <= high and volume is not None
        for _, begin, high, low, end, volume in rows
    )


def is_ticker(row):
    return row["low"] <= row["last"] <= row["high"] and row["quoteVolume"] > 0


def is_book(book):
    whole = len(book["bids"]) == len(book["asks"]) == 20
    return whole and book["bids"][0][0] < book["asks"][0][0]


def is_trades(rows):
    return len(rows) > 10 and all(
        row["cost"] > 0 and row["side"] in {"buy", "sell"} for row in rows
    )


def is_funding(row):
    near = abs(row["markPrice"] / row["indexPrice"] - 1) < 0.02
    return near and row["fundingTimestamp"] > row["timestamp"]


def is_history(rows):
    return len(rows) == 100 and all(abs(row["fundingRate"]) < 0.03 for row in rows)


def both(rows):
    return {PAIR, OTHER} <= set(rows)


CALLS = {
    "fetch_time": ((), {}, lambda at: at > 1_700_000_000_000),
    "fetch_ticker": ((PAIR,), {}, is_ticker),
    "fetch_tickers": (([PAIR, OTHER],), {}, both),
    "fetch_bids_asks": (([PAIR, OTHER],), {}, both),
    "fetch_last_prices": (([PAIR, OTHER],), {}, both),
    "fetch_mark_price": ((PAIR,), {}, lambda row: row["markPrice"] > 0),
    "fetch_mark_prices": (([PAIR, OTHER],), {}, both),
    "fetch_order_book": ((PAIR, 20), {}, is_book),
    "fetch_trades": ((PAIR,), {"limit": 50}, is_trades),
    "fetch_ohlcv": ((PAIR, "5m"), {"limit": 499}, is_candles),
    "fetch_mark_ohlcv": ((PAIR, "1h"), {"limit": 100}, is_candles),
    "fetch_index_ohlcv": ((PAIR, "1h"), {"limit": 100}, is_candles),
    "fetch_premium_index_ohlcv": ((PAIR, "1h"), {"limit": 100}, is_candles),
    "fetch_funding_rate": ((PAIR,), {}, is_funding),
    "fetch_funding_rates": (([PAIR, OTHER],), {}, both),
    "fetch_funding_rate_history": ((PAIR,), {"limit": 100}, is_history),
    "fetch_funding_intervals": (([PAIR],), {}, lambda rows: rows[PAIR]["interval"] == "8h"),
}


@pytest.mark.parametrize("method", CALLS)
def test_sync(client, method):
    positional, named, holds = CALLS[method]
    result = getattr(client, method)(*positional, **named)
    assert holds(result), result


async def test_async(sim):
    client = ccxt.async_support.binanceusdm(ccxt_config(sim.url))
    try:
        await client.load_markets()
        for method, (positional, named, holds) in CALLS.items():
            result = await getattr(client, method)(*positional, **named)
            assert holds(result), (method, result)
    finally:
        await client.close()


def test_markets(client):
    market = client.market(PAIR)
    assert market["active"]
    assert market["linear"]
    assert market["swap"]
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert market["limits"]["cost"]["min"] == 100
    assert client.price_to_precision(PAIR, 12345.678) == "12345.7"


def test_pages_of_candles_meet(client):
    now = client.fetch_time()
    start = (now - 20 * DAY_MS) // HOUR_MS * HOUR_MS
    first = client.fetch_ohlcv(PAIR, "15m", since=start, limit=499)
    second = client.fetch_ohlcv(PAIR, "15m", since=first[-1][0] + 1, limit=499)
    assert len(first) == 499
    assert second[0][0] - first[-1][0] == 15 * 60_000


def test_wrong_requests_raise_what_ccxt_makes_of_binances_codes(client):
    with pytest.raises(ccxt.ExchangeError, match="-1121"):
        client.fapiPublicGetKlines({"symbol": "NOPE", "interval": "5m"})
    with pytest.raises(ccxt.ExchangeError, match="-1120"):
        client.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "5x"})
    with pytest.raises(ccxt.ExchangeError, match="-1102"):
        client.fapiPublicGetDepth({})


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # of the certificate we made
def test_over_tls_ccxt_tells_binances_futures_errors_apart(sim):
    client = ccxt.binanceusdm(ccxt_config(sim.tls_url))
    client.load_markets()
    assert is_candles(client.fetch_ohlcv(PAIR, "5m", limit=499))
    with pytest.raises(ccxt.BadSymbol):
        client.fapiPublicGetKlines({"symbol": "NOPE", "interval": "5m"})
    with pytest.raises(ccxt.BadRequest):
        client.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "5x"})
    client.close()


async def test_over_tls_async(sim):
    client = ccxt.async_support.binanceusdm(ccxt_config(sim.tls_url))
    try:
        await client.load_markets()
        assert is_candles(await client.fetch_ohlcv(PAIR, "5m", limit=499))
        with pytest.raises(ccxt.BadSymbol):
            await client.fapiPublicGetKlines({"symbol": "NOPE", "interval": "5m"})
    finally:
        await client.close()
