"""The whole REST interface without a socket."""

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest

from automation.simulator import open_market
from automation.simulator.rest import Rest
from automation.simulator.timeframes import HOUR_MS, MINUTE_MS
from automation.simulator.timeline import Timeline
from automation.simulator.venue import Venue
from automation.testing import ManualClock

AT = datetime(2024, 3, 4, 10, 20, tzinfo=UTC)
START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 7, 1, 15, 33, 7, tzinfo=UTC)
KLINES = "/fapi/v1/klines?symbol=BTCUSDT&interval=5m"


class Api:
    """Ask a venue whose clock can be moved."""

    def __init__(self, market, at=AT):
        self.clock = ManualClock(NOW)
        self.timeline = Timeline(self.clock, at)
        self.rest = Rest(Venue(market, self.timeline))

    def __call__(self, target, method="GET"):
        reply = self.rest.reply(method, target, "127.0.0.1")
        self.reply = reply
        return orjson.loads(reply.body)


def reach(api, instant):
    """Move the clock until the market has come to an instant."""
    ahead_ms = instant.timestamp() * 1000 - api.timeline.market_now_ms()
    api.clock.advance(ahead_ms / 1000)


@pytest.fixture(scope="module")
def market():
    return open_market(21)


@pytest.fixture
def api(market):
    return Api(market)


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("klines?interval=5m", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("klines?symbol=&interval=5m", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("klines?symbol=BTCUSDT", -1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed."),
        ("klines?symbol=NOPE&interval=5m", -1121, "Invalid symbol."),
        ("klines?symbol=BTCUSDT&interval=7m", -1120, "Invalid interval."),
        ("klines?symbol=BTCUSDT&interval=5m&limit=1501", -1130, "Data sent for parameter 'limit' is not valid."),
        ("klines?symbol=BTCUSDT&interval=5m&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        ("klines?symbol=BTCUSDT&interval=5m&limit=x", -1102, "Mandatory parameter 'limit' was not sent, was empty/null, or malformed."),
        ("klines?symbol=BTCUSDT&interval=5m&startTime=9&endTime=8", -1023, "Start time is greater than end time."),
        ("markPriceKlines?symbol=BTCUSDT&interval=1h&limit=2000", -1130, "Data sent for parameter 'limit' is not valid."),
        ("indexPriceKlines?symbol=BTCUSDT&interval=1h", -1102, "Mandatory parameter 'pair' was not sent, was empty/null, or malformed."),
        ("continuousKlines?pair=BTCUSDT&interval=1h", -1102, "Mandatory parameter 'contractType' was not sent, was empty/null, or malformed."),
        ("continuousKlines?pair=BTCUSDT&contractType=X&interval=1h", -1130, "Data sent for parameter 'contractType' is not valid."),
        ("continuousKlines?pair=BTCUSDT&contractType=NEXT_QUARTER&interval=1h", -1121, "Invalid symbol."),
        ("depth", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("depth?symbol=BTCUSDT&limit=7", -1130, "Data sent for parameter 'limit' is not valid."),
        ("trades?symbol=BTCUSDT&limit=1001", -1130, "Data sent for parameter 'limit' is not valid."),
        ("ticker/24hr?symbol=NOPE", -1121, "Invalid symbol."),
        ("ticker/24hr?symbol=", -1105, "Parameter 'symbol' was empty."),
        ("fundingRate?symbol=BTCUSDT&limit=1001", -1130, "Data sent for parameter 'limit' is not valid."),
    ],
)  # fmt: skip
def test_wrong_requests_get_binances_error(api, target, code, message):
    assert api(f"/fapi/v1/{target}") == {"code": code, "msg": message}
    assert api.reply.status == 400


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/fapi/v1/nope"), ("POST", "/fapi/v1/klines"), ("GET", "/")]
)
def test_unknown_paths_are_not_found(api, method, path):
    body = api(path, method)
    assert api.reply.status == 404
    assert body == {"code": -5000, "msg": f"Path {path}, Method {method} is invalid"}


def test_default_is_the_latest_500_with_the_candle_being_made(api):
    rows = api(KLINES)
    assert len(rows) == 500
    assert rows[-1][0] <= api.timeline.now_ms() <= rows[-1][6]
    assert {b[0] - a[0] for a, b in itertools.pairwise(rows)} == {5 * MINUTE_MS}


def test_start_counts_forward_and_end_counts_back(api):
    rows = api(f"{KLINES}&limit=1500")
    start = rows[100][0]
    assert [r[0] for r in api(f"{KLINES}&limit=7&startTime={start}")] == [
        r[0] for r in rows[100:107]
    ]
    assert api(f"{KLINES}&limit=7&startTime={start + 1}")[0][0] == rows[101][0]
    assert [r[0] for r in api(f"{KLINES}&limit=7&endTime={start}")] == [r[0] for r in rows[94:101]]
    both = api(f"{KLINES}&startTime={start}&endTime={rows[110][0]}")
    assert both == rows[100:111]
    assert api(f"{KLINES}&startTime={api.timeline.now_ms() + HOUR_MS}") == []


def test_the_last_candle_moves_with_the_clock_and_closes_as_promised(api):
    first = api(f"{KLINES}&limit=1")[0]
    seen = [first]
    while api.timeline.now_ms() <= first[6]:
        assert api(f"{KLINES}&limit=1")[0][0] == first[0]
        seen.append(api(f"{KLINES}&limit=1")[0])
        api.clock.advance(10)
    assert len({row[4] for row in seen}) > 5
    highs, lows = ([float(row[i]) for row in seen] for i in (2, 3))
    volumes = [float(row[5]) for row in seen]
    assert highs == sorted(highs)
    assert lows == sorted(lows, reverse=True)
    assert volumes == sorted(volumes)
    closed = api(f"{KLINES}&limit=2")[0]
    assert closed[0] == first[0]
    assert float(closed[2]) >= highs[-1]
    assert float(closed[3]) <= lows[-1]


def test_price_candles_and_book_agree_at_every_instant(api):
    for _ in range(40):
        price = float(api("/fapi/v1/ticker/price?symbol=BTCUSDT")["price"])
        for interval in ("1m", "5m", "1h", "1d", "1w", "1M"):
            row = api(f"/fapi/v1/klines?symbol=BTCUSDT&interval={interval}&limit=1")[0]
            assert float(row[4]) == price
            assert float(row[3]) <= price <= float(row[2])
        book = api("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT")
        assert float(book["bidPrice"]) <= price <= float(book["askPrice"])
        day = api("/fapi/v1/ticker/24hr?symbol=BTCUSDT")
        assert float(day["lastPrice"]) == price
        assert float(day["lowPrice"]) <= price <= float(day["highPrice"])
        mark = api("/fapi/v1/premiumIndex?symbol=BTCUSDT")
        row = api("/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1h&limit=1")[0]
        assert row[4] == mark["markPrice"]
        api.clock.advance(17)


def test_nothing_of_the_future_is_told(market):
    """Two venues an hour apart agree on everything that was closed at the earlier instant."""
    early, late = Api(market), Api(market)
    late.timeline.shift_ms = early.timeline.shift_ms
    late.clock.advance(3600)
    now = early.timeline.now_ms()
    for path in ("klines?symbol=ETHUSDT", "markPriceKlines?symbol=ETHUSDT"):
        target = f"/fapi/v1/{path}&interval=15m&limit=50&endTime={now - 15 * MINUTE_MS}"
        assert early(target) == late(target)
    ahead = now + 100 * HOUR_MS
    for query in ("", f"?endTime={ahead}", f"?startTime={now - 100 * HOUR_MS}&endTime={ahead}"):
        rows = early(f"/fapi/v1/fundingRate{query}")
        assert rows
        assert all(row["fundingTime"] <= now for row in rows)
    trades = early(f"/fapi/v1/aggTrades?symbol=ETHUSDT&startTime={now - 9000}&endTime={now + 9000}")
    assert trades
    assert all(row["T"] <= now for row in trades)
    assert all(row["time"] <= now for row in early("/fapi/v1/trades?symbol=ETHUSDT"))


def test_funding_stays_on_its_hours_and_next_is_ahead(api):
    rows = api("/fapi/v1/fundingRate?symbol=BTCUSDT&limit=20")
    assert len(rows) == 20
    times = [row["fundingTime"] for row in rows]
    assert {b - a for a, b in itertools.pairwise(times)} == {8 * HOUR_MS}
    assert times[0] % HOUR_MS == 0
    coming = api("/fapi/v1/premiumIndex?symbol=BTCUSDT")
    assert coming["nextFundingTime"] == times[-1] + 8 * HOUR_MS
    assert coming["lastFundingRate"] == rows[-1]["fundingRate"]
    page = api(f"/fapi/v1/fundingRate?symbol=BTCUSDT&startTime={times[3]}&limit=5")
    assert page == rows[3:8]
    candle = api(
        f"/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1h&startTime={times[3]}&limit=1"
    )[0]
    assert candle[1] == rows[3]["markPrice"]


def test_weights_are_counted_by_the_minute(api):
    for target, weight in (
        ("/fapi/v1/ping", 1),
        (f"{KLINES}&limit=99", 1),
        (f"{KLINES}&limit=499", 2),
        (KLINES, 5),
        (f"{KLINES}&limit=1001", 10),
        ("/fapi/v1/ticker/24hr", 40),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
    ):
        api.clock.advance(60)
        api(target)
        assert api.reply.headers == {"X-MBX-USED-WEIGHT-1M": str(weight)}
    api("/fapi/v1/ping")
    assert api.reply.headers == {"X-MBX-USED-WEIGHT-1M": "21"}


def test_trades_of_a_minute_add_up_to_its_candle(api):
    row = api("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=2")[0]
    found = api(f"/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={row[0]}&endTime={row[6]}&limit=1000")
    assert sum(round(float(each["q"]) * 1000) for each in found) == round(float(row[5]) * 1000)
    assert all(float(row[3]) <= float(each["p"]) <= float(row[2]) for each in found)
    assert found[0]["p"] == row[1]
    again = api(f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={found[0]['a']}&limit={len(found)}")
    assert again == found


def test_the_book_is_ordered_on_the_grid_and_the_same_for_an_instant(api):
    body = api("/fapi/v1/depth?symbol=BTCUSDT&limit=100")
    bids, asks = ([float(price) for price, _ in body[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert round(asks[0] - bids[0], 8) >= 0.1
    assert len(bids) == len(asks) == 100
    assert all(float(quantity) > 0 for side in ("bids", "asks") for _, quantity in body[side])
    assert api("/fapi/v1/depth?symbol=BTCUSDT&limit=100") == body


def test_history_at_its_own_dates_simply_ends(put, walk):
    values = walk(500)
    market = open_market(put("5m", "futures", values))
    api = Api(market, at=None)
    rows = api(f"{KLINES}&limit=3")
    assert [float(row[4]) for row in rows] == values[-3:, 3].tolist()
    assert float(api("/fapi/v1/ticker/price?symbol=BTCUSDT")["price"]) == values[-1, 3]
    day = api("/fapi/v1/ticker/24hr?symbol=BTCUSDT")
    assert (float(day["volume"]), day["count"]) == (0.0, 0)
    end = market.instruments["BTCUSDT"].end_ms
    assert api(f"{KLINES}&startTime={end}") == []
    assert len(api(f"{KLINES}&startTime={end - 3 * 5 * MINUTE_MS}&endTime={end + HOUR_MS}")) == 3
    assert api("/fapi/v1/exchangeInfo")["symbols"][0]["status"] == "TRADING"


def test_symbols_come_and_go_where_history_is_the_present(put, walk):
    put("1h", "futures", walk(100))
    put("1h", "futures", walk(10), base="OLD")
    folder = put("1h", "futures", walk(10), base="NEW", start=AT + timedelta(days=1))
    api = Api(open_market(folder), at=datetime(2024, 1, 2, tzinfo=UTC))
    states = {row["symbol"]: row["status"] for row in api("/fapi/v1/exchangeInfo")["symbols"]}
    assert states == {"BTCUSDT": "TRADING", "OLDUSDT": "SETTLING"}
    assert api("/fapi/v1/klines?symbol=NEWUSDT&interval=1h")["code"] == -1121


def test_a_hole_at_the_present_is_quoted_flat(put, walk):
    values, keep = walk(100), np.ones(100, bool)
    keep[40:60] = False
    market = open_market(put("5m", "futures", values, keep=keep))
    api = Api(market, at=START)
    reach(api, datetime(2024, 1, 1, 4, 2, tzinfo=UTC))
    row = api(f"{KLINES}&limit=1")[0]
    assert {float(x) for x in row[1:5]} == {values[39, 3]}
    assert float(row[5]) == 0
    assert float(api("/fapi/v1/ticker/price?symbol=BTCUSDT")["price"]) == values[39, 3]


def test_files_of_different_ranges_share_one_present(put, walk):
    """The 1m file begins within the hour, day and month of now: all candles close at its price."""
    put("5m", "futures", walk(600, seed=1))
    folder = put(
        "1m", "futures", walk(2000, seed=2), start=datetime(2024, 1, 1, 10, 33, tzinfo=UTC)
    )
    api = Api(open_market(folder), at=datetime(2024, 1, 1, 10, 0, tzinfo=UTC))
    for _ in range(30):
        price = api("/fapi/v1/ticker/price?symbol=BTCUSDT")["price"]
        for interval in ("1m", "5m", "1h", "4h", "1d", "1M"):
            row = api(f"/fapi/v1/klines?symbol=BTCUSDT&interval={interval}&limit=1")[0]
            assert row[4] == price
            assert float(row[3]) <= float(price) <= float(row[2])
        api.clock.advance(101)


def test_a_hole_does_not_show_what_a_longer_candle_will_be(put, walk):
    """5m has a hole, 1h runs through it: the price follows the path inside the hour."""
    hours = walk(10, seed=4)
    put("1h", "futures", hours)
    keep = np.ones(120, bool)
    keep[42:54] = False  # 03:30 to 04:30
    api = Api(open_market(put("5m", "futures", walk(120), keep=keep)), at=START)
    reach(api, datetime(2024, 1, 1, 4, 10, tzinfo=UTC))
    opened, high, low, close = hours[4, :4]
    against = low if close >= opened else high
    expected = opened + (against - opened) / 2
    assert abs(float(api("/fapi/v1/ticker/price?symbol=BTCUSDT")["price"]) - expected) <= 0.05


def test_beyond_all_data_the_last_closed_price_stands(put, walk):
    fine = walk(120, seed=1)
    put("1h", "futures", walk(8, seed=2))
    api = Api(open_market(put("5m", "futures", fine)), at=START)
    reach(api, datetime(2024, 1, 1, 11, 0, tzinfo=UTC))
    assert float(api("/fapi/v1/ticker/price?symbol=BTCUSDT")["price"]) == fine[-1, 3]


def test_a_candle_shorter_than_the_data_moves_along_the_same_path(put, walk):
    """5m out of 15m files: what moves becomes what is closed, and begins where the last ended."""
    api = Api(open_market(put("15m", "futures", walk(200, seed=9))), at=START)
    reach(api, datetime(2024, 1, 1, 5, 6, tzinfo=UTC))
    moving = {}
    for _ in range(60):
        row = api(f"{KLINES}&limit=1")[0]
        assert float(row[3]) <= float(row[4]) <= float(row[2])
        moving[row[0]] = row
        api.clock.advance(31)
    closed = {row[0]: row for row in api(f"{KLINES}&limit=20")[:-1]}
    assert len(moving) > 5
    for at in sorted(moving)[:-1]:
        assert moving[at][1] == closed[at][1] == closed[at - 5 * MINUTE_MS][4]
        assert float(moving[at][5]) <= float(closed[at][5])
        assert float(closed[at][3]) <= float(moving[at][4]) <= float(closed[at][2])
