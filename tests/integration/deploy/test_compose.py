"""What docker-compose.yml starts: read by Docker Compose itself, then held against the rules."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from docker.models.containers import _create_container_args
from docker.types import ContainerConfig

from automation.app import jobs, rehearsal_job
from automation.app.fleets import read_fleet
from automation.core.config import Bot, Docker
from automation.core.errors import Refusal
from automation.fleet.contained import listen_address
from automation.fleet.containers.jobs import _launch as launch_job
from automation.fleet.containers.rules import Rules, rebuild
from automation.fleet.containers.spec import arguments
from automation.fleet.home import Home
from automation.fleet.lifecycle.changes import Rehearsal
from automation.fleet.render import launch_of
from automation.fleet.site import Site

REPOSITORY = Path(__file__).resolve().parents[3]
PROFILES = ("demo", "dry-run", "live")


def compose_command() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run([*command, "version"], check=False, capture_output=True).returncode == 0:
            return command
    pytest.skip("no Docker Compose is installed; install docker-compose")


@pytest.fixture(scope="module")
def composed():
    """The file as Docker Compose reads it."""
    # Nobody's own settings, and no engine: reading needs none.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FREQFLEET_", "DOCKER_"))}
    found = {}
    for profile in PROFILES:
        done = subprocess.run(
            [*compose_command(), "--profile", profile, "config"],
            check=False, cwd=REPOSITORY, env=env | {"PWD": str(REPOSITORY)}, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        services = yaml.safe_load(done.stdout)["services"]
        found[profile] = {n: s for n, s in services.items() if profile in s["profiles"]}
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_has_a_pod_a_filter_and_a_sidecar(composed, profile):
    names = set(composed[profile])
    pod = "pod-demo" if profile == "demo" else "pod"
    assert names == {"filter", pod, f"sidecar-{profile}"}
    sidecar = composed[profile][f"sidecar-{profile}"]
    assert sidecar["network_mode"] == f"service:{pod}"
    assert set(sidecar["depends_on"]) == {"filter", pod}


def every(composed):
    return [(n, s) for services in composed.values() for n, s in services.items()]


def test_every_service_is_confined(composed):
    for name, service in every(composed):
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in {"", "0", "root"}, name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["healthcheck"]["test"], name
        assert "privileged" not in service, name
        assert "ports" not in service, name


def sources(service) -> list[str]:
    volumes = service.get("volumes", [])
    return [v["source"] if isinstance(v, dict) else v.split(":")[0] for v in volumes]


def test_only_the_filter_has_the_docker_socket(composed):
    for name, service in every(composed):
        has_socket = "/var/run/docker.sock" in sources(service)
        assert has_socket == (name == "filter"), name
        assert ("engine" in sources(service)) == (name == "filter" or "sidecar" in name), name
        if name == "filter":
            assert service["network_mode"] == "none"


def test_keys_are_files_and_only_the_live_sidecar_has_them(composed):
    for name, service in every(composed):
        assert bool(service.get("secrets")) == (name == "sidecar-live"), name
        told = json.dumps(service.get("environment", {})).lower()
        assert not any(word in told for word in ("key", "secret", "password", "token")), name


def rules_of(service) -> Rules:
    given: dict[str, list[str]] = {}
    for word in service["command"]:
        option, _, value = word.removeprefix("--").partition("=")
        given.setdefault(option, []).append(value)
    readable, writable = (tuple(map(Path, given[name])) for name in ("readable", "writable"))
    return Rules(frozenset(given["image"]), frozenset(given["network"]), readable, writable)


@pytest.mark.parametrize("profile", ["demo", "dry-run"])
def test_the_bots_of_a_profile_pass_its_filter(composed, profile):
    fleet = read_fleet(REPOSITORY / f"deploy/docker/fleets/{profile}.yaml")
    site = Site(fleet, Home(REPOSITORY / "user_data" / "freqfleet"), REPOSITORY, "python")
    rules = rules_of(composed[profile]["filter"])
    for bot in fleet.bots:
        assert listen_address(site, bot) == "127.0.0.1"
        asked = arguments(launch_of(site, bot))
        document = json.dumps(ContainerConfig("1.41", **_as_sent(asked))).encode()
        made = rebuild(rules, document)
        assert not isinstance(made, Refusal), (bot.name, made)
        assert json.loads(made)["HostConfig"]["NetworkMode"] == "container:freqfleet-pod"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "words",
    [
        ("backtest", "S"),
        ("tune", "run", "S"),
        ("gate", "run", "f"),
        ("train", "regime"),
        ("rehearse",),
    ],
)
def test_the_jobs_of_a_profile_pass_its_filter(composed, profile, words, monkeypatch):
    home = REPOSITORY / "user_data" / "freqfleet"
    monkeypatch.setenv("FREQFLEET_HOME", str(home))
    monkeypatch.chdir(REPOSITORY / "strategies")  # what a gate judges; the sidecar sees no more
    for module in (jobs, rehearsal_job):
        monkeypatch.setattr(module, "make_folder", lambda _: None)
    rules = rules_of(composed[profile]["filter"])
    (image,) = rules.images
    settings = Docker(image=image, user="1000:1000")
    if words == ("rehearse",):  # the supervisor's own
        asked = Rehearsal(Bot(name="a", strategy="S"), home / "bots/a/candidate/strategies", (), {})
        job = rehearsal_job.job_of(asked, settings)
    else:
        job = jobs.job_of(words, settings)
    asked = arguments(launch_job(job, home / "jobs" / "job-x")) | {"auto_remove": True}
    made = rebuild(rules, json.dumps(ContainerConfig("1.41", **_as_sent(asked))).encode())
    assert not isinstance(made, Refusal), made
    sent = json.loads(made)["HostConfig"]
    assert (sent["NetworkMode"], sent["AutoRemove"]) == ("none", True)
    writable = [bind.split(":")[0] for bind in sent["Binds"] if bind.endswith(":rw")]
    assert len(writable) == 2  # its results and its scratch folder


def _as_sent(asked):
    sent = _create_container_args({**asked, "version": "1.41"})
    return {k: v for k, v in sent.items() if k not in {"name", "networking_config", "platform"}}
