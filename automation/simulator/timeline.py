"""Which instant of the market is now, and who may move it.

Decides the shift between the source's time and the served time: whole hours, chosen once, so that
hours stay hours and funding stays on them. Refuses to know candles. Called by `charts`, `tape`
and `rest`; the served clock is the wall clock, because Freqtrade trades by it, or a `HandClock`
that moves only when it is told to.
"""

from datetime import datetime, timedelta

from automation.core.clock import Clock, to_ms
from automation.simulator.timeframes import HOUR_MS

_TICK_MS = 100  # prices move ten times a second, and all endpoints agree in between


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, start: datetime) -> None:
        """Begin at an instant (aware)."""
        self._start, self._gone = start, timedelta()

    def now(self) -> datetime:
        """Tell the instant to which it was moved."""
        return self._start + self._gone

    def monotonic(self) -> float:
        """Tell the seconds by which it was moved."""
        return self._gone.total_seconds()

    def move_to(self, instant: datetime) -> None:
        """Go on to a later instant; ValueError for an earlier one."""
        if instant < self.now():
            raise ValueError(f"time does not go back from {self.now()} to {instant}")
        self._gone = instant - self._start


class Timeline:
    """A served clock, and how far the market's own time lies behind it."""

    def __init__(self, clock: Clock, at: datetime | None = None) -> None:
        """Map `at` in the market to now, to the hour below; without `at` nothing is moved."""
        self._clock = clock
        self.is_shifted = at is not None
        self.shift_ms = 0
        self.skew_ms = 0
        """How far the server's own clock is ahead of the time it lives in: a fault."""
        if at is not None:
            self.shift_ms = (to_ms(clock.now()) - to_ms(at)) // HOUR_MS * HOUR_MS

    def now_ms(self) -> int:
        """Served time: the wall clock."""
        return to_ms(self._clock.now())

    def told_ms(self) -> int:
        """Time that the server tells and checks requests against."""
        return self.now_ms() + self.skew_ms

    def market_now_ms(self) -> int:
        """The source's time, in steps of a tenth of a second."""
        return (self.now_ms() - self.shift_ms) // _TICK_MS * _TICK_MS
