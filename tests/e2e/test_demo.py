"""The demo from `up` to `down` with three real Freqtrade bots; the tests follow one another."""

import os
import signal
import time
import urllib.request
from base64 import b64encode
from urllib.error import HTTPError

import orjson
import pytest

pytestmark = pytest.mark.xdist_group("demo")

ORIGIN = "http://localhost:3000"  # where FreqUI is served in development


def healthy(status) -> bool:
    return status["healthy"]


def pid_of(status, name) -> int:
    return next(bot["pid"] for bot in status["bots"] if bot["name"] == name)


@pytest.fixture(scope="module")
def demo(freqfleet):
    done = freqfleet("up", "--detach")
    assert done.returncode == 0, done.stderr
    freqfleet.until(healthy)
    return freqfleet


def test_three_bots_are_running_and_healthy(demo):
    status = demo.status()
    assert [bot["state"] for bot in status["bots"]] == ["running"] * 3
    assert [bot["health"] for bot in status["bots"]] == ["healthy"] * 3
    assert status["simulator"]["health"] == "healthy"
    shown = demo("status")
    assert shown.returncode == 0
    assert all(bot["name"] in shown.stdout for bot in status["bots"])


def test_a_second_up_is_one_sentence(demo):
    done = demo("up")
    assert done.returncode == 2
    assert "is up already" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_trade_is_opened_and_stands_in_the_journal(demo):
    deadline = time.monotonic() + 60
    while not (opened := demo.journal("--kind", "trade.opened", "--bot", "pulse")):
        assert time.monotonic() < deadline
        time.sleep(1)
    keys = [(event["payload"]["trade_id"], event["payload"]["opened_ms"]) for event in opened]
    assert len(keys) == len(set(keys))


def ask(login, method, path, token="", origin=ORIGIN, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        f"{login['url']}/api/v1/{path}", method=method, headers={"Origin": origin, **headers}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.headers, orjson.loads(answer.read() or b"null")


def test_frequi_finds_what_it_asks_for(demo, fixtures_dir):
    """FreqUI's recorded calls, answered by a rendered bot to a page from another origin."""
    login = orjson.loads(demo("bot", "login", "pulse", "--json").stdout)
    basic = b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    _, headers, tokens = ask(
        login, "POST", "token/login", Authorization=f"Basic {basic}", **{"Content-Length": "0"}
    )
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    token = tokens["access_token"]
    calls = {
        "ping": "ping", "show_config": "show_config", "balance": "balance", "profit": "profit",
        "trades": "trades", "whitelist": "whitelist", "blacklist": "blacklist",
        "locks_empty": "locks", "logs": "logs", "performance": "performance",
        "status_empty": "status",
        "pair_candles_btc_1m": "pair_candles?pair=BTC/USDT:USDT&timeframe=5m&limit=5",
    }  # fmt: skip
    for name, path in calls.items():
        recorded = orjson.loads((fixtures_dir / "frequi_rest" / f"{name}.json").read_bytes())
        status, headers, answer = ask(login, "GET", path, token)
        assert status == 200, path
        assert headers["Access-Control-Allow-Origin"] == ORIGIN, path
        assert type(answer) is type(recorded), path
        if isinstance(answer, dict):
            assert set(recorded) - set(answer) <= GONE.get(name, set()), path
    with pytest.raises(HTTPError) as refused:
        ask(login, "GET", "balance", "not-a-token")
    assert refused.value.code == 401
    refused.value.close()


# What Freqtrade answered in 2022, when the calls were recorded, and no longer does.
GONE: dict[str, set[str]] = {}


def test_the_browsers_own_question_is_answered_for_known_origins_only(demo):
    login = orjson.loads(demo("bot", "login", "trend", "--json").stdout)
    asked = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    request = urllib.request.Request(
        f"{login['url']}/api/v1/balance", method="OPTIONS", headers={"Origin": ORIGIN, **asked}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    _, headers, _ = ask(login, "GET", "ping", origin="http://evil.example")
    assert headers["Access-Control-Allow-Origin"] is None


def test_a_killed_bot_comes_back_by_itself(demo):
    before = pid_of(demo.until(healthy), "trend")
    os.kill(before, signal.SIGKILL)
    after = demo.until(lambda s: s["healthy"] and pid_of(s, "trend") not in (None, before))
    assert [bot["restarts"] for bot in after["bots"] if bot["name"] == "trend"] == [1]


def test_a_paused_bot_and_a_resumed_one(demo):
    done = demo("bot", "pause", "pullback")
    assert done.returncode == 0, done.stderr
    demo.until(lambda s: s["bots"][2]["state"] == "paused" and s["healthy"])
    assert demo("bot", "resume", "pullback").returncode == 0
    demo.until(lambda s: s["bots"][2]["state"] == "running" and s["healthy"])


def test_bots_outlive_their_supervisor_and_are_adopted(demo):
    before = demo.until(healthy)
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while demo.status()["supervisor_pid"] is not None:
        assert time.monotonic() < deadline
    assert demo("up", "--detach").returncode == 0
    after = demo.until(healthy)
    assert [bot["pid"] for bot in after["bots"]] == [bot["pid"] for bot in before["bots"]]
    assert after["simulator"]["pid"] == before["simulator"]["pid"]
    assert after["supervisor_pid"] != before["supervisor_pid"]


def test_unknown_bots_are_one_sentence(demo):
    done = demo("bot", "pause", "ghost")
    assert done.returncode == 2
    assert "there is no bot ghost; this fleet has pulse, trend, pullback" in done.stderr


def test_down_leaves_no_process(demo):
    assert demo("down").returncode == 0
    assert demo.processes() == []
    assert demo("journal", "verify").returncode == 0
    status = demo.status()
    assert {bot["state"] for bot in status["bots"]} == {"stopped"}
