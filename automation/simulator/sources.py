"""The one door to market data: a path opens a replay, a number makes a market up.

A folder holds candles as Freqtrade keeps them, a file is a recording of an exchange's streams.
"""

from collections.abc import Sequence
from pathlib import Path

from automation.simulator.market import Market
from automation.simulator.recorded_market import RecordedMarket
from automation.simulator.replay import ReplayMarket
from automation.simulator.synthetic import SyntheticMarket


def open_market(source: str | Path | int, pairs: Sequence[str] | None = None) -> Market:
    """Open a Freqtrade data folder or a recording (a path) or a synthetic market (a seed).

    `pairs` (Freqtrade's names) restricts it. ConfigError if the folder or a pair is not there.
    """
    if isinstance(source, int):
        return SyntheticMarket(source, pairs)
    if Path(source).is_file():
        return RecordedMarket(source, pairs)
    return ReplayMarket(source, pairs)
