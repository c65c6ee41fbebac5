"""An order book and trades around the price, made up but always the same for an instant.

Decides the text of levels and the single trades that candles do not record: one trade a second
along the path of the candle, at the bid or at the ask, whose sizes add up to its volume. Where
the market is a recording, trades and book are the recorded ones. Refuses to know JSON. Called by
`quote_endpoints`, the matching and the streams.
"""

from dataclasses import dataclass

from automation.simulator.candles import VOLUME, Floats
from automation.simulator.ladder import DEEPEST, Ladder, ladder, sells
from automation.simulator.market import Instrument
from automation.simulator.path import price_along, turning_points
from automation.simulator.recorded import RecordedTrade
from automation.simulator.recorded_market import RecordedTape
from automation.simulator.rules import Rules
from automation.simulator.tape import Tape

_SECOND_MS = 1000
Rows = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Levels:
    """Bids and asks, best first, each `[price, quantity]` as text."""

    update_id: int
    bids: Rows
    asks: Rows


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of the market's own time."""

    number: int
    at_ms: int
    price: float
    quantity: float
    buyer_is_maker: bool


def levels(tape: Tape, at_ms: int, limit: int) -> Levels:
    """Show `limit` levels on each side (at most 1000) at an instant.

    The number of the last update is the instant itself: a book changes at most every millisecond.
    A recorded book has the recorded numbers.
    """
    if isinstance(tape, RecordedTape):
        return Levels(*tape.recording.levels(at_ms, limit))
    found = ladder(tape, at_ms, limit)
    bids, asks = rows(tape.instrument.rules, found, min(limit, DEEPEST))
    return Levels(at_ms, bids, asks)


def rows(rules: Rules, book: Ladder, limit: int) -> tuple[Rows, Rows]:
    """Print the best `limit` levels of both sides."""
    bids, asks = book.bids[:limit].tolist(), book.asks[:limit].tolist()
    return (
        printed(rules, range(book.bid, book.bid - len(bids), -1), bids),
        printed(rules, range(book.ask, book.ask + len(asks)), asks),
    )


def printed(rules: Rules, ticks: range | list[int], steps: list[int]) -> Rows:
    """Print levels given in ticks and steps as Binance does."""
    tick, step = float(rules.tick), float(rules.step)
    places, digits = rules.price_precision, rules.quantity_precision
    return [
        (f"{p * tick:.{places}f}", f"{q * step:.{digits}f}")
        for p, q in zip(ticks, steps, strict=True)
    ]


def trade_number(instrument: Instrument, at_ms: int) -> int:
    """Number of the last trade at an instant; trades are numbered by second from 1."""
    return max((at_ms - instrument.first_ms) // _SECOND_MS + 1, 1)


def trade_ms(instrument: Instrument, number: int) -> int:
    """Instant of the trade of that number."""
    return instrument.first_ms + (number - 1) * _SECOND_MS


def last_number(tape: Tape, at_ms: int) -> int:
    """Number of the last trade at an instant."""
    if isinstance(tape, RecordedTape):
        last = tape.recording.trades_until(at_ms, 1)
        return (last or tape.recording.trades)[0].number
    return trade_number(tape.instrument, at_ms)


def trades_numbered(tape: Tape, number: int, end_ms: int, limit: int) -> list[Trade]:
    """The first trades from a number on, up to an instant."""
    if isinstance(tape, RecordedTape):
        found = tape.recording.trades_numbered(number, end_ms, limit)
        return [_recorded(each) for each in found]
    return trades_from(tape, trade_ms(tape.instrument, number), end_ms, limit)


def _recorded(trade: RecordedTrade) -> Trade:
    figures = float(trade.price), float(trade.quantity)
    return Trade(trade.number, trade.at_ms, *figures, trade.buyer_is_maker)


def latest_trades(tape: Tape, at_ms: int, limit: int) -> list[Trade]:
    """The last trades up to an instant, oldest first."""
    if isinstance(tape, RecordedTape):
        return [_recorded(each) for each in tape.recording.trades_until(at_ms, limit)]
    found = trades_between(tape, at_ms - limit * _SECOND_MS + 1, at_ms)
    return found[-limit:]


def trades_from(tape: Tape, start_ms: int, end_ms: int, limit: int) -> list[Trade]:
    """The first trades of a stretch, oldest first; seconds in which nothing traded are skipped."""
    if isinstance(tape, RecordedTape):
        return trades_between(tape, start_ms, end_ms)[:limit]
    stop = min(end_ms, start_ms + limit * _SECOND_MS - 1)
    return trades_between(tape, max(start_ms, tape.instrument.first_ms), stop)[:limit]


def trades_between(tape: Tape, start_ms: int, end_ms: int) -> list[Trade]:
    """All trades in [start_ms, end_ms], oldest first."""
    if isinstance(tape, RecordedTape):
        return [_recorded(each) for each in tape.recording.trades_between(start_ms, end_ms)]
    instrument, found = tape.instrument, list[Trade]()
    stretch, length_ms = tape.recent(end_ms, max(end_ms - start_ms, 0))
    first = trade_ms(instrument, trade_number(instrument, start_ms - 1) + 1)
    points = turning_points(stretch.values)
    for row, opened in enumerate(stretch.open_ms.tolist()):
        begin = max(first, opened + (first - opened) % _SECOND_MS)
        volume = float(stretch.values[row, VOLUME])
        for at_ms in range(begin, min(end_ms + 1, opened + length_ms), _SECOND_MS):
            ends = (at_ms - opened) / length_ms, (at_ms + _SECOND_MS - opened) / length_ms
            trade = _trade(instrument, points[row], volume, at_ms, ends)
            if trade.quantity > 0:
                found.append(trade)
    return found


def _trade(
    instrument: Instrument, points: Floats, volume: float, at_ms: int, ends: tuple[float, float]
) -> Trade:
    """Make the trade of one second; `ends` are its fractions of the candle."""
    digits, decimals = instrument.rules.quantity_precision, instrument.rules.tick_decimals
    before, after = (round(volume * min(end, 1.0), digits) for end in ends)
    price = price_along(points, ends[0], decimals)
    at_bid = sells(instrument.symbol, at_ms)
    quantity = round(after - before, digits)
    return Trade(trade_number(instrument, at_ms), at_ms, price, quantity, at_bid)
