"""A small market that the project makes itself, for backtests that need no data from elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from automation.simulator import write_data_folder

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory) -> Path:
    """Twenty days of three pairs in 5m candles, with mark candles and funding."""
    folder = tmp_path_factory.mktemp("market")
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 21, tzinfo=UTC)
    write_data_folder(folder, PAIRS, ("5m",), start, end, 7)
    return folder
