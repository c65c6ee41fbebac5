"""Epochs a second of the compiled backtest beside Freqtrade's own, in one run on the same job."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automation.simulator.rules import KNOWN, exchange_info, symbol_info
from automation.worker.compare import differences
from automation.worker.engine import evaluate, prepare
from automation.worker.jobs import EngineJob, Parameters
from automation.worker.reference import evaluate_with_freqtrade

# Freqtrade's own use of pandas, not ours.
pytestmark = [
    pytest.mark.bench,
    pytest.mark.real_data,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "BNB/USDT:USDT", "XRP/USDT:USDT")
PROBES = Path(__file__).parents[1] / "integration" / "worker" / "strategies"
FIRST_CALL = """
import time
begin = time.process_time()
import numpy as np
from automation.worker.kernel import layout, loop
tape = layout.Tape(np.zeros(2, layout.MARKET), np.zeros((2, 3), layout.TIER),
    np.zeros((2, 10), layout.CANDLE), np.zeros(3), np.arange(2), (0, 300, 3600))
orders = layout.Orders(np.zeros((2, 10), np.int8), np.zeros((2, 10), np.int8),
    np.full((1, 1, 5), np.nan), np.zeros(1, layout.RULES), np.zeros(1, np.int64), np.zeros(1),
    np.zeros(1, layout.GUARD))
imported = time.process_time()
loop.simulate(tape, orders, layout.empty_desk(2, 1.0, 100))
print(time.process_time() - imported)
"""


def facts() -> dict[str, object]:
    bases = [pair.split("/")[0] for pair in PAIRS]
    names = [(f"{base}USDT", base, "USDT") for base in bases]
    return exchange_info([symbol_info(name, KNOWN[name[0]], 0, "TRADING") for name in names], 0)


def cpu_s(work: object, times: int) -> float:
    begin = time.process_time()
    for number in range(times):
        work(number)
    return (time.process_time() - begin) / times


@pytest.mark.parametrize(
    ("strategy", "folder", "least"),
    [("TrendFollowingStrategy", None, 100.0), ("CrossStrategy", PROBES, 30.0)],
)
def test_an_epoch_costs_a_fraction_of_freqtrades(data_dir, strategy, folder, least):
    prepared = prepare(
        EngineJob(strategy, data_dir, "20250101-20250501", PAIRS, strategy_path=folder,
                  overrides={"enable_protections": True}, exchange_info=facts())
    )  # fmt: skip
    tried = [Parameters(stoploss=-0.3 - 0.001 * number) for number in range(50)]
    ours = evaluate(prepared, tried[0])
    begin = time.process_time()
    theirs = evaluate_with_freqtrade(prepared, tried[0])
    freqtrade_s = time.process_time() - begin
    assert differences(ours, theirs, tolerance=0.0) == []
    kernel_s = cpu_s(lambda number: evaluate(prepared, tried[number]), len(tried))
    ratio = freqtrade_s / kernel_s
    print(
        f"\n{strategy}: kernel {kernel_s * 1e3:.1f} ms, Freqtrade backtest() {freqtrade_s:.2f} s, "
        f"ratio {ratio:.0f}, {len(theirs.trades)} trades (CPU)"
    )
    assert ratio >= least


def test_the_first_call_compiles_and_the_next_process_does_not(tmp_path):
    environment = {**os.environ, "FREQFLEET_KERNEL_CACHE": str(tmp_path)}
    spent = [
        float(subprocess.run([sys.executable, "-c", FIRST_CALL], env=environment, check=True,
                             capture_output=True, text=True).stdout)
        for _ in range(2)
    ]  # fmt: skip
    print(f"\nfirst compilation {spent[0]:.1f} s, cached {spent[1]:.2f} s (CPU)")
    assert spent[1] < spent[0] / 5
