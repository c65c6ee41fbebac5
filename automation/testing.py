"""Fakes for the seams, shipped so that other people's tests can use them too."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A `Clock` that moves only when told."""

    def __init__(self, start: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
        """Start at `start`; the monotonic side starts at 0."""
        self._now, self._monotonic = start, 0.0

    def now(self) -> datetime:
        """Tell the instant it was moved to."""
        return self._now

    def monotonic(self) -> float:
        """Tell the seconds it was advanced by."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both sides forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, as a step of NTP or of an operator does."""
        self._now += timedelta(seconds=seconds)
