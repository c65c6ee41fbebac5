"""Real connections: addresses, pings, limits and ends."""

import asyncio
import gc
import itertools
import socket
import time
from datetime import UTC, datetime

import aiohttp
import pytest

from automation.core.clock import to_ms
from automation.simulator import Simulator
from automation.simulator.streams.endpoint import parse
from automation.simulator.streams.rules import StreamRules

BUSY = "/".join(
    f"{symbol}usdt@{kind}@100ms"
    for symbol in ("btc", "eth", "xrp", "ada")
    for kind in ("depth20", "depth10", "depth")
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/ws/btcusdt@trade", (False, ["btcusdt@trade"])),
        ("/ws/a@b/c@d", (False, ["a@b", "c@d"])),
        ("/ws", (False, [])),
        ("/market/ws/0", (False, ["0"])),
        ("/public/ws/3", (False, ["3"])),
        ("/private/ws?listenKey=abc", (False, ["abc"])),
        ("/stream?streams=a@b/!ticker@arr", (True, ["a@b", "!ticker@arr"])),
        ("/market/stream?streams=a%40b", (True, ["a@b"])),
        ("/fapi/v1/klines", None),
        ("/", None),
        ("/market", None),
        ("/wss/x", None),
    ],
)
def test_addresses(target, expected):
    assert parse(target) == expected


@pytest.fixture
async def sim(market):
    async with Simulator(market) as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as made:
        yield made


def address(sim, path):
    return sim.url.replace("http", "ws") + path


async def end_of(websocket, within_s=5):
    """Read until the server ends it; gives the close code."""
    async with asyncio.timeout(within_s):
        async for _ in websocket:
            pass
    return websocket.close_code


async def test_other_addresses_are_refused(sim, session):
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        await session.ws_connect(address(sim, "/nope"))


async def test_the_server_pings_and_a_client_that_answers_stays(sim, session):
    sim.hub.rules = StreamRules(ping_every_s=0.1, pong_within_s=0.5)
    async with session.ws_connect(address(sim, "/ws/btcusdt@trade"), autoping=False) as websocket:
        pings = []
        async with asyncio.timeout(30):
            async for message in websocket:
                if message.type is aiohttp.WSMsgType.PING:
                    pings.append(int(message.data))
                    await websocket.pong(message.data)
                    if len(pings) == 10:
                        break
        assert abs(pings[-1] / 1000 - time.time()) < 5
        await websocket.ping(b"mine")
        kinds = {(await websocket.receive(5)).type for _ in range(3)}
        assert aiohttp.WSMsgType.PONG in kinds


async def test_a_silent_client_is_cut_off(sim, session):
    sim.hub.rules = StreamRules(ping_every_s=0.1, pong_within_s=0.3)
    async with session.ws_connect(address(sim, "/ws"), autoping=False) as websocket:
        await end_of(websocket)
    assert not sim.hub.connections


async def test_clients_that_vanish_are_forgotten_without_a_sound(sim, session, caplog):
    sim.hub.rules = StreamRules(ping_every_s=0.001)
    for _ in range(20):
        websocket = await session.ws_connect(address(sim, "/ws/btcusdt@depth5@100ms"))
        await websocket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        websocket._conn.transport.abort()
    async with asyncio.timeout(30):
        while sim.hub.connections:  # noqa: ASYNC110 - the hub has no event for it
            await asyncio.sleep(0.01)
    gc.collect()
    assert not caplog.records


async def test_a_connection_ends_after_its_day(sim, session):
    sim.hub.rules = StreamRules(longest_s=0.4)
    async with session.ws_connect(address(sim, "/ws/btcusdt@depth5@100ms")) as websocket:
        assert await end_of(websocket) == 1001


async def test_too_many_requests_end_the_connection(sim, session):
    sim.hub.rules = StreamRules(requests_per_s=10, request_burst=20)
    async with session.ws_connect(address(sim, "/ws")) as websocket:
        for number in range(25):
            await websocket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        async with asyncio.timeout(30):
            answers = [message.json()["id"] async for message in websocket]
        assert websocket.close_code == 1008
        assert answers[:20] == list(range(20))
        assert len(answers) < 25


async def test_too_many_streams_in_the_address_end_the_connection(sim, session):
    sim.hub.rules = StreamRules(most_streams=2)
    async with session.ws_connect(address(sim, "/stream?streams=a@b/c@d/e@f")) as websocket:
        assert await end_of(websocket) == 1008


async def test_who_does_not_read_is_disconnected_and_the_others_hear_on(sim, session):
    sim.hub.rules = StreamRules(most_unsent_bytes=20_000)
    port = int(sim.url.rsplit(":", 1)[1])
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        await asyncio.get_running_loop().sock_connect(lazy, ("127.0.0.1", port))
        head = (
            f"GET /stream?streams={BUSY} HTTP/1.1\r\nHost: x\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await asyncio.get_running_loop().sock_sendall(lazy, head.encode())
        async with session.ws_connect(address(sim, "/ws/btcusdt@depth5@100ms")) as websocket:
            async with asyncio.timeout(20):
                while len(sim.hub.connections) < 2:  # noqa: ASYNC110 - the hub has no event for it
                    await asyncio.sleep(0.05)
                lazy_one = sim.hub.connections[0]
                while lazy_one in sim.hub.connections:
                    for channel in range(40):  # more than the system's buffers hold
                        sim.hub.tell_public([BUSY.split("/")[channel % 12]], b"1" * 60_000)
                    await asyncio.sleep(0.01)
            started, times = time.monotonic(), []
            for _ in range(10):
                await websocket.receive_json(timeout=5)
                times.append(time.monotonic() - started)
            assert len(sim.hub.connections) == 1
            assert times[-1] < 3


async def test_time_moved_by_hand_is_told_step_by_step(market, session):
    at = datetime(2024, 8, 5, 3, tzinfo=UTC)
    async with Simulator(market, at=at, manual=True) as sim:
        sim.hub.rules = StreamRules(most_unsent_bytes=200_000)
        async with session.ws_connect(address(sim, f"/stream?streams={BUSY}")) as websocket:
            numbers = []

            async def listen():
                async for message in websocket:
                    body = message.json()
                    if body["stream"] == "btcusdt@depth@100ms":
                        numbers.append((body["data"]["pu"], body["data"]["u"]))

            hearing = asyncio.create_task(listen())
            async with asyncio.timeout(30):
                while not sim.hub.connections:  # noqa: ASYNC110 - the hub has no event for it
                    await asyncio.sleep(0.01)
            await sim.advance(60)
            async with asyncio.timeout(30):
                end_ms = to_ms(at) + 59_000
                while not numbers or numbers[-1][1] < end_ms:  # noqa: ASYNC110 - on their way
                    await asyncio.sleep(0.01)
            hearing.cancel()
        assert len(numbers) >= 59
        assert numbers[0][0] == to_ms(at)
        assert all(last == before for (_, last), (before, _) in itertools.pairwise(numbers))
