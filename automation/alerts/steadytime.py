"""A time for the alerts that never goes back, whatever happens to the wall clock.

Set forward (also after the machine slept) it follows; set back it goes on evenly, so that no timer
waits an hour because somebody moved the clock.
"""

from automation.alerts.calendars import us_of
from automation.core.clock import Clock


class SteadyTime:
    """Microseconds since 1970, never less than before."""

    def __init__(self, clock: Clock, *, not_before_us: int = 0) -> None:
        """Start at the wall clock's time, or at what was reached before a restart."""
        self._clock = clock
        self._base_us = max(us_of(clock.now()), not_before_us)
        self._base_s = clock.monotonic()

    def now_us(self) -> int:
        """Tell the time."""
        even_us = self._base_us + round((self._clock.monotonic() - self._base_s) * 1e6)
        wall_us = us_of(self._clock.now())
        if wall_us > even_us:
            self._base_us, self._base_s = wall_us, self._clock.monotonic()
            return wall_us
        return even_us
