"""Which instant of the market is now.

Decides the shift between the source's time and the served time: whole hours, chosen once, so that
hours stay hours and funding stays on them. Refuses to know candles. Called by `charts`, `tape`
and `rest`; the served clock is always the wall clock, because Freqtrade trades by it.
"""

from datetime import datetime

from automation.core.clock import Clock, to_ms
from automation.simulator.timeframes import HOUR_MS

_TICK_MS = 100  # prices move ten times a second, and all endpoints agree in between


class Timeline:
    """A wall clock, and how far the market's own time lies behind it."""

    def __init__(self, clock: Clock, at: datetime | None = None) -> None:
        """Map `at` in the market to now, to the hour below; without `at` nothing is moved."""
        self._clock = clock
        self.is_shifted = at is not None
        self.shift_ms = 0
        if at is not None:
            self.shift_ms = (to_ms(clock.now()) - to_ms(at)) // HOUR_MS * HOUR_MS

    def now_ms(self) -> int:
        """Served time: the wall clock."""
        return to_ms(self._clock.now())

    def market_now_ms(self) -> int:
        """The source's time, in steps of a tenth of a second."""
        return (self.now_ms() - self.shift_ms) // _TICK_MS * _TICK_MS
