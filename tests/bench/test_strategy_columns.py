"""What a new candle costs: indicators and signals of 999 candles (aim: ≤ 10 ms), sizing and risk (≤ 1 ms).

CPU time beside wall time: on a busy machine only the first one says something of the code.
"""

import importlib.util
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.persistence import LocalTrade, disable_database_use, enable_database_use

STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"
PAIR = "BTC/USDT:USDT"
SECOND = timedelta(seconds=1)


def strategy_of(path, runmode=RunMode.BACKTEST):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = {"timeframe": "5m", "runmode": runmode, "candle_type_def": CandleType.FUTURES}
    strategy = getattr(module, path.stem)(config)
    strategy.ft_load_hyper_params(False)
    strategy.dp = DataProvider(config, None)
    strategy.wallets = SimpleNamespace(get_total_stake_amount=lambda: 10_000.0)
    return strategy


@pytest.fixture(scope="module")
def candles():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.002, 999)))
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=999, freq="5min", tz="UTC"),
            "open": close,
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close,
            "volume": 1.0,
        }
    )


def measured(step, times=100):
    """Run `step` so many times; return the medians of wall and CPU time in ms."""
    taken = []
    for _ in range(times):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        step()
        taken.append((time.perf_counter() - wall_s, time.process_time() - cpu_s))
    wall, cpu = zip(*taken, strict=True)
    return f"{median(wall) * 1e3:.2f} ms wall, {median(cpu) * 1e3:.2f} ms CPU (median of {times})"


@pytest.mark.bench
@pytest.mark.parametrize("path", sorted(STRATEGIES.glob("*.py")), ids=lambda path: path.stem)
def test_a_new_candle(path, candles):
    strategy = strategy_of(path)

    def step():
        frame = strategy.populate_indicators(candles.copy(), {"pair": PAIR})
        strategy.populate_exit_trend(strategy.populate_entry_trend(frame, {}), {})

    print(f"\n{path.stem}: {measured(step)}")


@pytest.mark.bench
@pytest.mark.parametrize("runmode", [RunMode.BACKTEST, RunMode.DRY_RUN], ids=str)
def test_sizing_and_risk_of_an_entry(candles, runmode):
    strategy = strategy_of(STRATEGIES / "TrendFollowingStrategy.py", runmode)
    analysed = strategy.populate_indicators(candles.copy(), {"pair": PAIR})
    strategy.dp._set_cached_df(PAIR, "5m", analysed, CandleType.FUTURES)
    strategy.dp._set_dataframe_max_index(PAIR, len(analysed))
    sides = [[100.0 + 0.01 * level, 1e3] for level in range(20)]
    book = {"bids": [[199.99 - rate, size] for rate, size in sides], "asks": sides}
    strategy.dp.orderbook = lambda *_: book
    rate = float(analysed["close"].iat[-1])
    closed = candles["date"].iat[-1].to_pydatetime() + timedelta(minutes=5)
    moments = (closed + passed * SECOND for passed in range(1_000))
    disable_database_use("5m")

    def step():
        now = next(moments)
        strategy.bot_loop_start(now)
        leverage = strategy.leverage(PAIR, now, rate, 1.0, 125.0, None, "long")
        strategy.custom_stake_amount(PAIR, now, rate, 3e3, 5.0, 1e4, leverage, None, "long")
        strategy.custom_entry_price(PAIR, None, now, rate, None, "long")
        strategy.confirm_trade_entry(PAIR, "limit", 1.0, rate, "GTC", now, None, "long")

    print(f"\nladder, leverage, stake, rate, confirmation ({runmode.value}): {measured(step)}")
    LocalTrade.reset_trades()
    enable_database_use()
