"""Small recorded folders and a naive way to look at them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from automation.core.clock import to_ms
from automation.simulator.feather import CANDLE_COLUMNS, write_feather
from automation.simulator.timeframes import timeframe

START = datetime(2024, 1, 1, tzinfo=UTC)


def _walk(rows, seed=0, price=100.0, decimals=1):
    """Candles that hang together: shape (rows, 5), prices with `decimals`, volumes with 3."""
    draw = np.random.default_rng(seed)
    ticks = np.maximum(1000 + np.cumsum(draw.integers(-5, 6, rows + 1)), 10)
    begin, end = ticks[:-1], ticks[1:]
    high = np.maximum(begin, end) + draw.integers(0, 4, rows)
    low = np.minimum(begin, end) - draw.integers(0, 4, rows)
    prices = np.column_stack((begin, high, low, end)) / 10.0**decimals
    return np.column_stack((prices, draw.integers(1, 90_000, rows) / 1000))


@pytest.fixture(scope="session")
def walk():
    """Make candles that hang together: `walk(rows, seed)`."""
    return _walk


@pytest.fixture
def put(tmp_path):
    """Write one file of candles into a data folder; gives the folder."""

    def write(name: str, kind: str, values, start=START, base="BTC", keep=None) -> Path:
        frame = timeframe(name)
        first = frame.number(to_ms(start))
        times = frame.opens(first, first + len(values))
        if keep is not None:
            times, values = times[keep], values[keep]
        folder = tmp_path / "futures"
        folder.mkdir(exist_ok=True)
        path = folder / f"{base}_USDT_USDT-{name}-{kind}.feather"
        if kind == "funding_rate":
            write_feather(path, times, {"funding_rate": np.ravel(values)})
        else:
            write_feather(path, times, dict(zip(CANDLE_COLUMNS, values.T, strict=True)))
        return tmp_path

    return write
