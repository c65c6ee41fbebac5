"""From a stream's name to what it says over time.

Decides which feed serves which stream. A feed is polled with two instants of the market and tells
what is new in between, as JSON in bytes. Refuses to know who listens. Called by `hub`.
"""

from typing import Protocol

from automation.simulator.market import Instrument
from automation.simulator.recorded_market import RecordedMarket
from automation.simulator.streams.depth_feeds import DiffDepth, PartialDepth
from automation.simulator.streams.kline_feed import KlineFeed
from automation.simulator.streams.names import Wanted, understand
from automation.simulator.streams.quote_feeds import (
    AllRows,
    BookTicker,
    RowMaker,
    Rows,
    Trades,
    mark_price,
    mini_ticker,
    ticker,
)
from automation.simulator.streams.recorded_feeds import RecordedFeed, is_recorded
from automation.simulator.venue import Venue


class Feed(Protocol):
    """What is told on one stream."""

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell what is new in (last_ms, now_ms] of the market's time, oldest first."""
        ...


class Silence:
    """A stream of which nothing is known, or that is fed from elsewhere."""

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:  # noqa: ARG002 - a Feed
        """Tell nothing."""
        return []


class Together:
    """Several feeds on one stream."""

    def __init__(self, feeds: list[Feed]) -> None:
        """Poll them in order."""
        self._feeds = feeds

    def poll(self, last_ms: int, now_ms: int) -> list[bytes]:
        """Tell what each has."""
        return [payload for feed in self._feeds for payload in feed.poll(last_ms, now_ms)]


_ROWS: dict[str, RowMaker] = {"markPrice": mark_price, "ticker": ticker, "miniTicker": mini_ticker}


def feed_for(venue: Venue, name: str, start_ms: int) -> Feed:
    """Make the feed of a stream, beginning after `start_ms` of the market's time."""
    wanted = understand(name)
    if wanted is None or wanted.kind == "forceOrder":
        return Silence()
    if wanted.symbol is None:
        return _of_all(venue, wanted)
    instrument = venue.market.instruments.get(wanted.symbol)
    if instrument is None or not venue.is_listed(instrument) or venue.has_ended(instrument):
        return Silence()
    if isinstance(venue.market, RecordedMarket) and is_recorded(wanted):
        return RecordedFeed(venue.market.recording, wanted, venue.timeline.shift_ms)
    return _of_one(venue, instrument, wanted, start_ms)


def _of_all(venue: Venue, wanted: Wanted) -> Feed:
    if wanted.kind in _ROWS:
        return AllRows(venue, wanted, _ROWS[wanted.kind])
    return Together([BookTicker(venue, each, wanted) for each in venue.listed()])


def _of_one(venue: Venue, instrument: Instrument, wanted: Wanted, start_ms: int) -> Feed:
    symbol, shift_ms = instrument.symbol, venue.timeline.shift_ms
    match wanted.kind:
        case "kline":
            return KlineFeed(venue, symbol, wanted, start_ms)
        case "diffDepth":
            return DiffDepth(venue.tape(symbol), wanted, shift_ms, start_ms)
        case "partialDepth":
            return PartialDepth(venue.tape(symbol), wanted, shift_ms, start_ms)
        case "bookTicker":
            return BookTicker(venue, instrument, wanted)
        case "aggTrade" | "trade":
            return Trades(venue, instrument, aggregated=wanted.kind == "aggTrade")
    return Rows(venue, instrument, wanted, _ROWS[wanted.kind])
