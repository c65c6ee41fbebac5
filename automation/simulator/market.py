"""What every source of market data offers, whether recorded or made up.

Decides the words in which the room speaks of a market: instruments, stored series, prices beside
the traded one, funding. Refuses to know clocks, shifts and HTTP: all times here are the source's
own. Implemented by `replay` and `synthetic`, read by `charts`, `tape` and `rest`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from automation.simulator.candles import Candles, Floats
from automation.simulator.rules import Rules
from automation.simulator.timeframes import Ints, Timeframe

PriceKind = Literal["trade", "mark", "index"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One perpetual contract."""

    symbol: str
    """Binance's name, `BTCUSDT`."""
    pair: str
    """Freqtrade's name, `BTC/USDT:USDT`."""
    base: str
    quote: str
    rules: Rules
    first_ms: int
    """Opening instant of the first candle."""
    end_ms: int | None
    """Instant after the last candle; None if the market goes on for ever."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A series that the source holds ready, on UTC boundaries of its timeframe."""

    timeframe: Timeframe
    first_ms: int
    end_ms: int | None


@dataclass(frozen=True, slots=True)
class Funding:
    """Settled funding: instants (epoch ms) and rates (fraction of notional), in order."""

    time_ms: Ints
    rate: Floats


class Market(Protocol):
    """A source of candles, mark and index prices and funding for some instruments."""

    @property
    def pairs(self) -> tuple[str, ...]:
        """Freqtrade's names of all instruments, in order."""
        ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by Binance's symbol, in order."""
        ...

    def stored(self, symbol: str, kind: PriceKind, wanted: Timeframe) -> Sequence[Stored]:
        """List the series from which candles of `wanted` may be made, the best first."""
        ...

    def read(
        self, symbol: str, kind: PriceKind, series: Timeframe, start_ms: int, end_ms: int
    ) -> Candles:
        """Read the rows of one stored series that open in [start_ms, end_ms)."""
        ...

    def ratio(self, symbol: str, kind: PriceKind, at_ms: Ints) -> Floats:
        """Price of `kind` over the traded price at the instants; 1 for traded prices."""
        ...

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Rates settled in [start_ms, end_ms)."""
        ...

    def funding_interval_h(self, symbol: str) -> int:
        """Hours between two settlements."""
        ...
