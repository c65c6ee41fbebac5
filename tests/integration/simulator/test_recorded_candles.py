"""What is served of real candles is what is in the files, digit by digit."""

from datetime import UTC, datetime

import ccxt
import numpy as np
import pandas as pd
import pytest

from automation.simulator import ccxt_config, open_market, serving

YEAR = slice(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, 23, 59, tzinfo=UTC))
PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"]
COLUMNS = ["open", "high", "low", "close", "volume"]
pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def client(data_dir):
    with serving(open_market(data_dir)) as sim:
        made = ccxt.binanceusdm(ccxt_config(sim.url))
        made.load_markets()
        yield made
        made.close()


def source(data_dir, pair, name, kind="futures"):
    stem = pair.replace("/", "_").replace(":", "_")
    frame = pd.read_feather(data_dir / "futures" / f"{stem}-{name}-{kind}.feather")
    return frame.set_index("date")[YEAR]


def pages(fetch, start, end_ms, limit=1000):
    rows, since = [], int(start.timestamp() * 1000)
    while since <= end_ms:
        page = [row for row in fetch(since, limit) if row[0] <= end_ms]
        if not page:
            break
        rows += page
        since = page[-1][0] + 1
    return rows


def same(rows, frame):
    assert [row[0] for row in rows] == frame.index.as_unit("ms").astype("int64").tolist()
    assert np.array_equal(np.array([row[1:6] for row in rows], float), frame[COLUMNS].to_numpy())


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", ["5m", "1h", "4h"])
def test_klines_equal_the_file(client, data_dir, pair, name):
    frame = source(data_dir, pair, name)
    end = int(frame.index[-1].timestamp() * 1000)
    rows = pages(lambda since, n: client.fetch_ohlcv(pair, name, since, n), YEAR.start, end)
    same(rows, frame)


@pytest.mark.parametrize("pair", ["BTC/USDT:USDT", "ETH/USDT:USDT"])
def test_mark_klines_equal_the_file(client, data_dir, pair):
    frame = source(data_dir, pair, "1h", "mark")
    end = int(frame.index[-1].timestamp() * 1000)
    rows = pages(lambda since, n: client.fetch_mark_ohlcv(pair, "1h", since, n), YEAR.start, end)
    same(rows, frame)


@pytest.mark.parametrize("pair", PAIRS)
def test_funding_equals_the_file(client, data_dir, pair):
    frame = source(data_dir, pair, "1h", "funding_rate")
    start = int(YEAR.start.timestamp() * 1000)
    rates = client.fetch_funding_rate_history(pair, since=start, limit=1000)
    rates += client.fetch_funding_rate_history(pair, since=rates[-1]["timestamp"] + 1, limit=1000)
    rates = [row for row in rates if row["timestamp"] <= frame.index[-1].timestamp() * 1000]
    assert [row["timestamp"] for row in rates] == frame.index.as_unit("ms").astype("int64").tolist()
    assert [row["fundingRate"] for row in rates] == frame["funding_rate"].tolist()


def test_all_pairs_are_listed_with_prices_on_their_tick(client):
    assert len(client.markets) == 10
    for pair in client.markets:
        close = client.fetch_ohlcv(pair, "1h", limit=1)[-1][4]
        assert float(client.price_to_precision(pair, close)) == close
