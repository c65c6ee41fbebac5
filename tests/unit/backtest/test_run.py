"""What is told of a run while Freqtrade works, read from the lines that it prints."""

import os
import sys
from pathlib import Path

from automation.backtest.run import _watch
from automation.backtest.source import StrategyFile
from tradekit import edge

SPENT = edge.Edge(0.591, 0.58, 756, "2025-07-01")
LOG = "2026-01-02 03:04:05,678 - tradekit.base - WARNING - MeanReversionStrategy: {}"
STAGES = "Loading data from x", "Dataload complete. Calculating indicators"


async def test_a_strategy_without_an_edge_is_heard():
    lines = [LOG.format(edge.refusal(SPENT)), *STAGES, STAGES[1]]
    told = []
    output = await _watch(
        [sys.executable, "-c", f"for line in {lines!r}: print(line)"],
        os.environ,
        StrategyFile("MeanReversionStrategy", Path("x.py"), "1h"),
        lambda name, stage: told.append((name, stage)),
        None,
    )
    assert output.code == 0
    assert {name for name, _ in told} == {"MeanReversionStrategy"}
    assert [stage for _, stage in told] == [
        "no entry on candles from 2025-07-01 on: 756 trades showed no edge (59.1% won, 0.58 times "
        "the mean loss each) and Kelly's rule then risks nothing; configs/kelly-off.json "
        "(freqfleet.edge: null) lifts that",
        "loading candles",
        "computing indicators",
    ]
