"""`doctor` finds what would keep a fleet from flying, and `init` writes fleets that fly."""

import importlib.metadata
import re
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from automation.core.config import Fleet, Mode, Profile
from automation.core.configfile import load_fleet
from automation.core.errors import ConfigError
from automation.fleet.doctor import Grade, doctor
from automation.fleet.initial import InitAnswers, VenueChoice, init_fleet
from automation.fleet.preflight import faults
from automation.fleet.site import Site
from automation.fleet.weight import BotLoad, minute_weight, startup_weight, timeframe_s

NOWHERE = "http://127.0.0.1:9/time"


def grades(checks) -> dict[str, Grade]:
    order = [Grade.GOOD, Grade.WARNING, Grade.BAD]
    worst: dict[str, Grade] = {}
    for check in checks:
        known = worst.get(check.name, Grade.GOOD)
        worst[check.name] = max(known, check.grade, key=order.index)
    return worst


def test_a_good_fleet_on_the_simulator_has_no_bad_check(site_of):
    checks = doctor(site_of(exchange={"venue": "simulator"}), NOWHERE)
    assert [check for check in checks if check.grade is Grade.BAD] == []
    names = {check.name for check in checks}
    assert {"python", "disk", "ports", "clock", "data", "configurations"} <= names
    assert "request weight" in names


def test_what_is_wrong_is_told_with_its_place(site_of, monkeypatch):
    monkeypatch.setenv("FREQTRADE__DRY_RUN", "false")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        bots = [
            {"name": "a", "strategy": "Nope", "api_port": port},
            {"name": "b", "strategy": "FakeStrategy", "resources": {"memory_mb": 500}},
        ]
        checks = doctor(site_of(bots=bots), NOWHERE)
    found = grades(checks)
    assert found["configurations"] is Grade.BAD
    assert found["ports"] is Grade.BAD
    assert found["clock"] is Grade.BAD  # nobody answers
    assert found["environment"] is Grade.WARNING
    assert "limits" in found
    assert any(str(port) in check.sentence for check in checks if check.name == "ports")


async def test_the_clock_is_compared_with_the_exchange(site_of):
    import asyncio
    import time

    async def answer(_request):
        return web.json_response({"serverTime": int((time.time() - 60) * 1000)})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        checks = await asyncio.to_thread(doctor, site_of(), url)
    finally:
        await runner.cleanup()
    (clock,) = [check for check in checks if check.name == "clock"]
    assert clock.grade is Grade.BAD
    assert re.search(r"\+(59\.9|60)", clock.sentence)  # less the way of the answer


def test_missing_data_is_named(site_of, tmp_path):
    folder = tmp_path / "data" / "futures"
    folder.mkdir(parents=True)
    exchange = {"venue": "simulator", "simulator": {"data": str(tmp_path / "data")}}
    assert grades(doctor(site_of(exchange=exchange)))["data"] is Grade.BAD
    (folder / "BTC_USDT_USDT-5m-futures.feather").write_bytes(b"")
    assert grades(doctor(site_of(exchange=exchange)))["data"] is Grade.GOOD


def test_a_fleet_too_heavy_for_one_address(site_of):
    pairs = [f"A{n}/USDT:USDT" for n in range(100)]
    bots = [{"name": f"b{n}", "strategy": "FakeStrategy", "pairs": pairs} for n in range(10)]
    assert grades(doctor(site_of(bots=bots), NOWHERE))["request weight"] is Grade.BAD


def test_request_weight_follows_pairs_and_time_frame():
    small = BotLoad(pairs=3, timeframe_s=300, open_trades=3)
    large = BotLoad(pairs=80, timeframe_s=60, open_trades=3)
    assert minute_weight(small) < minute_weight(large)
    assert startup_weight(BotLoad(80, 300, 3, startup_candles=1500)) == 46 + 80 * 4 * 2
    assert timeframe_s("4h") == 14400
    with pytest.raises(ValueError, match="time frame"):
        timeframe_s("5x")


@pytest.mark.parametrize("venue", VenueChoice)
@pytest.mark.parametrize("profile", Profile)
def test_init_writes_a_fleet_that_loads(venue, profile, tmp_path, root):
    text = init_fleet(InitAnswers(venue, profile, capital_usdt=1234.57))
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    fleet = load_fleet(path)
    assert all(bot.profile is profile for bot in fleet.bots)
    assert sum(bot.capital_usdt for bot in fleet.bots) <= 1234.57
    is_live = venue is VenueChoice.BINANCE_LIVE
    assert all((bot.mode is Mode.LIVE) == is_live for bot in fleet.bots)
    site = Site(fleet, None, root, "python")
    assert faults(site) == []


def test_init_refuses_no_capital():
    with pytest.raises(ConfigError, match="more than 0"):
        init_fleet(InitAnswers(capital_usdt=0))


def test_the_demo_fleet_fits_the_pack(root):
    fleet = load_fleet(Path(root) / "configs" / "fleet.yaml")
    assert faults(Site(fleet, None, root, "python")) == []
    assert len(fleet.bots) == 3
    assert isinstance(yaml.safe_load((root / "configs" / "fleet.yaml").read_text()), dict)
    assert isinstance(fleet, Fleet)


def test_a_fleet_of_containers_needs_no_freqtrade_beside_it(site_of, monkeypatch):
    def lacks(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", lacks)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    contained = {"name": "a", "strategy": "FakeStrategy", "runner": "docker"}
    site = replace(site_of(bots=[contained]), python=sys.executable)
    found = grades(doctor(site, NOWHERE))
    assert (found["freqtrade"], found["docker"]) == (Grade.GOOD, Grade.BAD)
    plain = replace(site_of(), python=sys.executable)
    assert grades(doctor(plain, NOWHERE))["freqtrade"] is Grade.BAD
