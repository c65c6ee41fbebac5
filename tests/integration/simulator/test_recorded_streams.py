"""A recorded market gives back what was recorded: messages, trades and book."""

import gzip
from datetime import timedelta

import orjson
import pytest

from automation.core.clock import from_ms
from automation.core.errors import ConfigError
from automation.simulator import open_market
from automation.simulator.recorded_market import RecordedMarket
from automation.simulator.rest import Rest
from automation.simulator.streams.hub import Hub
from automation.simulator.timeline import Timeline
from automation.simulator.venue import Venue
from automation.testing import ManualClock

pytestmark = pytest.mark.fixtures
STREAMS = ("btcusdt@depth@0ms", "btcusdt@bookTicker", "btcusdt@trade")


class Wire:
    """The far end of a connection."""

    def __init__(self):
        self.data = []

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return False

    def write(self, data):
        self.data.append(data)


@pytest.fixture(scope="module")
def path(fixtures_dir):
    return fixtures_dir / "binance_ws_raw" / "btcusdt_20240808.gz"


@pytest.fixture(scope="module")
def market(path):
    return open_market(path)


@pytest.fixture(scope="module")
def lines(path):
    with gzip.open(path, "rb") as text:
        return [orjson.loads(line.partition(b" ")[2]) for line in text]


@pytest.fixture
def stage(market):
    """A clock just before the recording, REST and streams."""
    clock = ManualClock(from_ms(market.recording.first_ms) - timedelta(seconds=1))
    venue = Venue(market, Timeline(clock))
    return clock, Rest(venue), Hub(venue)


def hear(hub, names):
    """A connection whose messages are read in one go."""
    wire = Wire()
    connection = hub.connect(wire)
    connection.is_combined = True
    hub.subscribe(connection, names)

    def read():
        data, found, place = b"".join(wire.data), [], 0
        wire.data.clear()
        while place < len(data):
            length, place = data[place + 1], place + 2
            size = {126: 2, 127: 8}.get(length, 0)
            if size:
                length, place = int.from_bytes(data[place : place + size]), place + size
            found.append(orjson.loads(data[place : place + length]))
            place += length
        return found

    return read


def test_the_recorded_sequence_comes_back_in_its_order(market, stage, lines):
    clock, _, hub = stage
    read = hear(hub, STREAMS)
    heard = []
    while clock.now() < from_ms(market.recording.last_ms + 200):
        clock.advance(0.1)
        hub.pump()
        heard += read()
        for each in heard[-1:]:
            assert each["data"]["E"] <= clock.now().timestamp() * 1000
    assert heard == [each for each in lines if "stream" in each]


def test_the_book_is_the_recorded_one(market, stage, lines):
    """The documented procedure over the recording gives what REST shows, and the same best prices."""
    clock, rest, _ = stage
    updates = [each["data"] for each in lines if each.get("stream") == STREAMS[0]]
    snapshot = next(each for each in lines if "stream" not in each)
    tops = [each["data"] for each in lines if each.get("stream") == STREAMS[1]]
    clock.advance(120)
    body = orjson.loads(
        rest.reply("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", "127.0.0.1").body
    )
    bids = dict(map(tuple, snapshot["bids"]))
    for update in updates:
        if snapshot["lastUpdateId"] <= update["u"] <= body["lastUpdateId"]:
            bids.update(map(tuple, update["b"]))
    expected = sorted(
        ([p, q] for p, q in bids.items() if float(q)), key=lambda level: -float(level[0])
    )
    assert body["bids"] == expected[:1000]
    last = max((each for each in tops if each["u"] <= body["lastUpdateId"]), key=lambda x: x["u"])
    assert body["bids"][0] == [last["b"], last["B"]]
    assert body["asks"][0] == [last["a"], last["A"]]


def test_trades_prices_and_candles_are_those_recorded(market, stage, lines):
    clock, rest, _ = stage

    def get(target):
        return orjson.loads(rest.reply("GET", f"/fapi/v1/{target}", "127.0.0.1").body)

    trades = [each["data"] for each in lines if each.get("stream") == STREAMS[2]]
    clock.advance(200)
    now = clock.now().timestamp() * 1000
    past = [each for each in trades if each["T"] <= now // 100 * 100]
    rows = get("trades?symbol=BTCUSDT&limit=500")
    assert [row["id"] for row in rows] == [each["t"] for each in past[-500:]]
    assert [row["qty"] for row in rows] == [each["q"] for each in past[-500:]]
    page = get(f"aggTrades?symbol=BTCUSDT&fromId={past[40]['t']}&limit=7")
    assert [(row["a"], row["p"]) for row in page] == [(x["t"], x["p"]) for x in past[40:47]]
    assert get("ticker/price?symbol=BTCUSDT")["price"] == past[-1]["p"]
    candle = get("klines?symbol=BTCUSDT&interval=1m&limit=1")[0]
    inside = [each for each in past if each["T"] >= candle[0]]
    assert candle[1] == inside[0]["p"]
    assert candle[4] == inside[-1]["p"]
    assert float(candle[2]) == max(float(each["p"]) for each in inside)
    assert round(float(candle[5]) * 1000) == sum(round(float(x["q"]) * 1000) for x in inside)


def test_a_file_that_is_no_recording_is_refused(tmp_path):
    for content in (b"hello\n", b"1 {}\n", b"", b'1 {"stream":"x@trade"}\n'):
        path = tmp_path / "recording"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="recording"):
            open_market(path)
    path = tmp_path / "recording.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(ConfigError, match="recording"):
        open_market(path)


def test_its_clock_begins_with_the_recording(path, market):
    assert isinstance(market, RecordedMarket)
    began = market.clock(ManualClock()).now()
    assert began == from_ms(market.recording.first_ms)
    with pytest.raises(ConfigError, match="alone"):
        open_market(path, ["ETH/USDT:USDT"])
