"""The fixture in somebody else's project: a folder that knows nothing of this one."""

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points

THEIRS = """
import json
import urllib.request

import pytest


def ask(exchange, path):
    with urllib.request.urlopen(exchange.url + path, timeout=10) as answer:
        return json.loads(answer.read())


def test_time_stands_until_it_is_moved(freqfleet_simulator):
    exchange = freqfleet_simulator(7, at="2024-08-05T12:00Z")
    assert ask(exchange, "/fapi/v1/time")["serverTime"] == 1722859200000
    exchange.advance(90)
    assert ask(exchange, "/fapi/v1/time")["serverTime"] == 1722859290000
    assert exchange.at.minute == 1


def test_two_exchanges_at_once(freqfleet_simulator):
    one, two = freqfleet_simulator(1), freqfleet_simulator(2)
    assert one.url != two.url
    assert ask(one, "/fapi/v1/ping") == ask(two, "/fapi/v1/ping") == {}


@pytest.fixture(scope="module")
def urls():
    return []


def test_it_ends(freqfleet_simulator, urls):
    urls.append(freqfleet_simulator().url)


def test_with_the_test(urls):
    with pytest.raises(OSError):
        urllib.request.urlopen(urls[0] + "/fapi/v1/ping", timeout=5)
"""


def test_other_projects_can_use_the_fixture(tmp_path, root):
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    entry = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]
    plugin = entry["pytest11"]["freqfleet"]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio"]
    if "freqfleet" not in entry_points(group="pytest11").names:
        argv += ["-p", plugin]  # an editable installation of before it does not announce it
    done = subprocess.run(
        [*argv, "-W", "error", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
