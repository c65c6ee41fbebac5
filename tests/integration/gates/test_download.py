"""A bundle of what Freqtrade itself downloads, here from the project's own exchange."""

import json
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from automation.gates.bundle import open_bundle

HOUR_MS = 3_600_000


@pytest.fixture
def exchange(tmp_path):
    """Serve a synthetic market; gives the configuration that points there."""
    config = tmp_path / "exchange.json"
    command = [sys.executable, "-m", "automation", "simulate", "--write-config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as serving:
        deadline = time.monotonic() + 60
        while not (config.exists() and config.read_text().strip()):
            assert serving.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield config
        serving.terminate()


def bundle(target, exchange, root, timerange):
    layers = (root / "configs/base.json", root / "configs/futures.json", exchange)
    command = (
        *(sys.executable, "-m", "automation", "gate", "bundle", "--download"),
        *(word for layer in layers for word in ("-c", layer)),
        *("--pairs", "BTC/USDT:USDT", "--timeframes", "1h", "--lead-days", 3),
        *("--timerange", timerange, "-o", target),
    )
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=120
    )


def test_a_downloaded_bundle_holds_what_the_exchange_serves(tmp_path, exchange, root):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = today - timedelta(days=9), today - timedelta(days=4)
    target = tmp_path / "bundle.tar.zst"
    done = bundle(target, exchange, root, f"{first:%Y%m%d}-{last:%Y%m%d}")
    assert done.returncode == 0, done.stderr
    open_bundle(target, tmp_path / "opened")
    candles = pd.read_feather(tmp_path / "opened/futures/BTC_USDT_USDT-1h-futures.feather")
    config = json.loads(exchange.read_text())
    api = config["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]
    start_ms = int(candles["date"].iloc[0].timestamp() * 1000)
    assert start_ms <= (first - timedelta(days=3)).timestamp() * 1000
    query = f"symbol=BTCUSDT&interval=1h&startTime={start_ms}&limit={len(candles)}"
    with urllib.request.urlopen(f"{api}/klines?{query}", timeout=30) as answer:
        served = json.loads(answer.read())
    assert len(served) == len(candles) >= 8 * 24
    names = ["open", "high", "low", "close", "volume"]
    assert candles[names].to_numpy().tolist() == [[float(v) for v in row[1:6]] for row in served]
    assert [row[0] for row in served] == [start_ms + n * HOUR_MS for n in range(len(served))]


def test_an_exchange_that_is_not_there_is_one_sentence(tmp_path, exchange, root):
    config = json.loads(exchange.read_text())
    api = config["exchange"]["ccxt_config"]["urls"]["api"]
    for name in api:
        api[name] = "http://127.0.0.1:9"
    exchange.write_text(json.dumps(config))
    done = bundle(tmp_path / "bundle.tar.zst", exchange, root, "20240115-20240120")
    assert done.returncode == 3
    assert "freqtrade download-data failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle.tar.zst").exists()
