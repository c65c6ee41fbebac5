"""What a new candle costs: indicators and signals of 999 candles, per strategy (aim: ≤ 10 ms)."""

import importlib.util
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"


@pytest.mark.bench
@pytest.mark.parametrize("path", sorted(STRATEGIES.glob("*.py")), ids=lambda path: path.stem)
def test_a_new_candle(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    strategy = getattr(module, path.stem)({"timeframe": "5m"})
    strategy.ft_load_hyper_params(False)
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.002, 999)))
    candles = pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=999, freq="5min", tz="UTC"),
            "open": close,
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close,
            "volume": 1.0,
        }
    )
    taken_s = []
    for _ in range(100):
        start = time.perf_counter()
        frame = strategy.populate_indicators(candles.copy(), {})
        strategy.populate_exit_trend(strategy.populate_entry_trend(frame, {}), {})
        taken_s.append(time.perf_counter() - start)
    print(f"\n{path.stem}: {median(taken_s) * 1e3:.2f} ms median")
