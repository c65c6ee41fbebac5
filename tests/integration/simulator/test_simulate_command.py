"""`freqfleet simulate` with a scenario, accounts, a log and an admin token; and what it refuses."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

SCENARIO = """
seed: 3
faults:
  - {name: overloaded, kind: error, match: {path: "*/ticker/price"}}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / "accounts.yaml").write_text("one: {key: k, secret: s, deposit_usdt: 100}")
    return tmp_path


@pytest.fixture
def simulator(files):
    """A running command; gives a way to ask it."""
    names = ("scenario.yaml", "accounts.yaml", "log.jsonl", "token", "config.json")
    scenario, accounts, log, token, config = (str(files / name) for name in names)
    argv = [sys.executable, "-m", "automation", "simulate", "--scenario", scenario]
    argv += ["--accounts", accounts, "--log", log, "--admin-token-file", token]
    process = subprocess.Popen(
        [*argv, "--write-config", config], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    deadline = time.monotonic() + 60
    while not (files / "config.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    url = process.stderr.readline().split(" at ")[1].split()[0].rstrip("/")

    def ask(path, method="GET", **headers):
        request = urllib.request.Request(url + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    yield ask
    process.terminate()
    process.wait(20)
    process.stderr.close()


def test_a_scenario_accounts_a_log_and_a_token(simulator, files):
    status, body = simulator("/fapi/v1/ticker/price?symbol=BTCUSDT")
    assert (status, body["code"]) == (503, -1008)
    assert simulator("/admin/faults")[0] == 403
    token = (files / "token").read_text()
    assert (files / "token").stat().st_mode & 0o077 == 0
    status, listed = simulator("/admin/faults", Authorization=f"Bearer {token}")
    assert status == 200
    assert listed["faults"][0]["hits"] == 1
    login = {"Authorization": f"Bearer {token}"}
    assert simulator("/admin/faults/overloaded", "DELETE", **login)[0] == 200
    assert simulator("/fapi/v1/ticker/price?symbol=BTCUSDT")[0] == 200
    lines = [json.loads(line) for line in (files / "log.jsonl").read_bytes().splitlines()]
    assert lines[0][0] == "genesis"
    assert [line[3] for line in lines if line[0] == "fault"] == [
        "began", "request", "lifted", "ended",
    ]  # fmt: skip
    section = json.loads((files / "config.json").read_text())["exchange"]["ccxt_config"]
    assert section["urls"]["api"]["fapiPrivate"].startswith("https://demo-fapi@127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--scenario", "broken.yaml"), "broken.yaml:3: faults.0.times: should be greater"),
        (("--scenario", "symbol.yaml"), "there is no symbol XUSDT"),
        (("--scenario", "none.yaml"), "none.yaml: there is no such file"),
        (("--accounts", "broken.yaml"), "broken.yaml: faults"),
        (("--data", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_a_sentence(freqfleet, tmp_path, arguments, sentence):
    (tmp_path / "broken.yaml").write_text("faults:\n  - kind: outage\n    times: 0\n")
    (tmp_path / "symbol.yaml").write_text("faults: [{kind: halt, symbols: [XUSDT]}]")
    done = freqfleet("simulate", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
