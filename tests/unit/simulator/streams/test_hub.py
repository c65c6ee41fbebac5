"""Messages reach those who asked for them, once made, in order, and never wait for the slow."""

import asyncio
import itertools

import pytest

from automation.simulator.book import levels
from automation.simulator.streams.messages import Message
from automation.simulator.streams.rules import StreamRules


def klines(wire):
    return [each["k"] for each in wire.read() if each["e"] == "kline"]


def as_rest(k):
    return [k[x] for x in "tohlcvTqnVQB"]


@pytest.mark.parametrize("interval", ["1m", "5m", "1h"])
def test_candles_are_those_of_rest(stage, interval):
    wire = stage.connect(f"btcusdt@kline_{interval}")
    stage.clock.advance(3600 - stage.timeline.now_ms() / 1000 % 3600 - 130)
    stage.hub.pump()
    wire.read()
    moving = []
    for _ in range(200):
        stage.run(1)
        row = stage.get(f"klines?symbol=BTCUSDT&interval={interval}&limit=1")[-1]
        found = klines(wire)
        moving.append(as_rest(found[-1]) == row)
        for k in found:
            if k["x"]:
                query = f"klines?symbol=BTCUSDT&interval={interval}&startTime={k['t']}&limit=1"
                assert as_rest(k) == stage.get(query)[0]
                moving.append(f"closed {k['t']}")
    closed = [each for each in moving if isinstance(each, str)]
    assert len(closed) == {"1m": 4, "5m": 1, "1h": 1}[interval] == len(set(closed))
    assert all(moving)


def test_candles_closed_in_a_pause_are_told_afterwards(stage):
    wire = stage.connect("ethusdt@kline_1m")
    stage.run(1)
    wire.read()
    stage.clock.advance(600)
    stage.hub.pump()
    found = klines(wire)
    assert [k["x"] for k in found] == [True] * 10 + [False]
    assert {b["t"] - a["t"] for a, b in itertools.pairwise(found)} == {60_000}


def test_trades_are_those_of_rest_each_once(stage):
    wire = stage.connect("btcusdt@aggTrade", "btcusdt@trade")
    start = stage.timeline.now_ms() + 1
    for wait in (0.1, 0.7, 3.0, 0.05, 12.0, 0.4):
        stage.clock.advance(wait)
        stage.hub.pump()
    found = wire.read()
    rows = stage.get(f"aggTrades?symbol=BTCUSDT&startTime={start}&limit=100")
    told = [each for each in found if each["e"] == "aggTrade"]
    assert [{k: each[k] for k in rows[0]} for each in told] == rows
    single = [each for each in found if each["e"] == "trade"]
    assert [each["t"] for each in single] == [row["a"] for row in rows]


def test_trades_are_at_the_touch_of_their_instant(stage):
    wire = stage.connect("btcusdt@trade")
    stage.run(30)
    trades = wire.read()
    assert len(trades) >= 29
    for each in trades:
        at_ms = each["T"] - stage.timeline.shift_ms
        best = levels(stage.venue.tape("BTCUSDT"), at_ms, 1)
        assert each["p"] == (best.bids if each["m"] else best.asks)[0][0]
    assert {each["m"] for each in trades} == {True, False}


def test_mark_price_and_tickers_are_those_of_rest(stage):
    names = ["!markPrice@arr@1s", "btcusdt@markPrice", "!ticker@arr", "btcusdt@miniTicker"]
    wire = stage.connect(*names, combined=True)
    stage.clock.advance(6 - stage.timeline.now_ms() % 6000 / 1000)
    stage.hub.pump()
    found = {each["stream"]: each["data"] for each in wire.read()}
    assert list(found) == names
    marks = {row["symbol"]: row for row in stage.get("premiumIndex")}
    for each in found["!markPrice@arr@1s"]:
        row = marks[each["s"]]
        assert (each["p"], each["i"], each["r"], each["T"]) == (
            row["markPrice"],
            row["indexPrice"],
            row["lastFundingRate"],
            row["nextFundingTime"],
        )
    assert found["btcusdt@markPrice"] == found["!markPrice@arr@1s"][0]
    days = {row["symbol"]: row for row in stage.get("ticker/24hr")}
    for each in found["!ticker@arr"]:
        row = days[each["s"]]
        assert (each["c"], each["v"], each["n"]) == (row["lastPrice"], row["volume"], row["count"])
    assert found["btcusdt@miniTicker"]["h"] == days["BTCUSDT"]["highPrice"]


def test_a_message_is_made_once_for_all(stage, monkeypatch):
    wires = [stage.connect("btcusdt@depth5@100ms") for _ in range(20)]
    made = []
    monkeypatch.setattr(
        "automation.simulator.streams.messages.frame",
        lambda payload: made.append(payload) or b"\x81\x01 ",
    )
    stage.run(1)
    assert len(made) == 10
    assert all(wire.data == wires[0].data for wire in wires)


def test_what_falls_together_is_written_together(stage):
    wire = stage.connect(*(f"btcusdt@depth{n}@100ms" for n in (5, 10, 20)), "btcusdt@depth@100ms")
    stage.run(1)
    assert wire.writes == 10
    assert len(wire.read()) == 40


def test_a_slow_client_is_cut_off_and_holds_up_nobody(make_stage):
    stage = make_stage(rules=StreamRules(most_unsent_bytes=10_000))
    slow, quick = (stage.connect("btcusdt@depth5@100ms") for _ in range(2))
    slow.unread = 10_001
    stage.run(1)
    assert slow.is_cut
    assert len(quick.read()) == 10


def test_who_left_gets_nothing_and_costs_nothing(stage):
    first, second = (stage.connect("btcusdt@depth5@100ms") for _ in range(2))
    stage.hub.disconnect(first.connection)
    stage.run(0.5)
    assert not first.data
    assert len(second.read()) == 5
    stage.hub.unsubscribe(second.connection, ["btcusdt@depth5@100ms"])
    stage.run(0.5)
    assert not second.data
    assert not stage.hub._channels


def test_faults_sit_between_the_hub_and_each_client(stage):
    hurt, spared = (stage.connect("btcusdt@trade") for _ in range(2))
    whole = stage.connect("btcusdt@trade")

    def outgoing(message, connection):
        if connection is not hurt.connection:
            return [(0, message)]
        number = int(message.payload.split(b'"t":')[1].split(b",")[0])
        if number % 3 == 0:
            return []
        if number % 3 == 1:
            return [(2.5, message)]
        return [(0, message), (0, Message(message.stream, message.payload))]

    stage.hub.outgoing = outgoing
    stage.run(12)
    everything = [each["t"] for each in whole.read()]
    assert [each["t"] for each in spared.read()] == everything
    got = [each["t"] for each in hurt.read()]
    assert not [t for t in got if t % 3 == 0]
    assert all(got.count(t) == 2 for t in got if t % 3 == 2)
    late = [t for t in got if t % 3 == 1]
    assert late
    first = got.index(late[0])
    assert max(got[:first]) >= late[0] + 1  # overtaken by later ones


def test_unknown_streams_are_silent(stage):
    wire = stage.connect("nope@kline_1m", "btcusdt@kline_7m", "btcusdt@depth7", "0", "x@y@z")
    stage.run(3)
    assert not wire.data


async def test_time_moved_by_hand_waits_for_those_who_read(make_stage):
    stage = make_stage(rules=StreamRules(most_unsent_bytes=1000))
    wire = stage.connect("btcusdt@trade")
    wire.unread = 251
    waiting = asyncio.create_task(stage.hub.drain())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    wire.unread = 250
    await asyncio.wait_for(waiting, 30)
    wire.unread = 251
    await asyncio.wait_for(stage.hub.drain(within_s=0.05), 30)  # but not for ever
