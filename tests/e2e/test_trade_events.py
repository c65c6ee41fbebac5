"""A real bot trades while its connections are cut, it stalls and it restarts, and so does its
supervisor: in the end the journal holds each of its trades once, as Freqtrade's own API tells them.
"""

import json
import os
import random
import signal
import subprocess
import time

import httpx
import psutil
import pytest
import yaml

from automation.fleet import commands

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]
PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "BNB/USDT:USDT", "XRP/USDT:USDT"]

STRATEGY = """
from freqtrade.strategy import IStrategy


class Forced(IStrategy):
    can_short = True
    timeframe = "5m"
    stoploss = -0.9
    minimal_roi = {"0": 100}

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""


class Bot:
    """One bot's API, as FreqUI would use it."""

    def __init__(self, fleet, name):
        self.fleet, self.name = fleet, name

    def call(self, method, path, **body):
        login = commands.bot_login(self.fleet.home, self.name)
        answer = httpx.request(
            method,
            f"{login.url}/api/v1/{path}",
            auth=(login.username, login.password),
            json=body or None,
            timeout=20,
        )
        return answer.json()

    def tries(self, method, path, **body):
        try:
            return self.call(method, path, **body)
        except (httpx.HTTPError, json.JSONDecodeError):
            return None  # it is stalled or restarts just now


@pytest.fixture
def bot(apart, tmp_path):
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "Forced.py").write_text(STRATEGY)
    config = tmp_path / "eager.json"
    config.write_text(
        json.dumps(
            {
                "force_entry_enable": True,
                "internals": {"process_throttle_secs": 1},
                "exchange": {"name": "binance", "pair_whitelist": PAIRS},
                "entry_pricing": {"use_order_book": True, "price_side": "other"},
                "exit_pricing": {"use_order_book": True, "price_side": "other"},
                "max_open_trades": 5,
                "stake_amount": 50,
            }
        )
    )
    document = {
        "fleet": "trades",
        "exchange": {"venue": "simulator"},
        "bots": [
            {
                "name": "one",
                "strategy": "Forced",
                "strategy_path": str(tmp_path / "strategies"),
                "configs": [str(config)],
            }
        ],
    }
    path = tmp_path / "fleet.yaml"
    path.write_text(yaml.safe_dump(document))
    done = apart("up", "--detach", "-c", str(path))
    assert done.returncode == 0, done.stderr
    apart.until(lambda s: s["healthy"], 180)
    apart.fleet_file = str(path)
    return Bot(apart, "one")


def trade(bot, chance):
    """Open one position, or close one."""
    held = bot.tries("GET", "status") or []
    if held and chance.random() < 0.6:
        bot.tries("POST", "forceexit", tradeid=str(chance.choice(held)["trade_id"]))
    else:
        bot.tries("POST", "forceenter", pair=chance.choice(PAIRS), side="long")


def cut(fleet, _chance):
    """Cut the supervisor's connections to the bot, in the kernel."""
    port = commands.bot_login(fleet.home, "one").url.rpartition(":")[2]
    subprocess.run(["ss", "-K", "-t", "dport", "=", f":{port}"], check=False, capture_output=True)


def stall(fleet, chance):
    pid = commands.status(fleet.home).bots[0].pid
    if pid is None:
        return
    os.kill(pid, signal.SIGSTOP)
    time.sleep(chance.choice([1, 3, 12]))
    os.kill(pid, signal.SIGCONT)


def restart_bot(fleet, _chance):
    fleet("bot", "restart", "one")


def lose_supervisor(fleet, _chance):
    status = commands.status(fleet.home)
    if status.supervisor_pid is not None:
        psutil.Process(status.supervisor_pid).kill()
        psutil.wait_procs([psutil.Process(status.supervisor_pid)], 5) if psutil.pid_exists(
            status.supervisor_pid
        ) else None
    done = fleet("up", "--detach", "-c", fleet.fleet_file)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seed", [1])
def test_each_trade_of_a_real_bot_is_told_once(apart, bot, seed):
    chance = random.Random(seed)
    disturb = [cut, cut, stall, cut, restart_bot, cut, lose_supervisor, cut, stall, cut]
    for step in disturb:
        for _ in range(chance.randrange(3, 7)):
            trade(bot, chance)
            time.sleep(chance.random())
        step(apart, chance)
    apart.until(lambda s: s["healthy"], 180)
    for _ in range(5):
        trade(bot, chance)
    bot.call("POST", "pause")
    deadline = time.monotonic() + 60
    while True:
        page = bot.call("GET", "trades?limit=500")
        held = bot.call("GET", "status")
        closed = {(t["trade_id"], t["open_timestamp"]): t for t in page["trades"]}
        opened = set(closed) | {
            (t["trade_id"], t["open_timestamp"]) for t in held if t.get("amount")
        }
        told_closed = [_key(e) for e in apart.journal("--kind", "trade.closed", "-n", "9999")]
        told_opened = [_key(e) for e in apart.journal("--kind", "trade.opened", "-n", "9999")]
        if set(told_closed) >= set(closed) and set(told_opened) >= opened:
            break
        assert time.monotonic() < deadline, (set(closed) - set(told_closed), opened)
        time.sleep(2)
    assert len(closed) >= 10
    assert sorted(told_closed) == sorted(closed)
    assert len(told_opened) == len(set(told_opened))
    for event in apart.journal("--kind", "trade.closed", "-n", "9999"):
        fact, truth = event["payload"], closed[_key(event)]
        assert fact["profit_usdt"] == pytest.approx(truth["close_profit_abs"], abs=1e-6)
        assert fact["rate"] == pytest.approx(truth["close_rate"])
        assert fact["reason"] == truth["exit_reason"]
    said = {event["actor"] for event in apart.journal("--kind", "order.*", "-n", "9999")}
    assert said == {"freqtrade"}, "nothing was heard through the websocket"
    assert apart("journal", "verify").returncode == 0


def _key(event):
    return event["payload"]["trade_id"], event["payload"]["opened_ms"]
