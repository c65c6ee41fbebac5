"""The real `freqtrade` with the pack: backtests, hyperopt with two workers, lookahead analysis."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from automation.simulator import freqtrade_overlay, open_market, serving

FREQTRADE = Path(sys.executable).with_name("freqtrade")
PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"]
STRATEGIES = ["TrendFollowingStrategy", "FuturesAIRiskStrategy"]

pytestmark = [pytest.mark.real_data, pytest.mark.xdist_group("freqtrade")]


@pytest.fixture(scope="module")
def offline_config(data_dir, tmp_path_factory):
    """The overlay that points Freqtrade at a simulator that lives as long as this module."""
    market = open_market(data_dir, PAIRS)
    with serving(market) as sim:
        path = tmp_path_factory.mktemp("config") / "simulator.json"
        path.write_text(json.dumps(freqtrade_overlay(sim.url, PAIRS)))
        yield path


@pytest.fixture
def freqtrade(root, data_dir, offline_config, tmp_path):
    """Run `freqtrade COMMAND` in a foreign folder with the pack's layers; return what it printed."""

    def run(command, *arguments):
        layers = [root / "configs" / f"{name}.json" for name in ("base", "futures", "offline")]
        user_data = tmp_path / "user_data"
        user_data.mkdir(exist_ok=True)
        ran = subprocess.run(
            [
                str(FREQTRADE), command, "--no-color",
                *(word for layer in [*layers, offline_config] for word in ("-c", str(layer))),
                "--userdir", str(user_data), "--datadir", str(data_dir),
                "--strategy-path", str(root / "strategies"), *arguments,
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(root / "strategies"), "COLUMNS": "300"},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        printed = ran.stdout + ran.stderr
        assert ran.returncode == 0, printed[-4_000:]
        return printed

    return run


def results_in(folder):
    """Return Freqtrade's statistics by strategy name from its newest result file."""
    newest = max(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime)
    with zipfile.ZipFile(newest) as archive:
        return json.loads(archive.read(f"{newest.stem}.json"))["strategy"]


@pytest.mark.long
@pytest.mark.timeout(240)
def test_half_a_year_of_real_candles(freqtrade, tmp_path):
    freqtrade(
        "backtesting", "--timerange", "20240101-20240701", "--cache", "none",
        "--strategy-list", *STRATEGIES,
    )  # fmt: skip
    results = results_in(tmp_path / "user_data" / "backtest_results")
    for name in STRATEGIES:
        trades = results[name]["trades"]
        assert len(trades) > 100
        check_risk(trades, results[name])


def check_risk(trades, result):
    """Every trade lost what it was to risk at most, its stop before its liquidation."""
    equity = result["starting_balance"]
    for trade in sorted(trades, key=lambda one: one["close_timestamp"]):
        assert trade["exit_reason"] != "liquidation"
        assert trade["enter_tag"]
        assert 1.0 <= trade["leverage"] <= 5.0
        stop, opened = trade["stop_loss_abs"], trade["open_rate"]
        assert (stop < opened) != trade["is_short"]
        assert 0.0079 < abs(stop / opened - 1.0) < 0.0501
        # half a percent of equity, a little more where others were open, funding, and rounding
        assert trade["profit_abs"] > -0.0075 * equity
        equity += trade["profit_abs"]
    assert {trade["is_short"] for trade in trades} == {True, False}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STRATEGIES)
def test_hyperopt_with_two_workers_from_a_foreign_folder(freqtrade, root, name):
    printed = freqtrade(
        "hyperopt", "--strategy", name, "--hyperopt-path", str(root / "hyperopts"),
        "--hyperopt-loss", "CalmarTailLoss", "--spaces", "buy", "sell", "--epochs", "6",
        "-j", "2", "--timerange", "20240201-20240301", "--disable-param-export",
        "--random-state", "1",
    )  # fmt: skip
    assert "Best result" in printed
    assert "ModuleNotFoundError" not in printed


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STRATEGIES)
def test_lookahead_analysis_finds_nothing(freqtrade, name, tmp_path):
    export = tmp_path / "lookahead.csv"
    freqtrade(
        "lookahead-analysis", "--strategy", name, "--timerange", "20240101-20240301",
        "--minimum-trade-amount", "10", "--targeted-trade-amount", "20",
        "--lookahead-analysis-exportfilename", str(export),
    )  # fmt: skip
    header, row = (line.split(",") for line in export.read_text().splitlines()[:2])
    found = dict(zip(header, row, strict=True))
    assert found["has_bias"] == "False"
    assert int(found["total_signals"]) >= 10  # too few signals would not be a pass
