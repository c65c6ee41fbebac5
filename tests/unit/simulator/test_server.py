import asyncio
import gc
import socket
import ssl
import urllib.request
import warnings
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
import pytest

from automation.core.errors import ConfigError, DependencyError
from automation.simulator import Simulator, open_market, serving


@pytest.fixture(scope="module")
def market():
    return open_market(1)


async def test_serves_and_stops(market):
    async with Simulator(market) as sim:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{sim.url}/fapi/v1/ping") as answer,
        ):
            assert answer.status == 200
            assert answer.content_type == "application/json"
            assert await answer.json() == {}
        port = sim.port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_stops_at_once_with_a_client_still_connected(market):
    async with Simulator(market) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"{}")
        before = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - before < 2
    writer.close()


async def test_listens_on_the_loopback_only(market):
    async with Simulator(market) as sim:
        assert sim.url.startswith("http://127.0.0.1:")
        with socket.socket() as other:
            other.bind(("127.0.0.2", sim.port))  # would be taken if it listened everywhere


async def test_a_taken_port_is_a_sentence(market):
    async with Simulator(market) as sim:
        with pytest.raises(
            DependencyError, match=rf"127.0.0.1:{sim.port}: .*; choose another"
        ) as e:
            async with Simulator(market, port=sim.port):
                pass
        assert "\n" not in str(e.value)
        assert e.value.exit_code == 3


def test_runs_in_a_thread_for_callers_without_asyncio(market):
    with serving(market) as sim:
        with urllib.request.urlopen(f"{sim.url}/fapi/v1/time") as answer:
            assert b"serverTime" in answer.read()
        port = sim.port
    with serving(market, port=port) as again:
        assert again.port == port


def test_a_taken_port_in_a_thread(market):
    with serving(market) as sim, pytest.raises(DependencyError), serving(market, port=sim.port):
        pass


def test_a_taken_tls_port_frees_the_other(market):
    with serving(market) as taken:
        with pytest.raises(DependencyError), serving(market, tls_port=taken.port):
            pass
        with pytest.raises(RuntimeError, match="without tls_port"):
            _ = taken.tls_url


@pytest.mark.parametrize("year", [2019, 2030])
def test_an_instant_without_data_is_refused(put, walk, year):
    recorded = open_market(put("1h", "futures", walk(50)))
    at = datetime(year, 1, 1, tzinfo=UTC)
    message = rf"at: nothing was traded at {year}.*; choose .* from 2024-01-01 to 2024-01-03"
    with pytest.raises(ConfigError, match=message), serving(recorded, at=at):
        pass


@pytest.mark.parametrize("is_silent", [False, True])
def test_clients_that_do_not_let_go_leave_nothing_open(market, is_silent):
    """A TLS connection ends with the other's consent, which a hung client does not give."""
    trusting = ssl._create_unverified_context()
    with ExitStack() as clients:
        with serving(market, tls_port=0) as simulator:
            port = urlsplit(simulator.tls_url).port
            for _ in range(3):
                plain = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
                if is_silent:
                    continue  # not even the handshake
                client = clients.enter_context(trusting.wrap_socket(plain))
                client.sendall(b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
        with warnings.catch_warnings(record=True) as left:
            warnings.simplefilter("always")
            gc.collect()
    assert [str(each.message) for each in left] == []


@pytest.mark.parametrize("is_tls", [False, True])
def test_clients_that_come_as_it_closes_leave_nothing_open(market, is_tls):
    """Whichever turn of the loop they are accepted in: of one asyncio itself loses connections."""

    async def close_after(turns: int, clients: ExitStack) -> None:
        at = datetime(2024, 1, 2, tzinfo=UTC)
        async with Simulator(market, tls_port=0, manual=True, at=at) as sim:
            port = urlsplit(sim.tls_url).port if is_tls else sim.port
            for _ in range(20):
                clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(turns):
                await asyncio.sleep(0)

    for turns in range(6):
        with warnings.catch_warnings(record=True) as left, ExitStack() as clients:
            warnings.simplefilter("always")
            asyncio.run(close_after(turns, clients))
            gc.collect()
        assert [str(each.message) for each in left] == [], f"after {turns} turns"
