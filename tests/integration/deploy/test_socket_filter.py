"""The filter before the Docker socket, with a real engine: what the runner asks passes, no more."""

import copy
import io
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from automation.core.errors import DependencyError
from automation.core.seams import Container, Launch, Mount, Patience
from automation.fleet.containers.engine import Engine
from automation.fleet.containers.jobs import Job, run
from automation.fleet.containers.runner import DockerRunner
from automation.fleet.containers.spec import arguments
from tests.contract.docker_engine import BORROWED, IMAGE, borrowed

USER = "1000:1000"


@pytest.fixture
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("filter")
    made.chmod(0o755)
    (made / "bots" / "a").mkdir(parents=True)
    return made


def listens(place: Path) -> bool:
    # The file is there an instant before anybody listens.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(place))
        return True
    return False


@pytest.fixture
def filtered(docker_address, folder):
    """The address of a filter that runs as it does beside a sidecar: as a program."""
    listen = folder / "docker.sock"
    command = [
        sys.executable, "-m", "automation.fleet.containers.socketfilter",
        "--engine", docker_address.removeprefix("unix://"), "--listen", str(listen),
        "--image", IMAGE, "--network", "none", "--writable", str(folder / "bots"),
    ]  # fmt: skip
    command += [word for place in BORROWED for word in ("--readable", place)]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, stderr=log)
    deadline = time.monotonic() + 20
    while not listens(listen):
        assert running.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"unix://{listen}"
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0
    assert not listen.exists()


@pytest.fixture
def launch(folder):
    home = folder / "bots" / "a"
    code = "import time; print('up', flush=True); time.sleep(600)"
    mounts = (*borrowed(), Mount(home, home, is_writable=True))
    container = Container(
        IMAGE, mounts=mounts, memory_mb=64, pids=16, user=USER, networks=("none",)
    )
    argv = ("/usr/bin/python3", "-c", code)
    return Launch(
        "a", home, argv, {}, Path("/"), home / "console.log", str(home), container=container
    )


@pytest.fixture
def open_engine(docker_address):
    engine = Engine(docker_address)
    yield engine
    engine.close()


@pytest.fixture
def engine(filtered):
    engine = Engine(filtered)
    yield engine
    engine.close()


async def test_the_runner_does_all_of_its_work_through_the_filter(filtered, launch):
    runner = DockerRunner(Engine(filtered))
    facts = await runner.start(launch)
    assert facts.is_alive
    successor = DockerRunner(Engine(filtered))
    assert (await successor.adopt(launch)).identity == facts.identity
    await successor.close()
    ended = await runner.stop("a", Patience(0, 0, 5))
    assert not ended.is_alive
    await runner.close()
    assert (await DockerRunner(Engine(filtered)).adopt(launch)).identity is None


def test_a_job_runs_to_its_end_through_the_filter(engine, folder):
    """Its image has no freqfleet, which is told: every request of a job has passed by then."""
    mounts = tuple(mount.source for mount in borrowed())
    job = Job(("show",), IMAGE, Path("/"), mounts, python="/nowhere/python", user=USER, cpus=1.0)
    with pytest.raises(DependencyError, match="freqfleet does not start in it"):
        run(engine, job, folder / "bots" / "jobs", io.BytesIO(), io.BytesIO())


def test_a_death_is_told_through_the_filter(engine, launch, filtered):
    import threading

    container = engine.create(arguments(launch))
    told: list[str] = []
    listener = Engine(filtered)

    def listen():
        with suppress(DependencyError):
            listener.deaths("freqfleet.mark", told.append)

    threading.Thread(target=listen, daemon=True).start()
    time.sleep(1.0)  # until the stream is open
    engine.start(container)
    assert engine.has_image(IMAGE)
    engine.signal(container, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while container not in told and time.monotonic() < deadline:
        time.sleep(0.05)
    assert container in told
    assert isinstance(engine.logs(container, 5), bytes)
    engine.remove(container)
    assert engine.inspect(container) is None


def refused(engine: Engine, method: str, path: str, **document):
    api = engine._docker().api
    answer = api.request(method, api._url(path), json=document or None, timeout=10)
    assert answer.status_code == 403, (path, answer.status_code, answer.text)
    return answer.json()["message"]


def test_what_no_fleet_needs_is_refused(engine):
    for asked in (
        "GET /containers/json", "GET /info", "GET /secrets", "GET /events", "GET /volumes",
        "GET /images/other/json", "POST /build", "POST /images/create", "POST /networks/create",
        "POST /volumes/create", "POST /exec/abc/start", "POST /containers/prune",
        "POST /containers/create", "POST /swarm/init", "POST /session",
    ):  # fmt: skip
        assert "the socket filter refuses" in refused(engine, *asked.split())


def test_no_program_is_started_in_a_running_container(engine, launch):
    container = engine.create(arguments(launch))
    try:
        for way in ("exec", "attach", "update", "rename", "commit"):
            refused(engine, "POST", f"/containers/{container}/{way}", Cmd=["/bin/sh"])
        refused(engine, "PUT", f"/containers/{container}/archive")
        refused(engine, "GET", f"/containers/{container}/archive")
        refused(engine, "GET", f"/containers/{container}/../../info")
    finally:
        engine.remove(container)


def test_a_strangers_container_is_none_of_our_business(engine, open_engine):
    api = open_engine._docker().api
    stranger = api.create_container(IMAGE, ["/bin/sleep", "60"], name="stranger")["Id"]
    try:
        for method, path in (
            ("GET", "/json"), ("GET", "/logs"), ("POST", "/kill"), ("POST", "/start"), ("DELETE", ""),
        ):  # fmt: skip
            for name in (stranger, "stranger"):
                assert "no container of a fleet" in refused(
                    engine, method, f"/containers/{name}{path}"
                )
    finally:
        open_engine.remove(stranger)


CHANGES = {
    "privileged": lambda d: d["HostConfig"].update(Privileged=True),
    "privileged in other letters": lambda d: d["HostConfig"].update(privileged=True),
    "host mount": lambda d: d["HostConfig"]["Binds"].append("/:/host:ro"),
    "host mount with dots": lambda d: d["HostConfig"]["Binds"].append("/usr/../root:/host:ro"),
    "socket": lambda d: d["HostConfig"]["Binds"].append("/var/run/docker.sock:/s:rw"),
    "writes what it may read": lambda d: d["HostConfig"]["Binds"].append("/usr:/u:rw"),
    "further mount options": lambda d: d["HostConfig"]["Binds"].append("/usr:/u:ro,rshared"),
    "named volume": lambda d: d["HostConfig"]["Binds"].append("volume:/v:rw"),
    "other mounts": lambda d: d["HostConfig"].update(
        Mounts=[{"Type": "bind", "Source": "/", "Target": "/host"}]
    ),
    "capability": lambda d: d["HostConfig"].update(CapAdd=["SYS_ADMIN"]),
    "keeps capabilities": lambda d: d["HostConfig"].update(CapDrop=[]),
    "unconfined": lambda d: d["HostConfig"].update(SecurityOpt=["seccomp=unconfined"]),
    "writable root": lambda d: d["HostConfig"].update(ReadonlyRootfs=False),
    "device": lambda d: d["HostConfig"].update(Devices=[{"PathOnHost": "/dev/sda"}]),
    "host's processes": lambda d: d["HostConfig"].update(PidMode="host"),
    "host's network": lambda d: d["HostConfig"].update(NetworkMode="host"),
    "another network": lambda d: d.update(
        NetworkingConfig={"EndpointsConfig": {"other": {"Aliases": ["x"]}}}
    ),
    "port for all": lambda d: d["HostConfig"].update(
        PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "80"}]}
    ),
    "port left to the engine": lambda d: d["HostConfig"].update(PortBindings={"80/tcp": []}),
    "no memory limit": lambda d: d["HostConfig"].update(Memory=0),
    "restarts": lambda d: d["HostConfig"].update(RestartPolicy={"Name": "always"}),
    "other logs": lambda d: d["HostConfig"].update(LogConfig={"Type": "syslog"}),
    "root": lambda d: d.update(User="0:0"),
    "root by name": lambda d: d.update(User="root"),
    "nobody said": lambda d: d.update(User=""),
    "other image": lambda d: d.update(Image="other:latest"),
    "no label": lambda d: d.update(Labels={}),
}


@pytest.fixture
def document(engine, launch):
    """What the SDK sends for a container of ours."""
    sent = []
    api = engine._docker().api
    post = api._post_json
    api._post_json = lambda url, data, **more: sent.append(data) or post(url, data=data, **more)
    engine.remove(engine.create(arguments(launch)))
    return json.loads(json.dumps(sent[0]))


@pytest.fixture
def create(engine):
    api = engine._docker().api

    def create(document):
        return api.post(
            api._url("/containers/create"), params={"name": "freqfleet-x"}, json=document
        )

    return create


def test_a_container_that_could_hurt_its_machine_is_refused(document, create, engine):
    passed = create(document)
    assert passed.status_code == 201, passed.text
    engine.remove(passed.json()["Id"])
    through = []
    for what, change in CHANGES.items():
        changed = copy.deepcopy(document)
        change(changed)
        answer = create(changed)
        if answer.status_code != 403:
            through.append((what, answer.status_code))
            engine.remove("freqfleet-x")
    assert through == []


def test_a_link_to_elsewhere_is_no_way_out(document, create, folder):
    (folder / "bots" / "out").symlink_to("/root")
    document["HostConfig"]["Binds"].append(f"{folder}/bots/out:/out:rw")
    assert "not a place that bots may write" in create(document).json()["message"]


def test_what_is_said_twice_is_read_once(document, create, engine, open_engine):
    text = json.dumps(document)
    host = '"HostConfig": {"Privileged": true}, ' + text.lstrip("{")
    api = engine._docker().api
    answer = api.post(
        api._url("/containers/create"), params={"name": "freqfleet-x"}, data="{" + host
    )
    assert answer.status_code == 201, answer.text
    made = open_engine.inspect("freqfleet-x")
    engine.remove("freqfleet-x")
    assert made["HostConfig"]["Privileged"] is False
    assert made["HostConfig"]["CapDrop"] == ["ALL"]


def test_a_refusal_reaches_the_user_as_a_sentence(engine, launch):
    asked = arguments(launch) | {"network_mode": "host"}
    with pytest.raises(DependencyError, match="the network host is none of this fleet"):
        engine.create(asked)
