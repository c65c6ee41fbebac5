"""Decides when a figure has moved enough to be written down.

A figure that trembles writes nothing; one that crosses a bound that somebody may be woken for is
written down soon. Pure; used by `positions`, `equity`, `exchange` and `host`.
"""

from dataclasses import dataclass, field

URGENT_GAP_S = 10.0


@dataclass(slots=True)
class Gauge:
    """One figure, and what was last told of it."""

    step: float
    """A change by this much is told, but not within `gap_s`."""
    bounds: tuple[float, ...] = ()
    """Crossing one of these is told, but not within `URGENT_GAP_S`."""
    gap_s: float = 60.0
    told: float | None = None
    told_s: float = field(default=float("-inf"))

    def has_moved(self, value: float | None, now_s: float) -> bool:
        """Tell whether `value` is news; None is never, the first figure always."""
        if value is None:
            return False
        if self.told is None:
            return True
        since_s = now_s - self.told_s
        if self._has_crossed(value) and since_s >= min(URGENT_GAP_S, self.gap_s):
            return True
        return self.is_behind(value) and since_s >= self.gap_s

    def is_behind(self, value: float) -> bool:
        """Tell whether `value` is news that may have to wait for its time."""
        if self.told is None or self._has_crossed(value):
            return True
        return abs(value - self.told) >= self.step

    def _has_crossed(self, value: float) -> bool:
        told = self.told
        return told is not None and any((told < b) is not (value < b) for b in self.bounds)

    def tell(self, value: float | None, now_s: float) -> None:
        """Note that `value` was told."""
        self.told, self.told_s = value, now_s
