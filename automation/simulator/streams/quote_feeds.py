"""Prices as they are told over time: best bid and ask, trades, mark prices, the last 24 hours.

Decides the short keys of each stream and how often it speaks. The numbers are those of the REST
endpoints. Refuses to know connections. Called by `feeds`.
"""

from collections.abc import Callable
from typing import Any

import orjson

from automation.simulator.book import Trade, levels, trades_between
from automation.simulator.market import Instrument
from automation.simulator.quote_endpoints import day_row, premium_row
from automation.simulator.streams.names import Wanted
from automation.simulator.venue import Venue

Row = dict[str, Any]
RowMaker = Callable[[Venue, Instrument, int], Row]


class BookTicker:
    """Best bid and ask of one symbol, whenever they changed."""

    def __init__(self, venue: Venue, instrument: Instrument, wanted: Wanted) -> None:
        """Start with nothing told."""
        self._venue, self._instrument, self._every_ms = venue, instrument, wanted.every_ms
        self._told: object = None

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell both if either differs from what was told last."""
        if last_ms // self._every_ms == now_ms // self._every_ms:
            return []
        found = levels(self._venue.tape(self._instrument.symbol), now_ms, 1)
        best = (found.bids[:1], found.asks[:1])
        if best == self._told or not all(best):
            return []
        self._told = best
        (bid, bid_quantity), (ask, ask_quantity) = found.bids[0], found.asks[0]
        at_ms = now_ms + self._venue.timeline.shift_ms
        row = {
            "e": "bookTicker",
            "u": found.update_id,
            "s": self._instrument.symbol,
            "b": bid,
            "B": bid_quantity,
            "a": ask,
            "A": ask_quantity,
            "T": at_ms,
            "E": at_ms,
        }
        return [orjson.dumps(row)]


class Trades:
    """Every trade of one symbol, single or aggregated."""

    def __init__(self, venue: Venue, instrument: Instrument, *, aggregated: bool) -> None:
        """Start with the next trade."""
        self._venue, self._instrument = venue, instrument
        self._row = _aggregated if aggregated else _single

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell the trades after `last_ms`, up to and including `now_ms`."""
        found = trades_between(self._venue.tape(self._instrument.symbol), last_ms + 1, now_ms)
        shift_ms = self._venue.timeline.shift_ms
        return [orjson.dumps(self._row(self._instrument, each, shift_ms)) for each in found]


def _figures(instrument: Instrument, trade: Trade) -> tuple[str, str]:
    rules = instrument.rules
    return (
        f"{trade.price:.{rules.price_precision}f}",
        f"{trade.quantity:.{rules.quantity_precision}f}",
    )


def _aggregated(instrument: Instrument, trade: Trade, shift_ms: int) -> Row:
    price, quantity = _figures(instrument, trade)
    return {
        "e": "aggTrade",
        "E": trade.at_ms + shift_ms,
        "a": trade.number,
        "s": instrument.symbol,
        "p": price,
        "q": quantity,
        "f": trade.number,
        "l": trade.number,
        "T": trade.at_ms + shift_ms,
        "m": trade.buyer_is_maker,
    }


def _single(instrument: Instrument, trade: Trade, shift_ms: int) -> Row:
    price, quantity = _figures(instrument, trade)
    return {
        "e": "trade",
        "E": trade.at_ms + shift_ms,
        "T": trade.at_ms + shift_ms,
        "s": instrument.symbol,
        "t": trade.number,
        "p": price,
        "q": quantity,
        "X": "MARKET",
        "m": trade.buyer_is_maker,
    }


class Rows:
    """One row of figures about one symbol, at a fixed pace."""

    def __init__(self, venue: Venue, instrument: Instrument, wanted: Wanted, row: RowMaker) -> None:
        """Start anywhere: each message stands for itself."""
        self._venue, self._instrument, self._row = venue, instrument, row
        self._every_ms = wanted.every_ms

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell the row if its time has come."""
        if last_ms // self._every_ms == now_ms // self._every_ms:
            return []
        return [orjson.dumps(self._row(self._venue, self._instrument, now_ms))]


class AllRows:
    """The rows of all listed symbols in one message, at a fixed pace."""

    def __init__(self, venue: Venue, wanted: Wanted, row: RowMaker) -> None:
        """Start anywhere: each message stands for itself."""
        self._venue, self._row, self._every_ms = venue, row, wanted.every_ms

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell the rows if their time has come."""
        if last_ms // self._every_ms == now_ms // self._every_ms:
            return []
        listed = [each for each in self._venue.listed() if not self._venue.has_ended(each)]
        return [orjson.dumps([self._row(self._venue, each, now_ms) for each in listed])]


def mark_price(venue: Venue, instrument: Instrument, at_ms: int) -> Row:
    """Tell mark and index price and the coming funding."""
    row = premium_row(venue, instrument, at_ms)
    return {
        "e": "markPriceUpdate",
        "E": at_ms + venue.timeline.shift_ms,
        "s": instrument.symbol,
        "p": row["markPrice"],
        "P": row["estimatedSettlePrice"],
        "i": row["indexPrice"],
        "r": row["lastFundingRate"],
        "T": row["nextFundingTime"],
    }


_TICKER = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}


def ticker(venue: Venue, instrument: Instrument, at_ms: int) -> Row:
    """Tell the last 24 hours."""
    row = day_row(venue, instrument, at_ms)
    head = {"e": "24hrTicker", "E": at_ms + venue.timeline.shift_ms, "s": instrument.symbol}
    return head | {short: row[name] for short, name in _TICKER.items()}


def mini_ticker(venue: Venue, instrument: Instrument, at_ms: int) -> Row:
    """Tell open, high, low, close and volume of the last 24 hours."""
    row = day_row(venue, instrument, at_ms)
    head = {"e": "24hrMiniTicker", "E": at_ms + venue.timeline.shift_ms, "s": instrument.symbol}
    return head | {short: row[_TICKER[short]] for short in ("c", "o", "h", "l", "v", "q")}
