"""The real `freqtrade` with the pack's layers, in a foreign folder, against a simulator."""

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


@pytest.fixture
def results_of(tmp_path):
    """Return Freqtrade's statistics by strategy name from its newest result file."""

    def read():
        folder = tmp_path / "user_data" / "backtest_results"
        newest = max(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime)
        with zipfile.ZipFile(newest) as archive:
            return json.loads(archive.read(f"{newest.stem}.json"))["strategy"]

    return read
