"""A simulator with accounts that is killed and started again is where live bots know it."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict

import httpx
import pytest

from automation.core.clock import SystemClock
from automation.core.config import Fleet
from automation.core.errors import DependencyError
from automation.core.model import SIMULATOR
from automation.fleet import market
from automation.fleet.home import Home, make_private, read_json, write_json
from automation.fleet.identity import identify
from automation.fleet.ports import find_free
from automation.fleet.site import Site


@pytest.fixture
def site(tmp_path, root, monkeypatch):
    monkeypatch.setenv("A_KEY", "k")
    monkeypatch.setenv("A_SECRET", "s")
    account = {"key": "env:A_KEY", "secret": "env:A_SECRET", "capital_usdt": 1000}
    bot = {"name": "a", "strategy": "S", "mode": "live", "account": "main"}
    raw = {"fleet": "f", "exchange": {"accounts": {"main": account}}, "bots": [bot]}
    return Site(Fleet.model_validate(raw), Home(tmp_path), root, sys.executable)


def fly(site, port) -> tuple[str, subprocess.Popen]:
    """Start a simulator as the supervisor does; gives where live bots reach it."""
    launch = market.render_simulator(site, port, SystemClock())
    process = subprocess.Popen(launch.argv, env=dict(launch.env), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not market.client_config(site.home).exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    section = market.read_exchange_section(site.home)
    url = section["ccxt_config"]["urls"]["api"]["fapiPublic"]
    assert url.startswith("https://")
    return url, process


def test_it_keeps_its_tls_port_through_a_kill(site):
    port = find_free()
    url, process = fly(site, port)
    process.kill()
    process.wait()
    again, process = fly(site, port)
    try:
        assert again == url
        assert httpx.get(f"{again}/ping", verify=False).status_code == 200
    finally:
        process.kill()
        process.wait()


def tls_port(site) -> int:
    words = market.render_simulator(site, 20_000, SystemClock()).argv
    return int(words[words.index("--tls-port") + 1])


def test_a_port_that_somebody_took_is_left_to_him_while_no_bot_knows_it(site):
    kept = tls_port(site)
    assert tls_port(site) == kept
    with socket.create_server(("127.0.0.1", kept)):
        assert tls_port(site) != kept


def test_a_port_that_living_bots_know_is_not_given_up(site):
    kept = tls_port(site)
    ours = identify(os.getpid())
    make_private(site.home.unit("a"))
    write_json(site.home.unit("a") / "process.json", asdict(ours))
    with (
        socket.create_server(("127.0.0.1", kept)),
        pytest.raises(DependencyError, match=f"port {kept}, where its bots reach it, is taken"),
    ):
        tls_port(site)
    assert tls_port(site) == kept


def test_a_fleet_that_was_taken_down_begins_anew(site):
    tls_port(site)
    market.forget(site.home)
    assert read_json(site.home.unit(SIMULATOR) / "tls.json") == {}
