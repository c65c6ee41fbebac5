"""A market replayed from a Freqtrade data folder.

Decides which file answers what: the asked timeframe's own file first, then the finest that can be
merged into it. Refuses to know shifts, partial candles and HTTP. Called through the protocol
`market.Market`.

Where mark candles are missing they follow the traded candles: the ratio of mark to traded price
is known wherever both are, and runs in straight lines between. There is no index in the data; the
premium is taken from the funding rate that is settled next, and the index follows from it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from automation.simulator.candles import OPEN, VOLUME, Candles, Floats
from automation.simulator.datafolder import DataFolder, Series
from automation.simulator.feather import BatchCache
from automation.simulator.market import Funding, Instrument, PriceKind, Stored
from automation.simulator.rules import rules_for
from automation.simulator.timeframes import HOUR_MS, Ints, Timeframe

_INTEREST = 0.0001  # Binance's interest part of funding per eight hours
_FAR_OFF = 0.1  # a mark price this far from trades is a hole in the data, not a market
_CHECKED_BYTES = 250 * 1024 * 1024  # about 15 million candles, which takes a second
_SAMPLE_STEP = 8  # of the first and last 65,536 rows, every eighth shows the decimals


class ReplayMarket:
    """Recorded candles, mark prices and funding of the pairs in a folder."""

    def __init__(self, path: str | Path, pairs: Sequence[str] | None = None) -> None:
        """Index the folder; ConfigError if it or one of `pairs` is missing or damaged."""
        self.folder = DataFolder(path)
        self._pairs = tuple(dict.fromkeys(pairs)) if pairs is not None else self.folder.pairs
        for pair in self._pairs:
            self.folder.require(pair)
        self._refuse_disorder()
        self._batches = BatchCache()
        self._ratios: dict[str, Candles] = {}
        self._fundings: dict[str, Funding] = {}

    def _refuse_disorder(self) -> None:
        """Check the times of every file, or where that takes too long leave it to the first read."""
        files = [s.file for s in self.folder.series if s.pair in self._pairs]
        if sum(file.path.stat().st_size for file in files) <= _CHECKED_BYTES:
            for file in files:
                file.refuse_disorder()

    @property
    def pairs(self) -> tuple[str, ...]:
        """Freqtrade's names of all instruments."""
        return self._pairs

    @cached_property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by symbol, with rules under which their data is valid."""
        made = [self._instrument(pair) for pair in self._pairs]
        return {instrument.symbol: instrument for instrument in made}

    @cached_property
    def _series(self) -> dict[tuple[str, str], list[Series]]:
        kinds = (("trade", "futures"), ("mark", "mark"), ("funding", "funding_rate"))
        return {
            (self.folder.find(pair)[0].symbol, kind): self.folder.find(pair, stored)  # type: ignore[arg-type]
            for pair in self._pairs
            for kind, stored in kinds
        }

    def _instrument(self, pair: str) -> Instrument:
        series = self.folder.find(pair)
        finest = series[0]
        first, last = (finest.file.rows(number) for number in finest.file.edges)
        values = np.concatenate([rows.values[::_SAMPLE_STEP] for rows in (first, last)])
        rules = rules_for(finest.symbol, values[:, :VOLUME].ravel(), values[:, VOLUME])
        return Instrument(
            symbol=finest.symbol,
            pair=pair,
            base=finest.base,
            quote=finest.quote,
            rules=rules,
            first_ms=min(s.first_ms for s in series),
            end_ms=max(s.end_ms for s in series),
        )

    def stored(self, symbol: str, kind: PriceKind, wanted: Timeframe) -> Sequence[Stored]:
        """List the usable files: the wanted timeframe itself, then the finest first."""
        usable = [s for s in self._series.get((symbol, kind), ()) if wanted.is_made_of(s.timeframe)]
        usable.sort(key=lambda s: (s.timeframe != wanted, s.timeframe.length_ms))
        return [Stored(s.timeframe, s.first_ms, s.end_ms) for s in usable]

    def read(
        self, symbol: str, kind: PriceKind, series: Timeframe, start_ms: int, end_ms: int
    ) -> Candles:
        """Read rows of one file."""
        found = next(s for s in self._series[symbol, kind] if s.timeframe == series)
        return self._batches.read(found.file, start_ms, end_ms)

    def ratio(self, symbol: str, kind: PriceKind, at_ms: Ints) -> Floats:
        """Mark or index over the traded price; see the module's docstring."""
        if kind == "trade":
            return np.ones(len(at_ms))
        known = self._known_ratios(symbol)
        if not len(known):
            marks = np.ones(len(at_ms))
        else:
            marks = np.interp(at_ms, known.open_ms, known.values[:, 0])
        return marks if kind == "mark" else marks / (1 + self._premium(symbol, at_ms))

    def _known_ratios(self, symbol: str) -> Candles:
        if symbol not in self._ratios:
            self._ratios[symbol] = self._compare(symbol)
        return self._ratios[symbol]

    def _compare(self, symbol: str) -> Candles:
        """Mark over traded price at every instant at which both files open a candle."""
        times, ratios = [np.empty(0, np.int64)], [np.empty(0)]
        for marks in self._series[symbol, "mark"][:1]:
            mark = self._batches.read(marks.file, marks.first_ms, marks.end_ms)
            for trades in self._hourly(symbol):
                trade = self._batches.read(trades.file, marks.first_ms, marks.end_ms)
                _, left, right = np.intersect1d(
                    mark.open_ms, trade.open_ms, assume_unique=True, return_indices=True
                )
                times.append(mark.open_ms[left])
                ratios.append(mark.values[left, OPEN] / trade.values[right, OPEN])
        at, first = np.unique(np.concatenate(times), return_index=True)
        ratio = np.concatenate(ratios)[first]
        good = np.abs(ratio - 1) < _FAR_OFF
        return Candles(at[good], ratio[good][:, None])

    def _hourly(self, symbol: str) -> list[Series]:
        """The coarsest trade files of at most an hour: enough to compare hourly marks."""
        return [s for s in self._series[symbol, "trade"] if s.timeframe.length_ms <= HOUR_MS][-2:]

    def _premium(self, symbol: str, at_ms: Ints) -> Floats:
        funding = self._rates(symbol)
        if not len(funding.rate):
            return np.zeros(len(at_ms))
        upcoming = np.searchsorted(funding.time_ms, at_ms, "right")
        rate = funding.rate[np.minimum(upcoming, len(funding.rate) - 1)]
        return rate - _INTEREST

    def _rates(self, symbol: str) -> Funding:
        if symbol not in self._fundings:
            parts = [s.file for s in self._series[symbol, "funding"][:1]]
            rows = [self._batches.read(f, f.first_ms, f.last_ms + 1) for f in parts]
            self._fundings[symbol] = (
                Funding(rows[0].open_ms, rows[0].values[:, 0])
                if rows
                else Funding(np.empty(0, np.int64), np.empty(0))
            )
        return self._fundings[symbol]

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Rates settled in [start_ms, end_ms)."""
        rates = self._rates(symbol)
        low, high = np.searchsorted(rates.time_ms, (start_ms, end_ms))
        return Funding(rates.time_ms[low:high], rates.rate[low:high])

    def funding_interval_h(self, symbol: str) -> int:
        """Hours between most settlements; eight where there are none."""
        steps = np.diff(self._rates(symbol).time_ms)
        if not len(steps):
            return 8
        hours, counts = np.unique(np.maximum(steps // HOUR_MS, 1), return_counts=True)
        return int(hours[np.argmax(counts)])
