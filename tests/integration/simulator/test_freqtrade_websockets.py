"""Real Freqtrade takes its candles from the simulator's websocket, and they are those of REST."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from automation.simulator import freqtrade_configuration, open_market, serving

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # three candles of a minute must close
FREQTRADE = Path(sys.executable).with_name("freqtrade")
PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "XRP/USDT:USDT"]
STRATEGY = '''
from freqtrade.strategy import IStrategy


class Watching(IStrategy):
    """Looks at candles and never trades."""

    timeframe = "1m"
    can_short = True
    minimal_roi = {}
    stoploss = -0.30
    startup_candle_count = 10

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
'''


def configuration(url, port):
    config = freqtrade_configuration(url, PAIRS)
    config["exchange"] |= {"enable_ws": True, "_ft_has_params": {"ws_enabled": True}}
    return config | {
        "strategy": "Watching",
        "initial_state": "running",
        "internals": {"process_throttle_secs": 2},
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "username": "u",
            "password": "p",
            "jwt_secret_key": "x" * 40,
            "ws_token": "t" * 40,
        },
    }


@pytest.fixture
def bot(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(open_market(11)) as sim:
        (tmp_path / "user_data" / "strategies").mkdir(parents=True)
        (tmp_path / "user_data" / "strategies" / "Watching.py").write_text(STRATEGY)
        config = tmp_path / "config.json"
        config.write_text(
            json.dumps(
                configuration(sim.url, port) | {"db_url": f"sqlite:///{tmp_path / 'trades.sqlite'}"}
            )
        )
        command = [FREQTRADE, "trade", "-vv", "-c", config, "--userdir", tmp_path / "user_data"]
        with (tmp_path / "bot.log").open("wb") as out:
            process = subprocess.Popen(
                list(map(str, command)),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=tmp_path,
                env={**os.environ, "PYTHONWARNINGS": "ignore", "COLUMNS": "10000"},
            )
        process.log, process.sim = tmp_path / "bot.log", sim
        process.api = f"http://127.0.0.1:{port}/api/v1"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def read(bot):
    """Lines of the bot's log, by level."""
    text = bot.log.read_text()
    return text, re.findall(
        r"^\S+ \S+ - (\S+) - (WARNING|ERROR|CRITICAL) - (.*)$", text, re.MULTILINE
    )


def test_websocket_candles_are_rest_candles_and_nothing_is_warned_of(bot):
    """A candle that the bot has from the stream equals what REST says of it afterwards."""
    end = time.monotonic() + 480
    while time.monotonic() < end:
        text = bot.log.read_text()
        assert bot.poll() is None, text[-3000:]
        reused = {
            pair: len(re.findall(f"reuse watch result for {pair}, 1m", text)) for pair in PAIRS
        }
        if min(reused.values()) >= 3:
            break
        time.sleep(1)
    else:
        raise AssertionError(f"the stream was not used: {reused} {text[-3000:]}")
    time.sleep(3)
    for pair in PAIRS:
        query = {"pair": pair, "timeframe": "1m", "limit": 6}
        body = httpx.get(
            f"{bot.api}/pair_candles", params=query, auth=("u", "p"), timeout=60
        ).json()
        columns = [
            body["columns"].index(name) for name in ("open", "high", "low", "close", "volume")
        ]
        at = body["columns"].index("__date_ts")
        symbol = pair.split(":")[0].replace("/", "")
        rows = httpx.get(
            f"{bot.sim.url}/fapi/v1/klines",
            params={"symbol": symbol, "interval": "1m", "limit": 20},
        ).json()
        served = {row[0]: [float(x) for x in row[1:6]] for row in rows[:-1]}
        assert len(body["data"]) == 6
        for row in body["data"]:
            assert [row[i] for i in columns] == served[row[at]]
    text, complaints = read(bot)
    assert not complaints
    assert "Traceback" not in text
