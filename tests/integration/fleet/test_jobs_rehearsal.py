"""Rehearsals as one-shot containers of a real engine, for a supervisor without Freqtrade."""

import asyncio
import json
import shutil
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from automation.app import fleets
from automation.core.config import Fleet
from automation.core.errors import ConfigError, FreqfleetError
from automation.core.masking import register_secret
from automation.fleet import commands
from automation.fleet.containers.engine import Engine
from automation.fleet.supervisor import Surroundings
from automation.journal import Journal
from tests.contract.docker_engine import BORROWED, IMAGE

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

REPOSITORY = Path(__file__).resolve().parents[3]
READABLE = [str(path) for path in (*BORROWED, sys.base_prefix, sys.prefix, REPOSITORY)]
STRATEGY = """
from freqtrade.strategy import IStrategy


class FakeStrategy(IStrategy):
    timeframe = "5m"
    can_short = True
    minimal_roi = {"30": 0}
    stoploss = -0.1
    startup_candle_count = 20

    def populate_indicators(self, dataframe, metadata):
        dataframe["line"] = dataframe["close"].rolling(10).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["line"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""
BROKEN = STRATEGY.replace("from freqtrade", "import no_such_thing\nfrom freqtrade", 1)
WAITS = STRATEGY.replace("class Fake", "import time\n\ntime.sleep(600)\n\n\nclass Fake", 1)
SECRETS = {
    "exchange": {"key": "sEcReT-key", "secret": "sEcReT-secret", "uid": "sEcReT-uid"},
    "telegram": {"enabled": False, "token": "sEcReT-token", "chat_id": "sEcReT-chat"},
    "api_server": {"password": "sEcReT-password", "jwt_secret_key": "sEcReT-jwt"},
    "of_a_strategy": {"service_token": "sEcReT-own", "address": "https://me:sEcReT-url@host/x"},
    "said": "by name sEcReT-registered",
}


class Sidecar:
    """A supervisor over one bot that stands for Freqtrade; its rehearsals are the real thing."""

    def __init__(self, flight, home: Path, fleet: Fleet, address: str) -> None:
        self.root, self.home, self.fleet, self._address = flight.root, home, fleet, address

    def change(self, text: str) -> None:
        (self.root / "strategies" / "Fakes.py").write_text(text)

    def reload(self) -> "asyncio.Task[str]":
        asked = asyncio.to_thread(commands.bot_action, self.home, "bot-a", "reload")
        return asyncio.create_task(asked)

    def runs(self) -> str:
        return (self.home / "bots/bot-a/accepted/strategies/Fakes.py").read_text()

    def containers(self) -> list[dict]:
        engine = Engine(self._address)
        found = engine._docker().api.containers(all=True, filters={"label": "freqfleet.unit=job"})
        seen = [engine.inspect(one["Id"]) for one in found]
        engine.close()
        return [one for one in seen if one is not None]

    async def container(self) -> dict:
        """Wait for the rehearsal under way."""
        for _ in range(600):
            for one in await asyncio.to_thread(self.containers):
                if one["State"]["Running"] and list((self.home / "jobs").glob("*/out")):
                    return one
            await asyncio.sleep(0.1)
        raise AssertionError("no rehearsal began")

    def handed(self) -> dict[str, str]:
        """Read what the container can read of the rehearsal's own."""
        (folder,) = (self.home / "jobs").iterdir()
        return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}

    async def told(self, count: int) -> list[bool]:
        """Read what the journal tells of rehearsals, once that many are written down."""
        for _ in range(300):
            with Journal.open(self.home / "journal.sqlite", read_only=True) as journal:
                found = [e.payload["passed"] for e in journal.search(kind="bot.rehearsed")]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"only {found}")

    def nothing_is_left(self) -> bool:
        return self.containers() == [] and list((self.home / "jobs").iterdir()) == []


@pytest.fixture
async def sidecar(flight, docker_address, tmp_path, monkeypatch):
    """A fleet under the supervisor that `freqfleet up` builds, as where no Freqtrade is."""
    home = tmp_path / "state"
    shutil.copytree(REPOSITORY / "configs", flight.root / "configs", dirs_exist_ok=True)
    (flight.root / "own.json").write_text(json.dumps(SECRETS))
    register_secret("sEcReT-registered")
    for name, value in {
        "FREQFLEET_ROOT": str(flight.root),
        "FREQFLEET_HOME": str(home),
        "FREQFLEET_JOBS": "docker",
        "OF_THE_SUPERVISOR": "sEcReT-environment",
    }.items():
        monkeypatch.setenv(name, value)
    around = partial(Surroundings, root=flight.root, python=flight.python, timing=flight.timing)
    monkeypatch.setattr(fleets, "Surroundings", around)
    docker = {
        "image": IMAGE,
        "engine": docker_address,
        "python": sys.executable,
        "user": "0:0",  # this machine's Python may be root's alone
        "mounts": READABLE,
    }
    raw = flight.fleet().model_dump(mode="json", exclude_unset=True) | {"docker": docker}
    raw["bots"][0]["configs"] = ["own.json"]
    fleet = Fleet.model_validate(raw)
    made = Sidecar(flight, home, fleet, docker_address)
    made.change(STRATEGY)
    task = made.task = asyncio.create_task(fleets.supervise(fleet))
    async with asyncio.timeout(60):
        while not task.done():
            with suppress(FreqfleetError):
                found = await asyncio.to_thread(commands.status, home)
                if found is not None and found.healthy:
                    break
            await asyncio.sleep(0.2)
    yield made
    with suppress(FreqfleetError):
        await asyncio.to_thread(commands.stop, home)
    await asyncio.wait_for(task, 60)


async def test_a_good_change_is_taken_up_and_a_broken_one_refused(sidecar):
    good = STRATEGY.replace("rolling(10)", "rolling(12)")
    sidecar.change(good)
    asked = sidecar.reload()
    seen, handed = await sidecar.container(), sidecar.handed()
    assert "reloads" in await asked
    assert sidecar.runs() == good
    assert sidecar.nothing_is_left()
    assert (seen["HostConfig"]["NetworkMode"], seen["Config"]["Cmd"][-2:]) == (
        "none", ["rehearse", "asked.json"],
    )  # fmt: skip
    assert "sEcReT" not in json.dumps(seen)
    assert handed["Fakes.py"] == good
    assert json.loads(handed["settings.json"])["said"] == "by name ***"
    assert "sEcReT" not in json.dumps(handed)
    places = {bind.split(":")[0]: bind.split(":")[2] for bind in seen["HostConfig"]["Binds"]}
    writable = {place for place, mode in places.items() if mode == "rw"}
    assert str(sidecar.home / "rehearsal") in writable
    assert len(writable) == 2  # and its own scratch folder
    assert not any(place.startswith(str(sidecar.home / "bots")) for place in places)

    sidecar.change(BROKEN)
    with pytest.raises(ConfigError, match=r"goes on with the old: loads: .*no_such_thing"):
        await sidecar.reload()
    assert sidecar.runs() == good
    assert sidecar.nothing_is_left()
    assert await sidecar.told(2) == [True, False]


async def test_a_supervisor_that_ends_leaves_no_rehearsal_behind(sidecar):
    sidecar.change(WAITS)
    asked = sidecar.reload()
    await sidecar.container()
    status = await asyncio.to_thread(commands.status, sidecar.home)
    assert "is rehearsed" in status.bots[0].changing  # and the loop goes on
    assert "is down" in await asyncio.to_thread(commands.stop, sidecar.home)
    with pytest.raises(FreqfleetError, match="the supervisor ended before it was rehearsed"):
        await asyncio.wait_for(asked, 20)
    await asyncio.wait_for(sidecar.task, 20)
    assert sidecar.nothing_is_left()
    assert "time.sleep" not in sidecar.runs()
