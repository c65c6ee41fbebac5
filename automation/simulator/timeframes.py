"""The candle lengths that Binance futures knows, and where their boundaries lie in UTC.

Decides when a candle opens: whole multiples of the epoch, weeks from Monday, calendar months.
Refuses to know what is in a candle. Called by every file of this room that cuts time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05, the first Monday of the epoch

LENGTHS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 30 * DAY_MS,
}
"""Length of each timeframe in ms; a month is listed with 30 days and counted by the calendar."""


@dataclass(frozen=True, slots=True)
class Timeframe:
    """One candle length. Candles are numbered: number `n` opens at `open_ms(n)`."""

    name: str
    length_ms: int

    @property
    def is_month(self) -> bool:
        """Whether candles follow the calendar instead of a fixed length."""
        return self.name == "1M"

    @property
    def _anchor_ms(self) -> int:
        return _MONDAY_MS if self.name == "1w" else 0

    def number(self, at_ms: int) -> int:
        """Number of the candle that contains the instant."""
        if self.is_month:
            day = datetime.fromtimestamp(at_ms / 1000, UTC)
            return (day.year - 1970) * 12 + day.month - 1
        return (at_ms - self._anchor_ms) // self.length_ms

    def open_ms(self, number: int) -> int:
        """Instant at which the candle of that number opens."""
        if self.is_month:
            year, month = divmod(number, 12)
            return int(datetime(1970 + year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000
        return number * self.length_ms + self._anchor_ms

    def opens(self, first: int, stop: int) -> Ints:
        """Opening instants of the candles `first` to `stop` - 1."""
        if self.is_month:
            return np.array([self.open_ms(n) for n in range(first, stop)], dtype=np.int64)
        return np.arange(first, stop, dtype=np.int64) * self.length_ms + self._anchor_ms

    def fits(self, shift_ms: int) -> bool:
        """Whether moving candles by `shift_ms` keeps them on this timeframe's boundaries."""
        return shift_ms == 0 if self.is_month else shift_ms % self.length_ms == 0

    def is_made_of(self, other: "Timeframe") -> bool:
        """Whether candles of `other` fill one of these without a remainder."""
        if other.is_month:
            return self.is_month
        if self.is_month:
            return DAY_MS % other.length_ms == 0
        if other.name == "1w":
            return self.length_ms == other.length_ms
        return self.length_ms % other.length_ms == 0


@cache
def timeframe(name: str) -> Timeframe:
    """Look up a timeframe by Binance's name; KeyError if there is none."""
    return Timeframe(name, LENGTHS_MS[name])
