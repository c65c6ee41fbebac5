"""What only containers keep: real limits of a real Docker Engine, and its failures as sentences."""

import asyncio
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from automation.core.errors import ConfigError, DependencyError, TransientError
from automation.core.seams import Container, Launch, Mount, Patience
from automation.fleet.containers.engine import Engine
from automation.fleet.containers.runner import DockerRunner
from automation.fleet.containers.spec import arguments, name_of
from automation.fleet.ports import find_free
from tests.contract.docker_engine import IMAGE, borrowed

PYTHON = "/usr/bin/python3"
TELL = "import json, os, sys; print(json.dumps({}), flush=True)"


@pytest.fixture
async def docker(docker_address):
    made = DockerRunner(Engine(docker_address))
    yield made
    await made.stop("bot-a", Patience(0, 0, 5))
    await made.close()


def launch(folder: Path, code: str, **container) -> Launch:
    home = folder / "bot-a"
    home.mkdir(exist_ok=True)
    mark = str(home / "config.json")
    image = Container(IMAGE, mounts=borrowed(), memory_mb=64, pids=16, **container)
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    console = home / "logs" / "console.log"
    argv = (PYTHON, "-c", code, mark)
    return Launch("bot-a", home, argv, env, Path("/"), console, mark, container=image)


async def said_by(runner: DockerRunner, launched: Launch):
    """Run a program to its end and give what it printed as JSON."""
    await runner.start(launched)
    ended = await ends(runner)
    text = launched.console.read_text()
    assert ended.exit_code == 0, text
    return json.loads(text.strip().splitlines()[-1])


async def ends(runner: DockerRunner):
    deadline = time.monotonic() + 30
    while (facts := await runner.look("bot-a")).is_alive:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return facts


async def test_a_container_can_do_little(docker, tmp_path):
    facts = """{
      'uid': os.getuid(), 'groups': os.getgroups(),
      'capabilities': [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')][0],
      'no_new': [l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs')][0],
      'root_is_writable': os.access('/', os.W_OK), 'tmp_is_writable': os.access('/tmp', os.W_OK),
      'root': [l.split()[3].split(',')[0] for l in open('/proc/mounts') if l.split()[1] == '/'][0],
      'networks': sorted(os.listdir('/sys/class/net')),
    }"""
    said = await said_by(docker, launch(tmp_path, TELL.format(facts)))
    assert said["uid"] == 1000
    assert int(said["capabilities"], 16) == 0
    assert said["no_new"] == "1"
    assert said["root"] == "ro"
    assert said["tmp_is_writable"]
    assert said["networks"] == ["lo"]


async def test_what_takes_more_memory_than_its_limit_is_killed_and_told(docker, tmp_path):
    await docker.start(launch(tmp_path, "x = bytearray(200_000_000); print(len(x))"))
    facts = await ends(docker)
    assert facts.exit_code == -9
    assert "more memory than its limit" in facts.last_words


async def test_what_forks_without_end_meets_its_limit(docker, tmp_path):
    code = """
import json, os, time
made = 0
try:
    while made < 100:
        if os.fork() == 0:
            time.sleep(5); os._exit(0)
        made += 1
except OSError:
    pass
print(json.dumps(made), flush=True)
os._exit(0)
"""
    assert 5 < await said_by(docker, launch(tmp_path, code)) < 16


async def test_what_computes_without_end_gets_its_share_of_a_core(docker, tmp_path):
    code = """
import json, time
began, cpu = time.monotonic(), time.process_time()
while time.monotonic() - began < 2: pass
print(json.dumps((time.process_time() - cpu) / (time.monotonic() - began)), flush=True)
"""
    share = await said_by(docker, launch(tmp_path, code, cpus=0.2))
    assert share < 0.35


async def test_only_its_own_folder_can_be_written_and_secrets_are_files(docker, tmp_path):
    launched = launch(tmp_path, "")
    folder = launched.folder
    secret = folder / "secrets.json"
    secret.write_text('{"key": "of the exchange"}')
    secret.chmod(0o600)
    for path in (folder, secret):
        os.chown(path, 1000, 1000)
    mounts = (*borrowed(), Mount(folder, folder, is_writable=True))
    code = f"""
import json
try:
    open('/etc/broken', 'w'); wrote = True
except OSError:
    wrote = False
open({str(folder / "made")!r}, 'w').write('x')
print(json.dumps([wrote, json.load(open({str(secret)!r}))['key']]), flush=True)
"""
    argv = (PYTHON, "-c", code, launched.mark)
    container = replace(launched.container, mounts=mounts)
    launched = replace(launched, argv=argv, container=container)
    assert await said_by(docker, launched) == [False, "of the exchange"]
    assert (folder / "made").read_text() == "x"
    asked = json.dumps(arguments(launched), default=str)
    assert "of the exchange" not in asked


async def test_its_port_is_reached_from_this_machines_loopback_alone(docker, tmp_path):
    port = find_free()
    code = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8080, bind='0.0.0.0')"
    launched = launch(tmp_path, code, networks=("freqfleet-test",), ports=((8080, port),))
    await docker.start(launched)
    deadline = time.monotonic() + 20
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/etc/hostname") as answer:
                    assert answer.status == 200
                    break
            except aiohttp.ClientError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)


async def test_a_missing_image_is_a_sentence(docker, tmp_path):
    launched = launch(tmp_path, "")
    missing = replace(launched, container=replace(launched.container, image="nobody/has:this"))
    with pytest.raises(DependencyError, match=r"nobody/has:this: there is no such image"):
        await docker.start(missing)
    with pytest.raises(ConfigError, match="no image"):
        await docker.start(replace(launched, container=None))


async def test_an_engine_that_is_not_there_is_a_sentence(tmp_path):
    runner = DockerRunner(Engine(f"unix://{tmp_path}/no.sock"))
    with pytest.raises(TransientError, match="the Docker Engine does not answer"):
        await runner.start(launch(tmp_path, ""))
    await runner.close()


async def test_two_state_folders_have_containers_of_their_own(tmp_path):
    one, other = launch(tmp_path, ""), replace(launch(tmp_path, ""), mark="/other/config.json")
    assert name_of(one) != name_of(other)
    assert arguments(one)["restart_policy"] == {"Name": "no"}
