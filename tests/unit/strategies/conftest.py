"""Candles that tests make themselves, and what a strategy makes of candles."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

STRATEGIES = Path(__file__).resolve().parents[3] / "strategies"
NAMES = sorted(path.stem for path in STRATEGIES.glob("*.py"))


def load_class(name):
    spec = importlib.util.spec_from_file_location(name, STRATEGIES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@pytest.fixture(params=NAMES)
def strategy(request):
    """Each strategy of the pack with its default parameters."""
    made = load_class(request.param)({"timeframe": "5m"})
    made.ft_load_hyper_params(False)
    return made


@pytest.fixture(scope="session")
def analysed():
    """Run the three steps that Freqtrade runs on a new candle."""

    def run(strategy, candles):
        metadata = {"pair": "BTC/USDT:USDT"}
        frame = strategy.populate_indicators(candles.copy(), metadata)
        frame = strategy.populate_entry_trend(frame, metadata)
        return strategy.populate_exit_trend(frame, metadata)

    return run


@pytest.fixture(scope="session")
def walk():
    """Make a random walk with calm and wild stretches and a drift that turns."""

    def make(rows=5_000, seed=3, volatility=0.002):
        rng = np.random.default_rng(seed)
        wild = np.exp(0.6 * np.sin(np.arange(rows) / 150))
        drift = 0.0004 * np.sin(np.arange(rows) / 400)
        close = 100 * np.exp(np.cumsum(drift + volatility * wild * rng.standard_normal(rows)))
        before = np.concatenate(([100.0], close))[:rows]
        spread = 1 + volatility * rng.uniform(0, 1, (2, rows))
        return pd.DataFrame(
            {
                "date": pd.date_range("2024-01-01", periods=rows, freq="5min", tz="UTC"),
                "open": before,
                "high": np.maximum(before, close) * spread[0],
                "low": np.minimum(before, close) / spread[1],
                "close": close,
                "volume": rng.lognormal(3, 1, rows),
            }
        )

    return make


@pytest.fixture(params=["BTC", "ETH", "SOL"])
def real_candles(request, data_dir):
    """Read 6,000 real candles of one pair, from March 2024 on, in the timeframe asked for."""

    def read(timeframe):
        name = f"{request.param}_USDT_USDT-{timeframe}-futures.feather"
        frame = pd.read_feather(data_dir / "futures" / name)
        return frame[frame["date"] >= "2024-03-01"].iloc[:6_000].reset_index(drop=True)

    return read
