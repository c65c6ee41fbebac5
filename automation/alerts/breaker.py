"""Back-off and breaker of one channel: when to try again, and when to leave it alone.

Pure but for what it remembers; time is handed in. After some failures in a row the channel counts
as broken and is tried once in a while; one success mends it.
"""

import random

FAILURES = 5
FIRST_PAUSE_S = 1.0
"""After the first failure. Failures that come closer together count as one: a bad moment."""
LONGEST_PAUSE_S = 60.0
"""So late may an alert come after its channel is well again …"""
LONGEST_REFUSED_S = 300.0
"""… and so late when the other side refused it for good, until somebody mends what was wrong."""
OPEN_S = 30.0


class Breaker:
    """Remembers how a channel did."""

    def __init__(self, seed: int | None = None) -> None:
        """Start in good faith."""
        self._failures = 0
        self._failed_s: float | None = None
        self._open_until_s = self._rest_until_s = 0.0
        self._open_s = OPEN_S
        self._random = random.Random(seed)
        self.is_broken = False

    def waits_s(self, now_s: float) -> float:
        """Tell how long the channel is to be left alone; 0 when it may be tried."""
        return max(0.0, self._open_until_s - now_s, self._rest_until_s - now_s)

    def hurries(self) -> None:
        """Let a broken channel be tried now; a wait that it asked for is kept."""
        self._open_until_s = 0.0

    def rests(self, now_s: float, wait_s: float) -> None:
        """Leave the channel alone for as long as it asked; that is no failure."""
        self._rest_until_s = max(self._rest_until_s, now_s + wait_s)

    def fails(self, now_s: float, *, for_good: bool = False) -> bool:
        """Count a failure; True when it breaks the channel."""
        if self._failed_s is None or now_s >= self._failed_s + FIRST_PAUSE_S:
            self._failures, self._failed_s = self._failures + 1, now_s
        if self.is_broken:
            self._open_s = min(_longest_s(for_good), self._open_s * 2)
        elif self._failures < FAILURES and not for_good:
            return False
        breaks, self.is_broken = not self.is_broken, True
        self._open_until_s = now_s + self._open_s
        return breaks

    def succeeds(self) -> bool:
        """Count a success; True when it mends a broken channel."""
        mends, self.is_broken = self.is_broken, False
        self._failures, self._failed_s = 0, None
        self._open_s, self._open_until_s, self._rest_until_s = OPEN_S, 0.0, 0.0
        return mends

    def pause_s(self, failures: int, *, for_good: bool = False) -> float:
        """Tell how long a message waits after so many failures: doubling, with some spread."""
        pause_s = min(_longest_s(for_good), FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
        return pause_s * self._random.uniform(0.8, 1.2)


def _longest_s(for_good: bool) -> float:
    return LONGEST_REFUSED_S if for_good else LONGEST_PAUSE_S
