"""The one door to market data: a path opens a replay."""

from collections.abc import Sequence
from pathlib import Path

from automation.simulator.market import Market
from automation.simulator.replay import ReplayMarket


def open_market(source: str | Path, pairs: Sequence[str] | None = None) -> Market:
    """Open a Freqtrade data folder.

    `pairs` (Freqtrade's names) restricts it. ConfigError if the folder or a pair is not there.
    """
    return ReplayMarket(source, pairs)
