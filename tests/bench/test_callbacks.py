"""What the pack's callbacks add to a Freqtrade backtest: beside the same callbacks returning constants.

The goal is 1.2 times. Both have the same signals; as constant stakes and stops lead to other trades,
the time of the candle loop is told per candle of an open trade too.
"""

import time

import numpy as np
import pytest
from freqtrade.exchange import timeframe_to_seconds

from automation.app.results import exchange_of
from automation.worker.engine import prepare
from automation.worker.jobs import EngineJob
from automation.worker.reference import evaluate_with_freqtrade

# About as many candles of each.
SPANS = {
    "TrendFollowingStrategy": "20240215-20240315",
    "FuturesAIRiskStrategy": "20240215-20240315",
    "RossCameronFuturesStrategy": "20240215-20240315",
    "VolatilityBreakoutStrategy": "20240101-20240401",
    "MeanReversionStrategy": "20231001-20241001",
}
SHORT_S = 1.5
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
CONSTANT = """
from {name} import {name}


class Constant{name}({name}):
    stoploss = -0.09

    def leverage(self, *arguments, **words):
        return 3.0

    def custom_stake_amount(self, *arguments, **words):
        return 800.0

    def confirm_trade_entry(self, *arguments, **words):
        return True

    def custom_stoploss(self, *arguments, **words):
        return None

    def custom_exit(self, *arguments, **words):
        return None

    def custom_entry_price(self, *arguments, **words):
        return words["proposed_rate"]

    def adjust_entry_price(self, *arguments, **words):
        return words["current_order_rate"]

    def bot_loop_start(self, *arguments, **words):
        return None
"""

pytestmark = [
    pytest.mark.bench,
    pytest.mark.real_data,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]


def prepared_of(name, data_dir, folder):
    """Load the strategy and its candles, and compute its columns."""
    job = EngineJob(
        name, data_dir, SPANS[name.removeprefix("Constant")], PAIRS, strategy_path=folder,
        exchange_info=exchange_of(PAIRS),
    )  # fmt: skip
    prepared = prepare(job)
    prepared.columns()
    return prepared


def measured(prepared):
    """Return the CPU time of one `Backtesting.backtest`, its trades and their candles."""
    begin = time.process_time()
    trades = evaluate_with_freqtrade(prepared).trades
    taken_s = time.process_time() - begin
    candle_s = timeframe_to_seconds(prepared.strategy.timeframe)
    held = (trades["close_time"] - trades["open_time"]).astype(np.int64).sum() / candle_s
    return taken_s, len(trades), held


@pytest.mark.parametrize("name", SPANS)
def test_callbacks_beside_constants(root, data_dir, tmp_path, name):
    """In turns, the least time of each: the first run pays for both, and a short one is noisy."""
    (tmp_path / f"{name}.py").write_text((root / "strategies" / f"{name}.py").read_text())
    (tmp_path / f"Constant{name}.py").write_text(CONSTANT.format(name=name))
    both = [prepared_of(each, data_dir, tmp_path) for each in (name, f"Constant{name}")]
    first = [measured(each) for each in both]
    rounds = 9 if first[0][0] < SHORT_S else 2
    taken = [first, *([measured(each) for each in both] for _ in range(rounds))]
    least = [min(column) for column in zip(*taken, strict=True)]
    for who, (taken_s, trades, held) in zip(("the pack's", "constants"), least, strict=True):
        print(f"\n{name}, {who}: {taken_s:.2f} s CPU, {trades} trades, {held:.0f} open candles")
    print(f"ratio {least[0][0] / least[1][0]:.2f}")
