"""What the exchange sees of the market, in whole numbers, and who shows it.

Decides the words between the market and the exchange. Refuses to know where prices come from:
`feed` reads them from the tape, `log` from what was recorded. Called by the whole package.
"""

from dataclasses import dataclass
from typing import Protocol

NEVER_LOW = -(1 << 62)
NEVER_HIGH = 1 << 62


@dataclass(frozen=True, slots=True)
class Quote:
    """A symbol at an instant: last trade and best prices in ticks, mark price in 1e-8."""

    symbol: str
    at_ms: int
    last: int
    mark: int
    bid: int
    ask: int


@dataclass(frozen=True, slots=True)
class Depth:
    """The modelled book at an instant: (price, quantity) in ticks and steps, best first."""

    symbol: str
    at_ms: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Second:
    """What was traded in the second that ended at `at_ms`: from `first` straight to `last`."""

    symbol: str
    at_ms: int
    first: int
    last: int
    volume: int

    @property
    def low(self) -> int:
        """Lowest price."""
        return min(self.first, self.last)

    @property
    def high(self) -> int:
        """Highest price."""
        return max(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where something would happen: traded prices in ticks, mark prices in 1e-8."""

    low: int = NEVER_LOW
    high: int = NEVER_HIGH
    mark_low: int = NEVER_LOW
    mark_high: int = NEVER_HIGH


@dataclass(frozen=True, slots=True)
class Settlement:
    """A funding instant: rate and mark price in 1e-8."""

    symbol: str
    at_ms: int
    rate: int
    mark: int


class Feed(Protocol):
    """Shows the market at any instant that has been reached."""

    def quote(self, symbol: str, at_ms: int) -> Quote:
        """Last, mark and best prices."""
        ...

    def depth(self, symbol: str, at_ms: int) -> Depth:
        """The modelled book."""
        ...

    def second(self, symbol: str, at_ms: int) -> Second:
        """What was traded in the second before `at_ms`."""
        ...

    def mark(self, symbol: str, at_ms: int) -> int:
        """Mark price at the end of the second before `at_ms`; 0 where there is none."""
        ...

    def next_hit(self, symbol: str, from_ms: int, to_ms: int, bounds: Bounds) -> int | None:
        """First second ending in [from_ms, to_ms] that reaches a bound."""
        ...

    def next_funding(self, symbol: str, after_ms: int, to_ms: int) -> Settlement | None:
        """First settlement in (after_ms, to_ms]."""
        ...
