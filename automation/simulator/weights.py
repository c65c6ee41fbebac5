"""What each request weighs, and how much weight each address used this minute.

Decides the numbers of Binance's table of request weights. Refuses to limit anyone: the count is
only told, in the header X-MBX-USED-WEIGHT-1M. Called by `rest`.
"""

from automation.simulator.timeframes import MINUTE_MS

_KLINES = ((100, 1), (500, 2), (1001, 5), (10_000, 10))
_DEPTH = ((51, 2), (101, 5), (501, 10), (10_000, 20))
_MOST_ADDRESSES = 1000


def klines_weight(limit: int) -> int:
    """Weigh a request for candles by its limit."""
    return next(weight for below, weight in _KLINES if limit < below)


def depth_weight(limit: int) -> int:
    """Weigh a request for the order book by its limit."""
    return next(weight for below, weight in _DEPTH if limit < below)


class WeightCount:
    """Weight used per address in the running minute."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._minute = -1
        self._used: dict[str, int] = {}

    def add(self, address: str, weight: int, now_ms: int) -> int:
        """Add a request's weight; gives the address's total of this minute."""
        minute = now_ms // MINUTE_MS
        if minute != self._minute or len(self._used) > _MOST_ADDRESSES:
            self._minute = minute
            self._used.clear()
        used = self._used.get(address, 0) + weight
        self._used[address] = used
        return used
