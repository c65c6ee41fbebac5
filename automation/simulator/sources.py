"""The one door to market data: a path opens a replay, a number makes a market up."""

from collections.abc import Sequence
from pathlib import Path

from automation.simulator.market import Market
from automation.simulator.replay import ReplayMarket
from automation.simulator.synthetic import SyntheticMarket


def open_market(source: str | Path | int, pairs: Sequence[str] | None = None) -> Market:
    """Open a Freqtrade data folder (a path) or a synthetic market (a seed).

    `pairs` (Freqtrade's names) restricts it. ConfigError if the folder or a pair is not there.
    """
    if isinstance(source, int):
        return SyntheticMarket(source, pairs)
    return ReplayMarket(source, pairs)
