"""Faults as a client meets them, over real HTTP on the loopback."""

import asyncio
import hashlib
import hmac
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlencode

import aiohttp
import pytest

from automation.core.errors import ConfigError
from automation.simulator import Scenario, Simulator, Trading, account, open_market
from automation.simulator.trading.log import MemoryLog
from automation.simulator.trading.replay import replay

AT = datetime(2024, 8, 5, 6, tzinfo=UTC)
KLINES = "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=5"
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def exchange():
    """Make an exchange whose time the test moves; requests to it give status, JSON and headers."""

    def make(*faults, **options):
        scenario = Scenario.model_validate({"seed": 5, "faults": faults})
        return Simulator(open_market(7), at=AT, manual=True, scenario=scenario, **options)

    return make


async def ask(simulator, path=KLINES, method="GET", **options):
    timeout = aiohttp.ClientTimeout(total=1.0)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, simulator.url + path, **options) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


async def test_time_stands_until_it_is_moved(exchange):
    async with exchange() as simulator:
        _, before, _ = await ask(simulator, "/fapi/v1/time")
        await simulator.advance(timedelta(minutes=2, seconds=30))
        _, after, _ = await ask(simulator, "/fapi/v1/time")
        assert before["serverTime"] == AT.timestamp() * 1000
        assert after["serverTime"] - before["serverTime"] == 150_000
        await simulator.advance_to(AT + timedelta(hours=1))
        assert simulator.at == AT + timedelta(hours=1)
        with pytest.raises(ValueError, match="time does not go back"):
            await simulator.advance_to(AT)


async def test_only_a_manual_clock_is_moved():
    async with Simulator(open_market(7)) as simulator:
        with pytest.raises(RuntimeError, match="time passes by itself"):
            await simulator.advance(1)
    with pytest.raises(ConfigError, match="needs its first instant"):
        Simulator(open_market(7), manual=True)


async def test_an_error_has_binances_form_and_says_when_to_come_back(exchange):
    limit = {"kind": "error", "status": 429, "retry_after": "7s", "times": 1}
    async with exchange(limit) as simulator:
        status, body, headers = await ask(simulator)
        assert (status, body["code"], headers["Retry-After"]) == (429, -1003, "7")
        assert (await ask(simulator))[0] == 200


@pytest.mark.parametrize("kind", ["answer_lost", "outage"])
async def test_silence_is_a_closed_connection(exchange, kind):
    async with exchange({"kind": kind, "times": 1}) as simulator:
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(simulator, "/fapi/v1/order", "POST")
        assert (await ask(simulator))[0] == 200


async def test_a_hanging_request_gets_no_answer(exchange):
    async with exchange({"kind": "hang", "times": 1}) as simulator:
        with pytest.raises(TimeoutError):
            await ask(simulator)
        assert (await ask(simulator))[0] == 200


async def test_latency_is_time_that_passes(exchange):
    async with exchange({"kind": "latency", "delay": {"mean": "200ms"}, "times": 1}) as simulator:
        began_s = time.monotonic()
        await ask(simulator)
        late_s = time.monotonic() - began_s
        assert late_s >= 0.2


async def test_the_servers_clock_can_be_ahead(exchange):
    skew = {"kind": "clock_skew", "offset_ms": 3000, "after": "10s", "lasts": "10s"}
    async with exchange(skew) as simulator:
        told = []
        for _ in range(3):
            told.append((await ask(simulator, "/fapi/v1/time"))[1]["serverTime"])
            await simulator.advance(10)
        assert [at - AT.timestamp() * 1000 for at in told] == [0, 13_000, 20_000]


async def test_a_crash_is_in_candles_prices_and_book_and_passes(exchange):
    crash = {
        "kind": "flash_crash", "symbols": ["BTCUSDT"], "after": "5m", "move_frac": -0.3,
        "falls": "30s", "stays": "90s", "recovers": "2m",
    }  # fmt: skip
    async with exchange(crash) as simulator:

        async def price():
            return float((await ask(simulator, "/fapi/v1/ticker/price?symbol=BTCUSDT"))[1]["price"])

        calm = await price()
        await simulator.advance(timedelta(minutes=6, seconds=30))
        low = await price()
        assert low < 0.75 * calm
        _, book, _ = await ask(simulator, "/fapi/v1/depth?symbol=BTCUSDT&limit=5")
        assert float(book["bids"][0][0]) == pytest.approx(low, rel=0.01)
        _, mark, _ = await ask(simulator, "/fapi/v1/premiumIndex?symbol=BTCUSDT")
        assert float(mark["markPrice"]) == pytest.approx(low, rel=0.01)
        _, rows, _ = await ask(simulator)
        assert float(rows[-1][4]) == low
        await simulator.advance(timedelta(minutes=10))
        assert await price() > 0.95 * calm
        _, rows, _ = await ask(simulator, KLINES.replace("limit=5", "limit=30"))
        assert min(float(row[3]) for row in rows) < 0.75 * calm


async def test_a_delisted_symbol_is_settling(exchange):
    async with exchange({"kind": "delisting", "symbols": ["ETHUSDT"]}) as simulator:
        _, info, _ = await ask(simulator, "/fapi/v1/exchangeInfo")
        status = {each["symbol"]: each["status"] for each in info["symbols"]}
        assert (status["ETHUSDT"], status["BTCUSDT"]) == ("SETTLING", "TRADING")


async def test_a_thin_book_has_less_on_it(exchange):
    thin = {"kind": "thin_book", "depth": 0.1, "after": "1m"}
    async with exchange(thin) as simulator:

        async def size():
            _, book, _ = await ask(simulator, "/fapi/v1/depth?symbol=BTCUSDT&limit=100")
            return sum(float(quantity) for _, quantity in book["bids"])

        full = await size()
        await simulator.advance(60)
        assert await size() < 0.5 * full


async def test_the_same_seed_and_requests_give_the_same_log(exchange):
    faults = (
        {"kind": "error", "probability": 0.5},
        {"kind": "clock_skew", "offset_ms": 1, "after": "5s", "lasts": "2s"},
    )

    async def run():
        async with exchange(*faults) as simulator:
            for _ in range(12):
                await ask(simulator)
                await simulator.advance(1)
            return simulator.faults.log

    first, again = await run(), await run()
    assert first == again
    assert len(first) > 5


async def test_admin_needs_the_loopback_and_the_token(exchange):
    async with exchange(admin_token="secret") as simulator:
        for headers in ({}, {"Authorization": "Bearer guess"}):
            status, body, _ = await ask(simulator, "/admin/faults", headers=headers)
            assert status == 403
            assert body["msg"] == "the admin interface needs its token: Authorization: Bearer TOKEN"
        told = simulator._front.admin.reply(
            "GET", "/admin/faults", "10.0.0.9", "Bearer secret", b""
        )
        assert told[0] == 403
        assert b"on the loopback only" in told[1]
    async with exchange() as simulator:
        status, body, _ = await ask(simulator, "/admin/faults", headers=TOKEN)
        assert status == 403
        assert "start the simulator with a token" in body["msg"]
    async with Simulator(open_market(7)) as simulator:
        assert (await ask(simulator, "/admin/faults", headers=TOKEN))[0] == 403


async def test_admin_arms_lists_and_lifts(exchange):
    async with exchange(admin_token="secret") as simulator:

        async def admin(method, path="", **options):
            status, body, _ = await ask(
                simulator, f"/admin/faults{path}", method, headers=TOKEN, **options
            )
            return status, body

        armed = {"kind": "error", "status": 500, "name": "broken"}
        assert await admin("POST", json=armed) == (200, {"name": "broken"})
        assert (await ask(simulator))[0] == 500
        _, listed = await admin("GET")
        assert [(f["name"], f["hits"], f["is_on"]) for f in listed["faults"]] == [
            ("broken", 1, True)
        ]
        assert [entry[3] for entry in listed["log"]] == ["armed", "began", "request"]
        assert (await admin("DELETE", "/broken"))[0] == 200
        assert (await ask(simulator))[0] == 200
        for body, sentence in (
            ({"kind": "earthquake"}, "there is no kind earthquake"),
            ({"kind": "halt", "symbols": ["XUSDT"]}, "there is no symbol XUSDT"),
            ({"kind": "outage", "colour": 1}, "colour: unknown key"),
            ({"kind": "outage", "name": "broken"}, "named broken already"),
        ):
            status, told = await admin("POST", json=body)
            assert status == 400
            assert sentence in told["msg"]
        assert (await admin("POST", data=b"{"))[0] == 400
        assert (await admin("DELETE", "/none"))[0] == 400


async def test_a_crash_by_admin_begins_with_the_next_minute(exchange):
    async with exchange(admin_token="secret") as simulator:
        await simulator.advance(17)
        crash = {"kind": "price_gap", "move_frac": -0.2, "symbols": ["BTCUSDT"]}
        before = (await ask(simulator))[1][-1]
        await ask(simulator, "/admin/faults", "POST", headers=TOKEN, json=crash)
        await simulator.advance(40)
        _, (*_, same), _ = await ask(simulator)
        assert same[1] == before[1]
        await simulator.advance(5)
        _, (*_, fallen), _ = await ask(simulator)
        assert float(fallen[4]) < 0.82 * float(before[4])


async def test_unknown_symbols_are_told_before_anything_listens(exchange):
    with pytest.raises(ConfigError, match="there is no symbol XUSDT"):
        async with exchange({"kind": "halt", "symbols": ["XUSDT"]}):
            pytest.fail("it started")


async def test_a_beat_settles_what_nobody_asks_about():
    scenario = Scenario.model_validate({"faults": [{"kind": "outage", "after": "200ms"}]})
    async with Simulator(open_market(7), scenario=scenario) as simulator:
        async with asyncio.timeout(30):
            while not simulator.faults.log:  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.05)
        assert simulator.faults.log[0][3] == "began"


class Trader:
    """Signs requests of one account to a running exchange."""

    def __init__(self, simulator):
        self.simulator = simulator

    async def order(self, **more):
        wanted = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 0.01} | more
        wanted["timestamp"] = self.simulator.desk.now_ms
        query = urlencode(wanted)
        signature = hmac.new(b"s", query.encode(), hashlib.sha256).hexdigest()
        path = f"/fapi/v1/order?{query}&signature={signature}"
        return await ask(self.simulator, path, "POST", headers={"X-MBX-APIKEY": "k"})


@pytest.fixture
def traded(exchange):
    def make(*faults):
        log = MemoryLog()
        trading = Trading(
            [account("one", "k", "s", 1000), account("two", "k2", "s2", 1000)], log=log
        )
        return exchange(*faults, trading=trading), log

    return make


async def test_an_order_whose_answer_is_lost_was_taken(traded):
    lost = {"kind": "answer_lost", "times": 1, "match": {"method": "POST", "path": "*/order"}}
    made, log = traded(lost)
    async with made as simulator:
        trader = Trader(simulator)
        with pytest.raises(aiohttp.ClientConnectionError):
            await trader.order()
        account_ = simulator.desk.exchange.accounts["one"]
        assert account_.position("BTCUSDT").size == 10
        assert (await trader.order())[0] == 200
        assert account_.position("BTCUSDT").size == 20
        contracts = simulator.desk.exchange.contracts
        specs = [each.spec for each in simulator.desk.exchange.accounts.values()]
    kinds = [line[:8] for line in log.lines]
    assert kinds.count(b'["fault"') == 3  # began, hit, ended
    again = replay(log.lines, contracts, specs)
    assert again.accounts["one"].wallet == account_.wallet


async def test_the_same_seed_and_requests_give_the_same_event_log(traded):
    faults = (
        {"kind": "answer_lost", "probability": 0.3, "match": {"account": "one"}},
        {"kind": "price_gap", "move_frac": -0.1, "after": "65s"},
        {"kind": "halt", "symbols": ["BTCUSDT"], "after": "100s", "lasts": "20s"},
    )

    async def run():
        made, log = traded(*faults)
        async with made as simulator:
            for number in range(14):
                with suppress(aiohttp.ClientConnectionError):
                    await Trader(simulator).order(side="BUY" if number % 3 else "SELL")
                await simulator.advance(10)
        return log.content

    first, again = await run(), await run()
    assert first == again
    assert b"answer lost" in first


async def test_a_halted_symbol_takes_no_orders_and_a_revoked_key_does_nothing(traded):
    made, _ = traded(
        {"kind": "halt", "symbols": ["BTCUSDT"], "lasts": "30s"},
        {"kind": "revoked_key", "account": "one", "after": "60s"},
    )
    async with made as simulator:
        trader = Trader(simulator)
        assert (await trader.order())[0] == 400
        await simulator.advance(40)
        assert (await trader.order())[0] == 200
        await simulator.advance(40)
        status, body, _ = await trader.order()
        assert (status, body["code"]) == (401, -2015)


async def test_streams_lose_double_and_stall_messages(exchange):
    async with exchange(
        {"kind": "stream_duplicate", "match": {"stream": "btcusdt@markPrice@1s"}, "lasts": "3s"},
        {"kind": "stream_drop", "match": {"stream": "btcusdt@markPrice@1s"}, "after": "4s", "lasts": "3s"},
        {"kind": "stream_cut", "after": "9s", "times": 1},
    ) as simulator, aiohttp.ClientSession() as session:  # fmt: skip
        url = simulator.url.replace("http", "ws") + "/ws/btcusdt@markPrice@1s"
        times = []

        async def read(socket):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    times.append(message.json()["E"])  # noqa: PERF401  read while time is moved

        async with session.ws_connect(url) as socket:
            reading = asyncio.create_task(read(socket))
            for _ in range(12):
                await asyncio.sleep(0.05)
                await simulator.advance(1)
            await asyncio.wait_for(reading, 30)
        per_time = Counter(times)
        assert 2 in per_time.values()
        assert max(times) - AT.timestamp() * 1000 < 12_000  # cut off
        gaps = [late - early for early, late in pairwise(sorted(per_time))]
        assert max(gaps) >= 3000
