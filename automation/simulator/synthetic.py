"""A market made up from a seed: always the same for the same seed, whatever is asked first.

Decides which coins there are and turns the model's days into candles on the exchange's grid.
Refuses to know clocks and HTTP. Called through the protocol `market.Market`.

One-minute candles are made in whole ticks and steps; each opens where the last one closed, days
included, and longer candles are merged from them, so all timeframes agree exactly. History begins
on 2020-01-01 and never ends. Mark price = index x (1 + slow basis), index = price / (1 + basis);
funding follows Binance's formula from the slow basis.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from automation.core.clock import to_ms
from automation.core.errors import ConfigError
from automation.simulator.candles import Candles, Floats, aggregate, moved_by_ratio, no_candles
from automation.simulator.market import Funding, Instrument, PriceKind, Stored
from automation.simulator.rules import KNOWN, Rules
from automation.simulator.synthetic_model import MINUTES, Coin, Model
from automation.simulator.timeframes import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Ints,
    Timeframe,
    timeframe,
)

EPOCH_MS = to_ms(datetime(2020, 1, 1, tzinfo=UTC))
_MINUTE, _HOUR = timeframe("1m"), timeframe("1h")
_DAYS_KEPT, _HOURLY_DAYS_KEPT = 256, 20_000  # 58 kB and 1 kB each
_FUNDING_MS = 8 * HOUR_MS
_INTEREST, _DAMPER = 0.0001, 0.0005  # Binance's funding formula

COINS = {
    "BTC": Coin(1, 60_000, 0.026, 0.95, 6_000_000),
    "ETH": Coin(2, 3_000, 0.034, 1.15, 4_000_000),
    "SOL": Coin(3, 140, 0.046, 1.35, 1_600_000),
    "XRP": Coin(4, 0.6, 0.042, 1.05, 900_000),
    "ADA": Coin(5, 0.45, 0.042, 1.15, 300_000),
    "BNB": Coin(6, 550, 0.028, 0.85, 500_000),
    "DOGE": Coin(7, 0.13, 0.050, 1.25, 900_000),
    "LINK": Coin(8, 14, 0.044, 1.20, 250_000),
    "LTC": Coin(9, 80, 0.036, 0.95, 200_000),
    "TRX": Coin(10, 0.13, 0.024, 0.55, 120_000),
}


def pair_of(base: str) -> str:
    """Freqtrade's name of a coin's contract."""
    return f"{base}/USDT:USDT"


class SyntheticMarket:
    """Made-up candles, mark prices and funding of ten contracts that Binance lists."""

    def __init__(self, seed: int, pairs: Sequence[str] | None = None) -> None:
        """Choose the seed; ConfigError for a pair that is not among the ten."""
        known = {pair_of(base): base for base in COINS}
        self._pairs = tuple(dict.fromkeys(pairs)) if pairs is not None else tuple(known)
        unknown = [pair for pair in self._pairs if pair not in known]
        if unknown:
            raise ConfigError(
                f"the synthetic market has no {', '.join(unknown)}",
                where="pairs",
                cure=f"choose from {', '.join(known)}",
            )
        self._model = Model(seed)
        self._coins = {known[pair] + "USDT": COINS[known[pair]] for pair in self._pairs}
        self._instruments = {
            f"{known[pair]}USDT": _instrument(known[pair], pair) for pair in self._pairs
        }
        self._days: OrderedDict[tuple[str, int], Floats] = OrderedDict()
        self._hourly: OrderedDict[tuple[str, PriceKind, int], Floats] = OrderedDict()

    @property
    def pairs(self) -> tuple[str, ...]:
        """Freqtrade's names of all instruments."""
        return self._pairs

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments by symbol."""
        return self._instruments

    def stored(self, symbol: str, kind: PriceKind, wanted: Timeframe) -> Sequence[Stored]:  # noqa: ARG002
        """Minutes, and hours made from them; hours first where they do, they are cheaper."""
        frames = [frame for frame in (_HOUR, _MINUTE) if wanted.is_made_of(frame)]
        return [Stored(frame, EPOCH_MS, None) for frame in frames]

    def read(
        self, symbol: str, kind: PriceKind, series: Timeframe, start_ms: int, end_ms: int
    ) -> Candles:
        """Compute the rows of a stretch."""
        start_ms = max(start_ms, EPOCH_MS)
        if end_ms <= start_ms:
            return no_candles()
        first, last = ((at - EPOCH_MS) // DAY_MS for at in (start_ms, end_ms - 1))
        compute = self._hours if series == _HOUR else self._minutes
        values = np.concatenate([compute(symbol, kind, day) for day in range(first, last + 1)])
        times = (
            EPOCH_MS + first * DAY_MS + np.arange(len(values), dtype=np.int64) * series.length_ms
        )
        return Candles(times, values).between(start_ms, end_ms)

    def _hours(self, symbol: str, kind: PriceKind, day: int) -> Floats:
        key = (symbol, kind, day)
        hours = self._hourly.get(key)
        if hours is None:
            minutes = self._minutes(symbol, kind, day)
            times = np.arange(MINUTES, dtype=np.int64)
            hours = aggregate(Candles(times, minutes), np.arange(0, MINUTES + 1, 60))
            self._hourly[key] = hours
            if len(self._hourly) > _HOURLY_DAYS_KEPT:
                self._hourly.popitem(last=False)
        return hours

    def _minutes(self, symbol: str, kind: PriceKind, day: int) -> Floats:
        traded = self._traded(symbol, day)
        if kind == "trade":
            return traded
        start = EPOCH_MS + day * DAY_MS
        edges = start + np.arange(MINUTES + 1, dtype=np.int64) * MINUTE_MS
        ratio = self.ratio(symbol, kind, edges)
        return moved_by_ratio(traded, ratio[:-1], ratio[1:])

    def _traded(self, symbol: str, day: int) -> Floats:
        key = (symbol, day)
        found = self._days.get(key)
        if found is not None:
            self._days.move_to_end(key)
            return found
        found = self._days[key] = self._make(symbol, day)
        if len(self._days) > _DAYS_KEPT:
            self._days.popitem(last=False)
        return found

    def _make(self, symbol: str, day: int) -> Floats:
        """Put one day of the model on the grid of ticks and steps; shape (1440, 5)."""
        rules = self._instruments[symbol].rules
        minutes = self._model.minutes(self._coins[symbol], day)
        per_unit = 10.0**rules.tick_decimals
        marks = np.maximum(np.rint(np.exp(minutes.log_price) * per_unit), 1)
        begin, end = marks[:-1], marks[1:]
        high = np.maximum(begin, end) + np.rint(minutes.wick_up * begin)
        low = np.maximum(np.minimum(begin, end) - np.rint(minutes.wick_down * begin), 1)
        prices = np.column_stack((begin, high, low, end)) / per_unit
        per_step = 10.0**rules.quantity_precision
        steps = np.maximum(np.rint(minutes.turnover / prices[:, 3] * per_step), 1)
        return np.column_stack((prices, steps / per_step))

    def ratio(self, symbol: str, kind: PriceKind, at_ms: Ints) -> Floats:
        """Mark or index over the traded price; see the module's docstring."""
        if kind == "trade":
            return np.ones(len(at_ms))
        coin = self._coins[symbol]
        days, of_day = _days_and_rest(at_ms)
        slow = self._model.slow_basis(coin, days, of_day)
        whole = slow.copy()
        for day in np.unique(days).tolist():
            here = days == day
            hourly = self._model.hourly_basis(coin, day)
            whole[here] += np.interp(of_day[here] * 24, np.arange(25), hourly)
        index = 1 / (1 + whole)
        return index if kind == "index" else index * (1 + slow)

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> Funding:
        """Rates settled in [start_ms, end_ms), at 0, 8 and 16 o'clock UTC.

        Premium + clamp(interest - premium, ±0.05 %), premium averaged over the eight hours before
        (Binance: Introduction to Funding Rates).
        """
        first = -(-max(start_ms, EPOCH_MS + _FUNDING_MS) // _FUNDING_MS)
        times = np.arange(first, -(-end_ms // _FUNDING_MS), dtype=np.int64) * _FUNDING_MS
        if not len(times):
            return Funding(times, np.empty(0))
        hours = times[:, None] - np.arange(9, dtype=np.int64) * HOUR_MS
        days, of_day = _days_and_rest(hours.ravel())
        slow = self._model.slow_basis(self._coins[symbol], days, of_day)
        premium = slow.reshape(hours.shape).mean(axis=1)
        rate = premium + np.clip(_INTEREST - premium, -_DAMPER, _DAMPER)
        return Funding(times, np.round(rate, 8))

    def funding_interval_h(self, symbol: str) -> int:  # noqa: ARG002
        """Eight hours."""
        return 8


def _days_and_rest(at_ms: Ints) -> tuple[Ints, Floats]:
    """Number of the day since the epoch and the fraction of it that is over."""
    days = np.maximum((at_ms - EPOCH_MS) // DAY_MS, 0)
    return days, np.clip((at_ms - EPOCH_MS - days * DAY_MS) / DAY_MS, 0.0, 1.0)


def _instrument(base: str, pair: str) -> Instrument:
    rules: Rules = KNOWN[base + "USDT"]
    return Instrument(base + "USDT", pair, base, "USDT", rules, EPOCH_MS, None)
