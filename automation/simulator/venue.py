"""One market at one time: what the endpoints look things up in.

Decides which symbols are listed now, and keeps the charts and tapes that were asked for. Refuses
to know parameters and JSON. Called by the endpoint modules; built by `server`.
"""

import numpy as np

from automation.core.clock import from_ms
from automation.core.errors import ConfigError
from automation.simulator import kline
from automation.simulator.charts import BlockCache, Chart
from automation.simulator.market import Instrument, Market, PriceKind
from automation.simulator.parameters import unknown_symbol
from automation.simulator.recorded_market import RecordedMarket, RecordedTape
from automation.simulator.tape import Tape
from automation.simulator.timeframes import Timeframe
from automation.simulator.timeline import Timeline


class Venue:
    """A market, its clock, and everything derived from the two."""

    def __init__(self, market: Market, timeline: Timeline) -> None:
        """Charts and tapes are made when they are first asked for."""
        self.market, self.timeline = market, timeline
        self.settling: set[str] = set()
        """Symbols that were taken off the exchange."""
        self.renewals = 0
        """How often `renew` was called, for whoever keeps something of the candles."""
        self._cache = BlockCache()
        self._charts: dict[tuple[str, str, str], Chart] = {}
        self._tapes: dict[str, Tape] = {}

    def instrument(self, symbol: str) -> Instrument:
        """Look up a listed symbol; -1121 if there is none."""
        instrument = self.market.instruments.get(symbol)
        if instrument is None or not self.is_listed(instrument):
            unknown_symbol()
        return instrument

    def is_listed(self, instrument: Instrument) -> bool:
        """Whether the contract's first candle is past."""
        return instrument.first_ms <= self.timeline.market_now_ms()

    def has_ended(self, instrument: Instrument) -> bool:
        """Whether trading is over: taken off, or at the end of a history played as the present."""
        if instrument.symbol in self.settling:
            return True
        end_ms = instrument.end_ms
        over = end_ms is not None and end_ms <= self.timeline.market_now_ms()
        return over and self.timeline.is_shifted

    def require_trading(self) -> None:
        """Raise ConfigError where the instant chosen to be now has no market."""
        every = self.market.instruments.values()
        if any(self.is_listed(each) and not self.has_ended(each) for each in every):
            return
        first = from_ms(min(each.first_ms for each in every))
        ends = [each.end_ms for each in every]
        last = "" if None in ends else f" to {from_ms(max(end for end in ends if end)):%Y-%m-%d}"
        raise ConfigError(
            f"nothing was traded at {from_ms(self.timeline.market_now_ms()):%Y-%m-%dT%H:%MZ}",
            where="at",
            cure=f"choose an instant from {first:%Y-%m-%d}{last}",
        )

    def listed(self) -> list[Instrument]:
        """List the symbols there are now."""
        return [each for each in self.market.instruments.values() if self.is_listed(each)]

    def chart(self, symbol: str, kind: kline.Kind, frame: Timeframe) -> Chart:
        """Find or make the chart of one symbol, price and timeframe."""
        key = (symbol, kind, frame.name)
        chart = self._charts.get(key)
        if chart is None:
            chart = self._charts[key] = Chart(
                self.market,
                self.instrument(symbol),
                kind,
                frame,
                self.timeline.shift_ms,
                interpolates=self.timeline.is_shifted,
                cache=self._cache,
            )
        return chart

    def renew(self) -> None:
        """Forget what was kept of candles: those that are still to come have changed."""
        self.renewals += 1
        self._cache.clear()
        for chart in self._charts.values():
            chart.renew()
        for tape in self._tapes.values():
            tape.renew()

    def tape(self, symbol: str) -> Tape:
        """Find or make the tape of one symbol."""
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = self._make_tape(self.instrument(symbol))
        return tape

    def _make_tape(self, instrument: Instrument) -> Tape:
        if isinstance(self.market, RecordedMarket):
            return RecordedTape(self.market, instrument)
        return Tape(self.market, instrument)

    def beside(self, symbol: str, kind: PriceKind, price: float, at_ms: int) -> float:
        """Mark or index price that goes with a traded price, eight decimals."""
        ratio = self.market.ratio(symbol, kind, np.array([at_ms], np.int64))
        return round(price * float(ratio[0]), 8)
