"""The pack where there is only what Freqtrade itself requires: no numba, arch, hmmlearn, no sidecar."""

import json
import os
import re
import subprocess
import sys

import pytest

from automation.core.timerange import parse_timerange
from automation.simulator import freqtrade_overlay, open_market, serving, write_data_folder

STRATEGIES = {
    "TrendFollowingStrategy": "5m",
    "FuturesAIRiskStrategy": "5m",
    "RossCameronFuturesStrategy": "5m",
    "VolatilityBreakoutStrategy": "15m",
    "MeanReversionStrategy": "1h",
}
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
# What the sidecar or its tests use and Freqtrade's own requirements do not name. Freqtrade's
# hyperopt extra, which the stock image has, is left: scipy, scikit-learn, optuna.
MISSING = (
    "numba", "arch", "hmmlearn", "statsmodels", "skfolio", "structlog", "typer", "automation",
    "hypothesis", "pytest",
)  # fmt: skip
BLOCK = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {MISSING!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""

pytestmark = [pytest.mark.xdist_group("freqtrade"), pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stock(root, tmp_path_factory):
    """Run freqtrade on a made-up market where the missing modules cannot be imported."""
    folder = tmp_path_factory.mktemp("stock")
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCK)
    data, span = folder / "data", parse_timerange("20240101-20240301")
    write_data_folder(data, PAIRS, tuple(set(STRATEGIES.values())), span.start, span.end, 7)
    paths = (folder / "blocked", root / "strategies")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "COLUMNS": "300"}
    with serving(open_market(data)) as simulator:
        overlay = folder / "simulator.json"
        overlay.write_text(json.dumps(freqtrade_overlay(simulator.url, PAIRS)))
        layers = [root / "configs" / f"{name}.json" for name in ("base", "futures", "offline")]

        def run(*arguments, is_freqtrade=True):
            words = [
                *(word for layer in (*layers, overlay) for word in ("-c", str(layer))),
                "--userdir", str(folder / "user_data"), "--datadir", str(data),
                "--strategy-path", str(root / "strategies"),
            ]  # fmt: skip
            (folder / "user_data").mkdir(exist_ok=True)
            freqtrade = ("-m", "freqtrade", arguments[0], "--no-color", *words, *arguments[1:])
            return subprocess.run(
                [sys.executable, *(freqtrade if is_freqtrade else arguments)],
                cwd=folder, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip

        yield run


@pytest.mark.parametrize("name", MISSING)
def test_the_environment_lacks_it(stock, name):
    assert "ModuleNotFoundError" in stock("-c", f"import {name}", is_freqtrade=False).stderr


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_backtests(stock, name):
    ran = stock(
        "backtesting", "--strategy", name, "--timerange", "20240115-20240301", "--cache", "none",
        "--enable-protections",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert "BACKTESTING REPORT" in ran.stdout
    trades = re.search(r"\bTOTAL\s*│\s*(\d+)", ran.stdout)
    assert trades is not None, ran.stdout[-3_000:]
    assert int(trades[1]) > 0, ran.stdout[-3_000:]


def test_hyperopt_finds_the_kit_and_the_losses(stock, root):
    ran = stock(
        "hyperopt", "--strategy", "MeanReversionStrategy", "--hyperopt-path", str(root / "hyperopts"),
        "--hyperopt-loss", "MultiMetricLoss", "--spaces", "buy", "--epochs", "2", "-j", "2",
        "--timerange", "20240115-20240301", "--disable-param-export", "--random-state", "1",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    assert "ModuleNotFoundError" not in ran.stdout + ran.stderr
