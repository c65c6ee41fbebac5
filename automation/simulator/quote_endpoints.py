"""The endpoints that answer with rules, prices, the book, trades and funding.

Decides the JSON around what `tape`, `book` and the market know, in Binance's keys and its mix of
strings and numbers. Refuses to know HTTP. Called by `rest`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from automation.simulator import book
from automation.simulator.candle_endpoints import Answer
from automation.simulator.candles import CLOSE, HIGH, LOW, OPEN, VOLUME
from automation.simulator.kline import estimates
from automation.simulator.market import Instrument
from automation.simulator.parameters import Parameters, invalid, refuse
from automation.simulator.rules import exchange_info, symbol_info
from automation.simulator.timeframes import DAY_MS, HOUR_MS, timeframe
from automation.simulator.venue import Venue
from automation.simulator.weights import depth_weight

_DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_MOST_TRADES = 1000
_AGG_SPAN_MS = HOUR_MS


def _answer(body: Any, weight: int) -> Answer:
    return Answer(orjson.dumps(body), weight)


def ping(venue: Venue, query: Parameters) -> Answer:  # noqa: ARG001 - endpoints are called alike
    """Answer GET ping."""
    return Answer(b"{}", 1)


def server_time(venue: Venue, query: Parameters) -> Answer:  # noqa: ARG001
    """Answer GET time."""
    return _answer({"serverTime": venue.timeline.told_ms()}, 1)


def info(venue: Venue, query: Parameters) -> Answer:  # noqa: ARG001
    """Answer GET exchangeInfo."""
    rows = [
        symbol_info(
            (each.symbol, each.base, each.quote),
            each.rules,
            each.first_ms + venue.timeline.shift_ms,
            "SETTLING" if venue.has_ended(each) else "TRADING",
        )
        for each in venue.listed()
    ]
    return _answer(exchange_info(rows, venue.timeline.now_ms()), 1)


def _one_or_all(
    venue: Venue,
    query: Parameters,
    row: Callable[[Venue, Instrument], dict[str, Any]],
    weights: tuple[int, int],
) -> Answer:
    symbol = query.text("symbol")
    if symbol is not None:
        return _answer(row(venue, venue.instrument(symbol)), weights[0])
    return _answer([row(venue, each) for each in venue.listed()], weights[1])


def ticker_price(venue: Venue, query: Parameters) -> Answer:
    """Answer GET ticker/price (v1 and v2)."""
    return _one_or_all(venue, query, _price_row, (1, 2))


def _price_row(venue: Venue, instrument: Instrument) -> dict[str, Any]:
    price = venue.tape(instrument.symbol).price(venue.timeline.market_now_ms())
    return {
        "symbol": instrument.symbol,
        "price": _price(instrument, price),
        "time": venue.timeline.now_ms(),
    }


def _price(instrument: Instrument, price: float) -> str:
    return f"{price:.{instrument.rules.price_precision}f}"


def _quantity(instrument: Instrument, quantity: float) -> str:
    return f"{quantity:.{instrument.rules.quantity_precision}f}"


def book_ticker(venue: Venue, query: Parameters) -> Answer:
    """Answer GET ticker/bookTicker."""
    return _one_or_all(venue, query, _book_row, (2, 5))


def _book_row(venue: Venue, instrument: Instrument) -> dict[str, Any]:
    levels = book.levels(venue.tape(instrument.symbol), venue.timeline.market_now_ms(), 1)
    (bid, bid_qty), (ask, ask_qty) = levels.bids[0], levels.asks[0]
    return {
        "symbol": instrument.symbol,
        "bidPrice": bid,
        "bidQty": bid_qty,
        "askPrice": ask,
        "askQty": ask_qty,
        "time": venue.timeline.now_ms(),
        "lastUpdateId": levels.update_id,
    }


def depth(venue: Venue, query: Parameters) -> Answer:
    """Answer GET depth."""
    instrument = venue.instrument(query.required("symbol"))
    limit = query.limit(500, _DEPTH_LIMITS[-1])
    if limit not in _DEPTH_LIMITS:
        invalid("limit")
    levels = book.levels(venue.tape(instrument.symbol), venue.timeline.market_now_ms(), limit)
    now = venue.timeline.now_ms()
    body = {"lastUpdateId": levels.update_id, "E": now, "T": now}
    return _answer(body | {"bids": levels.bids, "asks": levels.asks}, depth_weight(limit))


def trades(venue: Venue, query: Parameters) -> Answer:
    """Answer GET trades: the latest, oldest first."""
    instrument = venue.instrument(query.required("symbol"))
    limit, shift = query.limit(500, _MOST_TRADES), venue.timeline.shift_ms
    now = venue.timeline.market_now_ms()
    rows = [
        {
            "id": trade.number,
            "price": _price(instrument, trade.price),
            "qty": _quantity(instrument, trade.quantity),
            "quoteQty": f"{trade.price * trade.quantity:.2f}",
            "time": trade.at_ms + shift,
            "isBuyerMaker": trade.buyer_is_maker,
        }
        for trade in book.latest_trades(venue.tape(instrument.symbol), now, limit)
    ]
    return _answer(rows, 5)


def agg_trades(venue: Venue, query: Parameters) -> Answer:
    """Answer GET aggTrades: from an id, within a window of an hour, or the latest."""
    instrument = venue.instrument(query.required("symbol"))
    limit, from_id, (start, end) = (
        query.limit(500, _MOST_TRADES),
        query.whole("fromId"),
        query.window(),
    )
    if start is not None and end is not None and end - start > _AGG_SPAN_MS:
        refuse(-4166, "Search window is restricted to recent 1 hour only.")
    shift, now = venue.timeline.shift_ms, venue.timeline.market_now_ms()
    tape = venue.tape(instrument.symbol)
    if from_id is not None:
        found = book.trades_numbered(tape, from_id, now, limit)
    elif start is not None:
        last = now if end is None else min(end - shift, now)
        found = book.trades_from(tape, start - shift, last, limit)
    else:
        last = now if end is None else min(end - shift, now)
        found = book.latest_trades(tape, last, limit)
    return _answer([_agg_row(instrument, trade, shift) for trade in found], 20)


def _agg_row(instrument: Instrument, trade: book.Trade, shift_ms: int) -> dict[str, Any]:
    return {
        "a": trade.number,
        "p": _price(instrument, trade.price),
        "q": _quantity(instrument, trade.quantity),
        "f": trade.number,
        "l": trade.number,
        "T": trade.at_ms + shift_ms,
        "m": trade.buyer_is_maker,
    }


def ticker_24hr(venue: Venue, query: Parameters) -> Answer:
    """Answer GET ticker/24hr."""
    return _one_or_all(venue, query, _day_row, (1, 40))


def _day_row(venue: Venue, instrument: Instrument) -> dict[str, Any]:
    return day_row(venue, instrument, venue.timeline.market_now_ms())


def day_row(venue: Venue, instrument: Instrument, at_ms: int) -> dict[str, Any]:
    """Tell the last 24 hours of a symbol at an instant of the market, as ticker/24hr does."""
    timeline, tape = venue.timeline, venue.tape(instrument.symbol)
    day = tape.last_day(at_ms)
    volume = float(day[VOLUME])
    quote, count, _, _ = (float(column[0]) for column in estimates(day[None, :]))
    change = float(day[CLOSE] - day[OPEN])
    last = book.latest_trades(tape, at_ms, 1)
    last_id = book.last_number(tape, at_ms)
    return {
        "symbol": instrument.symbol,
        "priceChange": _price(instrument, change),
        "priceChangePercent": f"{change / float(day[OPEN]) * 100:.3f}",
        "weightedAvgPrice": _price(instrument, quote / volume if volume else float(day[CLOSE])),
        "lastPrice": _price(instrument, float(day[CLOSE])),
        "lastQty": _quantity(instrument, last[-1].quantity if last else 0.0),
        "openPrice": _price(instrument, float(day[OPEN])),
        "highPrice": _price(instrument, float(day[HIGH])),
        "lowPrice": _price(instrument, float(day[LOW])),
        "volume": _quantity(instrument, volume),
        "quoteVolume": f"{quote:.2f}",
        "openTime": at_ms + timeline.shift_ms - DAY_MS,
        "closeTime": at_ms + timeline.shift_ms,
        "firstId": max(last_id - int(count) + 1, 1),
        "lastId": last_id,
        "count": int(count),
    }


def premium_index(venue: Venue, query: Parameters) -> Answer:
    """Answer GET premiumIndex."""
    return _one_or_all(venue, query, _premium_row, (1, 10))


def _premium_row(venue: Venue, instrument: Instrument) -> dict[str, Any]:
    return premium_row(venue, instrument, venue.timeline.market_now_ms())


def premium_row(venue: Venue, instrument: Instrument, at_ms: int) -> dict[str, Any]:
    """Tell mark, index and funding of a symbol at an instant of the market, as premiumIndex does."""
    timeline, symbol = venue.timeline, instrument.symbol
    price = venue.tape(symbol).price(at_ms)
    index = venue.beside(symbol, "index", price, at_ms)
    settled = venue.market.funding(symbol, at_ms - 30 * DAY_MS, at_ms + 1)
    rate = float(settled.rate[-1]) if len(settled.rate) else 0.0
    return {
        "symbol": symbol,
        "markPrice": f"{venue.beside(symbol, 'mark', price, at_ms):.8f}",
        "indexPrice": f"{index:.8f}",
        "estimatedSettlePrice": f"{index:.8f}",
        "lastFundingRate": f"{rate:.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": _next_funding_ms(venue, symbol, at_ms) + timeline.shift_ms,
        "time": timeline.now_ms(),
    }


def _next_funding_ms(venue: Venue, symbol: str, at_ms: int) -> int:
    """The next recorded settlement; past the end of the data, the next of the usual hours."""
    period = venue.market.funding_interval_h(symbol) * HOUR_MS
    coming = venue.market.funding(symbol, at_ms + 1, at_ms + 2 * period)
    if len(coming.time_ms):
        return int(coming.time_ms[0])
    return (at_ms // period + 1) * period


def funding_rate(venue: Venue, query: Parameters) -> Answer:
    """Answer GET fundingRate: from startTime on if given, else the latest; oldest first."""
    symbol, limit, (start, end) = query.text("symbol"), query.limit(100, 1000), query.window()
    chosen = [venue.instrument(symbol)] if symbol is not None else venue.listed()
    rows = [row for each in chosen for row in _funding_rows(venue, each, start, end, limit)]
    rows.sort(key=lambda row: row["fundingTime"])
    return _answer(rows[:limit] if start is not None else rows[-limit:], 0)


def _funding_rows(
    venue: Venue, instrument: Instrument, start: int | None, end: int | None, limit: int
) -> list[dict[str, Any]]:
    timeline, symbol = venue.timeline, instrument.symbol
    shift, last = timeline.shift_ms, timeline.market_now_ms()
    if end is not None:
        last = min(last, end - shift)
    first = instrument.first_ms - 30 * DAY_MS if start is None else start - shift
    settled = venue.market.funding(symbol, first, last + 1)
    part = slice(0, limit) if start is not None else slice(-limit, None)
    times, rates = settled.time_ms[part], settled.rate[part]
    if not len(times):
        return []
    marks = _marks_at(venue, symbol, times + shift)
    return [
        {
            "symbol": symbol,
            "fundingTime": int(at) + shift,
            "fundingRate": f"{rate:.8f}",
            "markPrice": "" if np.isnan(mark) else f"{mark:.8f}",
        }
        for at, rate, mark in zip(times, rates, marks, strict=True)
    ]


def _marks_at(venue: Venue, symbol: str, served_ms: Any) -> list[float]:
    """Mark price at which the hour of each instant opened; NaN outside the candles."""
    hour = timeframe("1h")
    chart = venue.chart(symbol, "mark", hour)
    first, stop = chart.bounds
    numbers = [hour.number(int(at)) for at in served_ms]
    low = max(numbers[0], first)
    high = numbers[-1] + 1 if stop is None else min(numbers[-1] + 1, stop)
    if low >= high:
        return [float("nan")] * len(numbers)
    opens = chart.values(low, high)[:, OPEN]
    return [float(opens[n - low]) if low <= n < high else float("nan") for n in numbers]


def funding_info(venue: Venue, query: Parameters) -> Answer:  # noqa: ARG001
    """Answer GET fundingInfo."""
    rows = [
        {
            "symbol": each.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": venue.market.funding_interval_h(each.symbol),
            "disclaimer": False,
        }
        for each in venue.listed()
    ]
    return _answer(rows, 0)


ENDPOINTS: dict[str, Callable[[Venue, Parameters], Answer]] = {
    "/fapi/v1/ping": ping,
    "/fapi/v1/time": server_time,
    "/fapi/v1/exchangeInfo": info,
    "/fapi/v1/ticker/price": ticker_price,
    "/fapi/v2/ticker/price": ticker_price,
    "/fapi/v1/ticker/bookTicker": book_ticker,
    "/fapi/v1/ticker/24hr": ticker_24hr,
    "/fapi/v1/depth": depth,
    "/fapi/v1/trades": trades,
    "/fapi/v1/aggTrades": agg_trades,
    "/fapi/v1/premiumIndex": premium_index,
    "/fapi/v1/fundingRate": funding_rate,
    "/fapi/v1/fundingInfo": funding_info,
}
