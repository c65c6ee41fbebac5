"""A foreign strategy repository and a synthetic bundle, judged by the real command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
STRATEGY = '''"""Crossings of two averages, long and short."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Crossing(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "15m"
    can_short = True
    minimal_roi = {"0": 0.2}
    stoploss = -0.04
    startup_candle_count = 250
    process_only_new_candles = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=5)
        dataframe["slow"] = ta.EMA(dataframe, timeperiod=20)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "enter_long"] = 1
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["fast"] < dataframe["slow"], "exit_long"] = 1
        dataframe.loc[dataframe["fast"] > dataframe["slow"], "exit_short"] = 1
        return dataframe
'''
CONFIG = """
strategies: [user_data/strategies]
windows: 2
limits: {most_drawdown_frac: 0.9, most_worst_day_frac: 0.5}
lookahead: {trades: 12, least_trades: 6}
truncation: {cuts: 6, pairs: 1, days: 4}
comparison: {resamples: 400}
"""


@pytest.fixture(scope="session")
def gate_home(tmp_path_factory) -> Path:
    """One state folder for all runs: bytecode is written once, results only where a test asks."""
    return tmp_path_factory.mktemp("gate-home")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    """Thirty days of two made-up pairs, and ten before."""
    from automation.app.bundles import BundleRequest, make_bundle

    target = tmp_path_factory.mktemp("bundle") / "bundle.tar.zst"
    request = BundleRequest(
        timerange="20240115-20240214", pairs=PAIRS, timeframes=("15m", "1h"), seed=3, lead_days=10
    )
    make_bundle(request, target)
    return target


class Repository:
    """A strategy repository of somebody else: Freqtrade's layout, and a gate.yaml."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("gate.yaml", CONFIG)
        self.write("user_data/strategies/Crossing.py", STRATEGY)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "gate@example.org")
        self.git("config", "user.name", "Gate")
        self.commit("begin")

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def change(self, *edits: tuple[str, str], name: str = "Crossing") -> None:
        """Edit a strategy: every text must be there, and is replaced."""
        path = f"user_data/strategies/{name}.py"
        text = (self.root / path).read_text()
        for before, after in edits:
            assert before in text, before
            text = text.replace(before, after)
        self.write(path, text)

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def gate(repository, bundle, gate_home, tmp_path):
    """Run `freqfleet gate run --json` in the repository, `within` another program: its document."""

    def run(*arguments, cache: Path | None = None, code: int | None = None, within=()):
        kept = cache or tmp_path / "cache"
        words = ("gate", "run", "--bundle", bundle, "--cache", kept, "--json", *arguments)
        done = subprocess.run(
            [*within, sys.executable, "-m", "automation", *map(str, words)],
            cwd=repository.root,
            env={**os.environ, "FREQFLEET_HOME": str(gate_home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=1100,
        )
        assert "Traceback" not in done.stderr, done.stderr
        expected = (0, 1) if code is None else (code,)
        assert done.returncode in expected, f"{done.returncode}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    return run


@pytest.fixture
def checks():
    """Pick the checks of one strategy that have a status."""

    def pick(document: dict, status: str = "fail", name: str = "Crossing") -> dict[str, str]:
        (found,) = [one for one in document["strategies"] if one["name"] == name]
        return {one["name"]: one["sentence"] for one in found["checks"] if one["status"] == status}

    return pick
