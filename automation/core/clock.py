"""Time, as a seam: what the wall says and how long something took.

Everything that waits, expires or stamps takes a `Clock`, so that tests can move time.
Instants are aware UTC datetimes at the surface and epoch milliseconds where exchanges speak.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the rest of the program knows of time."""

    def now(self) -> datetime:
        """Tell the wall clock's instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Tell seconds since some fixed point; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Tell the wall clock's instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Tell seconds since some fixed point; never goes back."""
        return time.monotonic()


def to_ms(instant: datetime) -> int:
    """Convert an aware instant to epoch milliseconds, rounded down."""
    return int(instant.timestamp() * 1000 // 1)


def from_ms(epoch_ms: int) -> datetime:
    """Convert epoch milliseconds to an aware UTC instant."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant or date; without a zone it is UTC.

    Raises ValueError with a sentence that names the text.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an instant like 2024-08-05T00:00Z") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
