"""Backtests through the simulator: the same trades as Freqtrade's own, offline, and repeatable."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from automation.simulator import open_market, serving

STRATEGY = "TrendFollowingStrategy"
RANGE = "20240105-20240120"


def answer(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read_trades(result_file: str, strategy: str) -> list[dict]:
    path = Path(result_file)
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(f"{path.stem}.json"))["strategy"][strategy]["trades"]


def exchange_info(data: Path) -> dict:
    import urllib.request

    with serving(open_market(data)) as simulator:
        url = f"{simulator.url}/fapi/v1/exchangeInfo"
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)


def injected_trades(root, tmp_path, data, strategy, strategy_path, pairs, timerange) -> list[dict]:
    job = {
        "configs": [
            str(root / "configs" / f"{name}.json") for name in ("base", "futures", "offline")
        ],
        "strategy": strategy,
        "strategy_path": str(strategy_path),
        "data": str(data),
        "userdir": str(tmp_path),
        "timerange": timerange,
        "pairs": pairs,
        "exchange_info": exchange_info(data),
    }
    target = tmp_path / "trades.json"
    subprocess.run(
        [sys.executable, str(Path(__file__).with_name("injected.py")), str(target)],
        input=json.dumps(job),
        env={**os.environ, "PYTHONPATH": str(root / "strategies"), "TZ": "UTC"},
        text=True,
        check=True,
        capture_output=True,
    )
    return json.loads(target.read_text())


def test_equal_runs_answer_equally_and_offline(freqfleet, synthetic, tmp_path):
    arguments = ("backtest", STRATEGY, "FuturesAIRiskStrategy", "--data", synthetic)
    options = ("--timerange", RANGE, "--results", tmp_path / "results", "--json")
    first = freqfleet(*arguments, *options)
    document = answer(first)
    assert first.stdout == freqfleet(*arguments, *options).stdout
    assert [one["name"] for one in document["strategies"]] == [STRATEGY, "FuturesAIRiskStrategy"]
    assert all(one["trades"] > 0 for one in document["strategies"])
    stored = read_trades(document["strategies"][0]["result_file"], STRATEGY)
    assert len(stored) == document["strategies"][0]["trades"]


def test_a_strategys_result_does_not_depend_on_its_neighbours(freqfleet, synthetic, tmp_path):
    options = ("--data", synthetic, "--timerange", RANGE, "--results", tmp_path / "r", "--json")
    alone = answer(freqfleet("backtest", STRATEGY, *options))["strategies"][0]
    both = answer(freqfleet("backtest", "FuturesAIRiskStrategy", STRATEGY, *options))
    assert both["strategies"][1] == alone


def test_trades_equal_freqtrades_own_with_injected_markets(freqfleet, synthetic, root, tmp_path):
    options = ("--timerange", RANGE, "--results", tmp_path / "results", "--json")
    document = answer(freqfleet("backtest", STRATEGY, "--data", synthetic, *options))
    ours = read_trades(document["strategies"][0]["result_file"], STRATEGY)
    pairs = document["pairs"]
    theirs = injected_trades(root, tmp_path, synthetic, STRATEGY, root / "strategies", pairs, RANGE)
    assert ours
    assert ours == theirs


@pytest.mark.real_data
@pytest.mark.long
@pytest.mark.parametrize("strategy", [STRATEGY, "FuturesAIRiskStrategy"])
def test_real_half_year(freqfleet, data_dir, root, tmp_path, strategy):
    timerange = "20240101-20240701"
    options = ("--timerange", timerange, "--results", tmp_path / "results", "--json")
    document = answer(freqfleet("backtest", strategy, "--data", data_dir, *options))
    one = document["strategies"][0]
    assert one["trades"] > 100
    assert one["liquidations"] == 0
    theirs = injected_trades(
        root, tmp_path, data_dir, strategy, root / "strategies", document["pairs"], timerange
    )
    assert read_trades(one["result_file"], strategy) == theirs


def test_freqtrades_sample_strategy_runs_unchanged(freqfleet, synthetic, tmp_path):
    import freqtrade

    sample = Path(freqtrade.__file__).parent / "templates" / "sample_strategy.py"
    folder = tmp_path / "strategies"
    folder.mkdir()
    shutil.copy(sample, folder)
    options = ("--strategy-path", folder, "--timerange", RANGE, "--data", synthetic)
    done = freqfleet("backtest", "SampleStrategy", *options, "--results", tmp_path / "r", "--json")
    assert answer(done)["strategies"][0]["timeframe"] == "5m"


def test_users_own_configuration_counts(freqfleet, synthetic, tmp_path):
    config = tmp_path / "mine.json"
    config.write_text(
        """{
            // comments and trailing commas are Freqtrade's custom
            "trading_mode": "futures", "margin_mode": "isolated", "stake_currency": "USDT",
            "stake_amount": 100, "dry_run": true, "dry_run_wallet": 777, "max_open_trades": 1,
            "exchange": {"name": "binance", "pair_whitelist": ["ETH/USDT:USDT"], "key": "real"},
            "pairlists": [{"method": "StaticPairList"}],
            "entry_pricing": {"price_side": "other", "use_order_book": true},
            "exit_pricing": {"price_side": "other", "use_order_book": true},
        }"""
    )
    options = ("-c", config, "--timerange", RANGE, "--data", synthetic, "--results", tmp_path / "r")
    document = answer(freqfleet("backtest", STRATEGY, *options, "--json"))
    assert document["pairs"] == ["ETH/USDT:USDT"]
    assert document["strategies"][0]["starting_balance"] == 777


def test_without_data_a_synthetic_market_serves(freqfleet, tmp_path):
    options = ("--timerange", "20240105-20240112", "--results", tmp_path / "r", "--json")
    one = answer(freqfleet("backtest", STRATEGY, *options))
    other = answer(freqfleet("backtest", STRATEGY, *options, "--seed", "2"))
    assert one["strategies"][0] != other["strategies"][0]


def test_no_network_is_needed(synthetic, tmp_path, root):
    """In a network namespace with nothing but a loopback of its own."""
    probe = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("needs unshare with permission to make a network namespace")
    command = (
        f"ip link set lo up && exec {sys.executable} -m automation backtest {STRATEGY} "
        f"--data {synthetic} --timerange {RANGE} --results {tmp_path / 'r'} --json"
    )
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["strategies"][0]["trades"] > 0


def started_run(synthetic, tmp_path, scratch):
    """Start a backtest and wait until Freqtrade works."""
    scratch.mkdir()
    options = ["--data", str(synthetic), "--timerange", RANGE, "--results", str(tmp_path / "r")]
    process = subprocess.Popen(
        [sys.executable, "-m", "automation", "backtest", STRATEGY, *options],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process, children[0]


def test_an_interrupted_run_leaves_nothing(synthetic, tmp_path):
    """Ctrl-C while Freqtrade works: its process and the private folder go."""
    scratch = tmp_path / "scratch"
    process, child = started_run(synthetic, tmp_path, scratch)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert not child.is_running()
    assert not list(scratch.glob("freqfleet-*"))
    assert not (tmp_path / "r").exists()


def test_a_killed_run_takes_freqtrade_with_it(synthetic, tmp_path):
    process, child = started_run(synthetic, tmp_path, tmp_path / "scratch")
    child.suspend()  # else it would also end by itself, of the closed pipe that it writes to
    process.kill()
    process.wait(10)
    _gone, alive = psutil.wait_procs([child], timeout=10)
    assert not alive
