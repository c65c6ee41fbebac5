"""The five endpoints that answer with candles.

Decides which candles a request means, exactly as Binance does: from startTime on if it is given,
else the latest up to endTime or now; the last one is the candle being made. Refuses to know HTTP.
Called by `rest`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from automation.simulator import kline
from automation.simulator.candles import CLOSE, HIGH, LOW, OPEN, VOLUME, Floats
from automation.simulator.charts import Chart
from automation.simulator.parameters import Parameters, invalid, unknown_symbol
from automation.simulator.timeframes import Timeframe
from automation.simulator.venue import Venue
from automation.simulator.weights import klines_weight

_DEFAULT_LIMIT, _MOST_ROWS = 500, 1500
_CONTRACT_TYPES = ("PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL")


@dataclass(frozen=True, slots=True)
class Answer:
    """Body of a response, JSON in bytes, and what the request weighs."""

    body: bytes
    weight: int


def klines(venue: Venue, query: Parameters) -> Answer:
    """Answer GET klines."""
    return _candles(venue, query, query.required("symbol"), "trade")


def mark_price_klines(venue: Venue, query: Parameters) -> Answer:
    """Answer GET markPriceKlines."""
    return _candles(venue, query, query.required("symbol"), "mark")


def index_price_klines(venue: Venue, query: Parameters) -> Answer:
    """Answer GET indexPriceKlines."""
    return _candles(venue, query, query.required("pair"), "index")


def premium_index_klines(venue: Venue, query: Parameters) -> Answer:
    """Answer GET premiumIndexKlines."""
    return _candles(venue, query, query.required("symbol"), "premium")


def continuous_klines(venue: Venue, query: Parameters) -> Answer:
    """Answer GET continuousKlines; only perpetual contracts are traded here."""
    pair, contract = query.required("pair"), query.required("contractType")
    if contract not in _CONTRACT_TYPES:
        invalid("contractType")
    if contract != "PERPETUAL":
        unknown_symbol()
    return _candles(venue, query, pair, "trade")


ENDPOINTS: dict[str, Callable[[Venue, Parameters], Answer]] = {
    "/fapi/v1/klines": klines,
    "/fapi/v1/continuousKlines": continuous_klines,
    "/fapi/v1/markPriceKlines": mark_price_klines,
    "/fapi/v1/indexPriceKlines": index_price_klines,
    "/fapi/v1/premiumIndexKlines": premium_index_klines,
}


@dataclass(frozen=True, slots=True)
class Window:
    """Which candles there are: `first` to `closed` - 1 are closed, `moving` is being made."""

    first: int
    closed: int
    moving: bool

    @property
    def stop(self) -> int:
        """Number after the last candle there is."""
        return self.closed + self.moving


def available(bounds: tuple[int, int | None], current: int) -> Window:
    """Say which candles there are while number `current` is being made."""
    first, stop = bounds
    moving = first <= current and (stop is None or current < stop)
    closed = current if stop is None else min(current, stop)
    return Window(first, max(closed, first), moving)


def select(
    window: Window, frame: Timeframe, start_ms: int | None, end_ms: int | None, limit: int
) -> tuple[int, int]:
    """Choose the candles [low, high) that a request means; served times."""
    high = window.stop
    if end_ms is not None:
        high = min(high, frame.number(end_ms) + 1)
    if start_ms is None:
        return max(high - limit, window.first), high
    low = frame.number(start_ms)
    low += frame.open_ms(low) < start_ms
    low = max(low, window.first)
    return low, min(high, low + limit)


def _candles(venue: Venue, query: Parameters, symbol: str, kind: kline.Kind) -> Answer:
    venue.instrument(symbol)
    frame, (start, end) = query.interval(), query.window()
    limit = query.limit(_DEFAULT_LIMIT, _MOST_ROWS)
    chart, timeline = venue.chart(symbol, kind, frame), venue.timeline
    current = frame.number(timeline.market_now_ms() + timeline.shift_ms)
    window = available(chart.bounds, current)
    low, high = select(window, frame, start, end, limit)
    pieces = chart.encoded(low, min(high, window.closed))
    if low < high and high > window.closed:
        at_ms = timeline.market_now_ms()
        pieces.append(moving_candle(venue, chart, symbol, kind, at_ms))
    return Answer(b"[" + b"".join(pieces)[1:] + b"]", klines_weight(limit))


def moving_candle(venue: Venue, chart: Chart, symbol: str, kind: kline.Kind, at_ms: int) -> bytes:
    """Encode the candle being made as `,[…]`; nothing where the data has a hole at its end."""
    timeline, frame = venue.timeline, chart.frame
    if chart.moving is not None and chart.moving[0] == at_ms:
        return chart.moving[1]
    number = frame.number(at_ms + timeline.shift_ms)
    opens = frame.opens(number, number + 2)
    values = _moving_values(venue, symbol, kind, int(opens[0]) - timeline.shift_ms, at_ms)
    text = b""
    if values is not None and not np.isnan(values[CLOSE]):
        rules = venue.market.instruments[symbol].rules
        text = kline.encode_one(kind, rules, (int(opens[0]), int(opens[1])), values)
    chart.moving = (at_ms, text)
    return text


def _moving_values(
    venue: Venue, symbol: str, kind: kline.Kind, start_ms: int, at_ms: int
) -> Floats | None:
    tape = venue.tape(symbol)
    if kind != "premium":
        return tape.moving(kind, start_ms, at_ms)
    ends = np.array([start_ms, at_ms], np.int64)
    mark, index = (venue.market.ratio(symbol, k, ends) for k in ("mark", "index"))
    begin, last = np.round(mark / index - 1, 8)
    values = np.zeros(5)
    values[OPEN], values[CLOSE], values[VOLUME] = begin, last, 0.0
    values[HIGH], values[LOW] = max(begin, last), min(begin, last)
    return values
