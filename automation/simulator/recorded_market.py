"""A market replayed from a recording of an exchange's streams: its own trades and book.

Decides which candles, prices and contract follow from the recorded trades. Mark and index price
are the last price, there is no funding: the recording knows neither. Refuses to know connections.
Called through `market.Market`; `venue` takes its tape from `RecordedTape`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from automation.core.clock import Clock, SystemClock, from_ms
from automation.core.errors import ConfigError
from automation.simulator.candles import Candles, Floats, no_candles
from automation.simulator.market import Funding, Instrument, PriceKind, Stored
from automation.simulator.recorded import RecordedTrade, Recording
from automation.simulator.rules import rules_for
from automation.simulator.tape import Tape
from automation.simulator.timeframes import MINUTE_MS, Ints, Timeframe, timeframe

_QUOTE = "USDT"


class RecordedMarket:
    """One recorded symbol."""

    def __init__(self, path: str | Path, pairs: Sequence[str] | None = None) -> None:
        """Read a recording; ConfigError where it is none or holds none of `pairs`."""
        self.recording = Recording(path)
        symbol = self.recording.symbol
        self._base = symbol.removesuffix(_QUOTE)
        self.pairs = (f"{self._base}/{_QUOTE}:{_QUOTE}",)
        if pairs is not None and list(pairs) != list(self.pairs):
            raise ConfigError(
                f"the recording holds {self.pairs[0]} alone", where="pairs", cure="ask for that"
            )
        self.instruments: Mapping[str, Instrument] = {symbol: self._instrument()}
        self._minutes = self._candles()

    def _instrument(self) -> Instrument:
        trades = self.recording.trades
        prices = np.array([float(trade.price) for trade in trades])
        quantities = np.array([float(trade.quantity) for trade in trades])
        symbol = self.recording.symbol
        return Instrument(
            symbol=symbol,
            pair=self.pairs[0],
            base=self._base,
            quote=_QUOTE,
            rules=rules_for(symbol, prices, quantities),
            first_ms=self.recording.first_ms // MINUTE_MS * MINUTE_MS,
            end_ms=(self.recording.last_ms // MINUTE_MS + 1) * MINUTE_MS,
        )

    def _candles(self) -> Candles:
        instrument = self.instruments[self.recording.symbol]
        opens, rows = [], []
        for open_ms in range(instrument.first_ms, instrument.end_ms or 0, MINUTE_MS):
            found = self.recording.trades_between(open_ms, open_ms + MINUTE_MS - 1)
            if found:
                opens.append(open_ms)
                rows.append(candle_of(found))
        return Candles(np.array(opens, np.int64), np.array(rows))

    def stored(self, symbol: str, kind: PriceKind, wanted: Timeframe) -> Sequence[Stored]:
        """List the minutes, of traded prices only."""
        minute = timeframe("1m")
        if kind != "trade" or not wanted.is_made_of(minute):
            return []
        instrument = self.instruments[symbol]
        return [Stored(minute, instrument.first_ms, instrument.end_ms)]

    def read(
        self, symbol: str, kind: PriceKind, series: Timeframe, start_ms: int, end_ms: int
    ) -> Candles:
        """Read minutes that open in [start_ms, end_ms)."""
        if symbol not in self.instruments or kind != "trade" or series.name != "1m":
            return no_candles()
        return self._minutes.between(start_ms, end_ms)

    @staticmethod
    def ratio(symbol: str, kind: PriceKind, at_ms: Ints) -> Floats:  # noqa: ARG004 - as in `Market`
        """All prices are the last price."""
        return np.ones(len(at_ms))

    @staticmethod
    def funding(symbol: str, start_ms: int, end_ms: int) -> Funding:  # noqa: ARG004 - as in `Market`
        """Nothing is settled."""
        return Funding(np.empty(0, np.int64), np.empty(0))

    @staticmethod
    def funding_interval_h(symbol: str) -> int:  # noqa: ARG004 - as in `Market`
        """Eight hours, as usual."""
        return 8

    def clock(self, base: Clock | None = None) -> Clock:
        """A clock for `Simulator(market, clock=...)` that begins with the recording."""
        return RecordingClock(from_ms(self.recording.first_ms), base or SystemClock())


class RecordingClock:
    """A clock that tells a chosen instant at first and then runs with another."""

    def __init__(self, start: datetime, base: Clock) -> None:
        """Tell `start` now."""
        self._base, self._start, self._began_s = base, start, base.monotonic()

    def now(self) -> datetime:
        """Tell the instant that has been come to."""
        return self._start + timedelta(seconds=self._base.monotonic() - self._began_s)

    def monotonic(self) -> float:
        """Tell the seconds of the other clock."""
        return self._base.monotonic()


class RecordedTape(Tape):
    """Prices of the recorded symbol: those of the trades themselves."""

    def __init__(self, market: RecordedMarket, instrument: Instrument) -> None:
        """Follow a recorded market."""
        super().__init__(market, instrument)
        self.recording = market.recording

    def _compute_price(self, at_ms: int) -> float:
        last = self.recording.trades_until(at_ms, 1)
        return float((last or self.recording.trades)[0].price)

    def _moving_bar(self, finest: Stored, start_ms: int, at_ms: int) -> tuple[Stored, int, Floats]:
        frame = finest.timeframe
        opened = frame.open_ms(frame.number(at_ms))
        found = self.recording.trades_between(max(start_ms, opened), at_ms)
        if found:
            return finest, opened, candle_of(found)
        price = self.price(at_ms)
        return finest, opened, np.array((price, price, price, price, 0.0))


def candle_of(trades: Sequence[RecordedTrade]) -> Floats:
    """Make one candle from trades; volume exact to eight decimals."""
    prices = [float(trade.price) for trade in trades]
    volume = sum(round(float(trade.quantity) * 1e8) for trade in trades) / 1e8
    return np.array((prices[0], max(prices), min(prices), prices[-1], volume))
