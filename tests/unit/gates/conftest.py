"""Data files, repositories, and results made by hand, so that figures can be checked on paper."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from automation.gates.results import Trades, WindowResult
from automation.simulator.feather import write_feather

START_MS = 1_735_689_600_000  # 2025-01-01
FIVE_MINUTES_MS = 300_000
DAY_MS = 86_400_000


def candles(path: Path, rows: int = 3000, step_ms: int = FIVE_MINUTES_MS, seed: int = 1) -> Path:
    """A random walk as a Freqtrade file."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, rows)))
    times = START_MS + np.arange(rows, dtype=np.int64) * step_ms
    columns = {"open": close, "high": close * 1.001, "low": close * 0.999, "close": close}
    write_feather(path, times, {**columns, "volume": np.full(rows, 5.0)})
    return path


@pytest.fixture
def feather(tmp_path) -> Path:
    return candles(tmp_path / "BTC_USDT_USDT-5m-futures.feather")


STRATEGY = """from freqtrade.strategy import IStrategy
from kit import maths


class {name}(IStrategy):
    timeframe = "5m"

    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = dataframe["close"].rolling(10).mean()
        return dataframe.assign(slope=maths.slope(dataframe["mean"]))

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["slope"] > 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["slope"] < 0, ["exit_long", "exit_tag"]] = (1, "down")
        return dataframe
"""


class Checkout:
    """A git repository with strategies in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "strategies" / "kit").mkdir(parents=True)
        (root / "configs").mkdir()
        (root / "configs" / "base.json").write_text('{"max_open_trades": 3}')
        self.write("strategies/kit/__init__.py", "")
        self.write("strategies/kit/maths.py", "def slope(values):\n    return values.diff()\n")
        for name in ("Alpha", "Beta"):
            self.write(f"strategies/{name}.py", STRATEGY.format(name=name))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.email", "gate@example.org")
        self.git("config", "user.name", "Gate")
        self.commit("begin")

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path / "repository")


def window(
    profits: Sequence[float],
    *,
    name: str = "20250101-20250131",
    days: int = 30,
    balance: float = 10_000.0,
    stop_loss: float = 50.0,
    notional: float = 1_000.0,
    reason: str = "exit_signal",
    pairs: Sequence[str] = ("BTC/USDT:USDT",),
) -> WindowResult:
    """One trade a day, opened an hour into it and closed two hours later."""
    count = len(profits)
    opens = tuple(START_MS + day * DAY_MS + 3_600_000 for day in range(count))
    return WindowResult(
        window=name,
        timeframe="5m",
        start_ms=START_MS,
        end_ms=START_MS + days * DAY_MS,
        starting_balance=balance,
        market_change_frac=0.0,
        rejected_signals=0,
        trades=Trades(
            pair=tuple(pairs[number % len(pairs)] for number in range(count)),
            open_ms=opens,
            close_ms=tuple(one + 7_200_000 for one in opens),
            is_short=(False,) * count,
            reason=(reason,) * count,
            profit=tuple(float(one) for one in profits),
            notional=(notional,) * count,
            stop_loss=(stop_loss,) * count,
        ),
    )


@pytest.fixture(scope="session")
def make_window():
    return window


@pytest.fixture(scope="session")
def make_candles():
    return candles
