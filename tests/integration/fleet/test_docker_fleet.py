"""A supervised fleet whose bots are containers: up, killed, paused, adopted, down; no engine."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from automation.core.config import Fleet
from automation.core.errors import TransientError
from automation.core.model import BotState, Health
from automation.fleet.commands import status, stop
from automation.fleet.containers.engine import Engine
from automation.fleet.doctor import Grade, doctor
from automation.fleet.home import Home
from automation.fleet.site import Site
from tests.contract.docker_engine import BORROWED, IMAGE

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def contained(flight, docker_address):
    """Make a fleet of containers that borrow this machine's Python."""
    flight.timing = replace(flight.timing, startup_s=30.0, hung_s=20.0)  # a container starts slowly

    def make(*strategies: str, runner: str = "docker", engine: str = docker_address) -> Fleet:
        readable = [*BORROWED, sys.base_prefix, sys.prefix, str(REPOSITORY), str(flight.root)]
        docker = {
            "image": IMAGE,
            "engine": engine,
            "python": flight.python,
            "user": "0:0",  # this machine's Python may be root's alone
            "mounts": readable,
        }
        raw = flight.fleet(*strategies, runner=runner).model_dump(mode="json", exclude_unset=True)
        return Fleet.model_validate(raw | {"docker": docker})

    return make


def containers(address: str) -> list[dict]:
    engine = Engine(address)
    found = engine._docker().api.containers(filters={"label": "freqfleet.unit"})
    engine.close()
    return found


def bot_of(status):
    return status.bots[0]


async def test_a_fleet_of_containers_goes_up_and_down(flight, contained, docker_address):
    async with flight.up(contained("FakeStrategy", "FakeStrategy")) as fleet:
        found = await flight.until(fleet, lambda s: s.healthy, 60)
        assert [bot.state for bot in found.bots] == [BotState.RUNNING] * 2
        assert len(containers(docker_address)) == 2
    assert containers(docker_address) == []


async def test_a_killed_container_comes_back_by_itself(flight, contained):
    async with flight.up(contained()) as fleet:
        before = bot_of(await flight.until(fleet, lambda s: s.healthy, 60))
        os.kill(before.pid, signal.SIGKILL)
        after = await flight.until(
            fleet, lambda s: s.healthy and bot_of(s).pid not in (None, before.pid), 60
        )
        assert bot_of(after).restarts == 1
    (exited, _) = flight.events("bot.exited")
    assert exited.payload["exit_code"] == -9


async def test_the_next_supervisor_adopts_containers_and_down_ends_them(
    flight, contained, docker_address
):
    supervisor = flight.supervisor(contained())
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    before = bot_of(await flight.until(supervisor, lambda s: s.healthy, 60))
    await flight.lose(supervisor, task)
    seen = status(flight.home)
    assert bot_of(seen).state is BotState.RUNNING
    async with flight.up(contained()) as successor:
        after = bot_of(await flight.until(successor, lambda s: s.healthy, 60))
        assert after.adopted
        assert after.pid == before.pid
        assert not after.outdated
    assert containers(docker_address) == []


async def test_down_ends_containers_that_nobody_watches(flight, contained, docker_address):
    supervisor = flight.supervisor(contained())
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    await flight.until(supervisor, lambda s: s.healthy, 60)
    await flight.lose(supervisor, task)
    said = await asyncio.to_thread(stop, flight.home)
    assert "bot-a" in said
    assert containers(docker_address) == []


async def test_a_bot_that_moves_between_runners_runs_once(flight, contained, docker_address):
    supervisor = flight.supervisor(contained())
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    await flight.until(supervisor, lambda s: s.healthy, 60)
    await flight.lose(supervisor, task)
    async with flight.up(contained(runner="process")) as successor:
        found = bot_of(await flight.until(successor, lambda s: s.healthy, 60))
        assert found.adopted
        assert found.outdated
        assert len(containers(docker_address)) == 1


async def test_a_missing_image_is_told_and_the_bot_waits(flight, contained):
    fleet_file = contained()
    docker = fleet_file.docker.model_copy(update={"image": "nobody/has:this"})
    async with flight.up(fleet_file.model_copy(update={"docker": docker})) as fleet:
        found = await flight.until(fleet, lambda s: bot_of(s).state is BotState.FAILED, 30)
        assert bot_of(found).health is Health.UNHEALTHY
        assert "nobody/has:this: there is no such image" in bot_of(found).reason


async def test_without_an_engine_nothing_is_begun(flight, contained, tmp_path):
    supervisor = flight.supervisor(contained(engine=f"unix://{tmp_path}/no.sock"))
    with pytest.raises(TransientError, match="the Docker Engine does not answer"):
        await supervisor.run(handle_signals=False)
    assert flight.processes() == []


def test_doctor_looks_for_engine_and_image(flight, contained, tmp_path):
    def said(fleet):
        site = Site(fleet, Home(flight.home), flight.root, flight.python)
        (check,) = [c for c in doctor(site, "http://127.0.0.1:9/time") if c.name == "docker"]
        return check

    good = contained()
    assert said(good).grade is Grade.GOOD
    missing = good.docker.model_copy(update={"image": "nobody/has:this"})
    check = said(good.model_copy(update={"docker": missing}))
    assert (check.grade, "nobody/has:this" in check.sentence) == (Grade.BAD, True)
    check = said(contained(engine=f"unix://{tmp_path}/no.sock"))
    assert check.grade is Grade.BAD
    assert "does not answer" in check.sentence
    site = Site(contained(runner="process"), Home(flight.home), flight.root, flight.python)
    assert "docker" not in {c.name for c in doctor(site, "http://127.0.0.1:9/time")}


@pytest.fixture
def pod(docker_address):
    """A container that does nothing but have this machine's network."""
    engine = Engine(docker_address)
    api = engine._docker().api
    host = api.create_host_config(
        network_mode="host", binds=[f"{place}:{place}:ro" for place in BORROWED]
    )
    made = api.create_container(
        IMAGE, ["300"], entrypoint=["/bin/sleep"], name="freqfleet-pod", host_config=host
    )
    engine.start(made["Id"])
    yield "container:freqfleet-pod"
    engine.remove(made["Id"])
    engine.close()


async def test_bots_share_the_network_of_a_pod_and_outlive_their_supervisor(
    flight, contained, docker_address, pod
):
    raw = contained()
    fleet = raw.model_copy(update={"docker": raw.docker.model_copy(update={"network": pod})})
    supervisor = flight.supervisor(fleet)
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    before = bot_of(await flight.until(supervisor, lambda s: s.healthy, 60))
    (found,) = containers(docker_address)
    assert found["HostConfig"]["NetworkMode"].startswith("container:")
    assert found["Ports"] == []
    await flight.lose(supervisor, task)
    async with flight.up(fleet) as successor:
        after = bot_of(await flight.until(successor, lambda s: s.healthy, 60))
        assert (after.adopted, after.pid) == (True, before.pid)
    assert containers(docker_address) == []
