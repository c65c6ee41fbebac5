"""Ten synthetic days, and a folder of strategies that a test may write into."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from automation.app.tuning import TuneRequest
from automation.simulator import write_data_folder

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")


@pytest.fixture(scope="session")
def market(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("market")
    start, end = datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 13, tzinfo=UTC)
    write_data_folder(made, PAIRS, ("5m", "1h"), start, end, 7)
    return made


@pytest.fixture
def folder(tmp_path) -> Path:
    """The test's strategies, each test its own."""
    made = tmp_path / "strategies"
    shutil.copytree(
        Path(__file__).parent / "strategies", made, ignore=shutil.ignore_patterns("__pycache__")
    )
    return made


@pytest.fixture
def request_of(market, folder, tmp_path, monkeypatch) -> Callable[..., TuneRequest]:
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))

    def make(strategy: str = "StrangerStrategy", **more) -> TuneRequest:
        given = {
            "strategy": strategy,
            "data": market,
            "timerange": "20240105-20240113",
            "pairs": PAIRS,
            "trials": 60,
            "strategy_path": folder,
            "losses": ("SharpeHyperOptLossDaily",),
        }
        return TuneRequest(**{**given, **more})

    return make
