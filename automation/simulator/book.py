"""An order book and trades around the price, made up but always the same for an instant.

Decides spread, depth and the single trades that candles do not record: one tick of spread, sizes
from recent volume and a hash of symbol, level and second, one trade a second along the path of
the candle, whose sizes add up to its volume. Refuses to know JSON. Called by `quote_endpoints`.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automation.simulator.candles import VOLUME, Floats
from automation.simulator.market import Instrument
from automation.simulator.path import price_along, turning_points
from automation.simulator.tape import Tape
from automation.simulator.timeframes import HOUR_MS

_SECOND_MS = 1000
_LEVEL_SHARE = 0.3  # of the volume of an average second, on the best level
_GROWTH = 0.02  # sizes grow by this much per level away from the price


@dataclass(frozen=True, slots=True)
class Levels:
    """Bids and asks, best first, each `[price, quantity]` as text."""

    update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of the market's own time."""

    number: int
    at_ms: int
    price: float
    quantity: float
    buyer_is_maker: bool


def levels(tape: Tape, at_ms: int, limit: int) -> Levels:
    """Make `limit` levels on each side of the last price."""
    rules = tape.instrument.rules
    decimals, tick = rules.tick_decimals, float(rules.tick)
    price, second = tape.price(at_ms), at_ms // _SECOND_MS
    salt = zlib.crc32(tape.instrument.symbol.encode())
    hit_bid = (second ^ salt) & 1  # the last trade was at the bid or at the ask
    best_bid = round(price if hit_bid else price - tick, decimals)
    sizes = _sizes(tape, at_ms, limit, second, salt)
    steps = np.arange(limit) * tick
    bids = np.round(best_bid - steps, decimals)
    asks = np.round(best_bid + tick + steps, decimals)
    places, digits = rules.price_precision, rules.quantity_precision
    above = bids > 0
    return Levels(
        at_ms,
        [
            (f"{p:.{places}f}", f"{q:.{digits}f}")
            for p, q in zip(bids[above], sizes[0][above], strict=True)
        ],
        [(f"{p:.{places}f}", f"{q:.{digits}f}") for p, q in zip(asks, sizes[1], strict=True)],
    )


def _sizes(tape: Tape, at_ms: int, limit: int, second: int, salt: int) -> Floats:
    """Quantities of both sides, shape (2, limit), at least one step each."""
    rules = tape.instrument.rules
    recent, length_ms = tape.recent(at_ms, HOUR_MS)
    total = float(np.nansum(recent.values[:, VOLUME])) if len(recent) else 0.0
    per_second = total / max(len(recent) * length_ms / _SECOND_MS, 1)
    numbers = np.arange(2 * limit, dtype=np.uint64).reshape(2, limit)
    noise = _hashed(numbers + np.uint64(second * 4096 + salt))
    growth = 1 + _GROWTH * np.arange(limit)
    sizes = per_second * _LEVEL_SHARE * growth * np.exp(2 * noise - 1)
    step = float(rules.step)
    rounded: Floats = np.round(
        np.maximum(np.rint(sizes / step), 1) * step, rules.quantity_precision
    )
    return rounded


def _hashed(numbers: npt.NDArray[np.uint64]) -> Floats:
    """Mix integers into fractions of [0, 1) (splitmix64's finish, Steele et al. 2014)."""
    x = numbers * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) >> np.uint64(11), np.float64) / 2.0**53


def trade_number(instrument: Instrument, at_ms: int) -> int:
    """Number of the last trade at an instant; trades are numbered by second from 1."""
    return max((at_ms - instrument.first_ms) // _SECOND_MS + 1, 1)


def trade_ms(instrument: Instrument, number: int) -> int:
    """Instant of the trade of that number."""
    return instrument.first_ms + (number - 1) * _SECOND_MS


def latest_trades(tape: Tape, at_ms: int, limit: int) -> list[Trade]:
    """The last trades up to an instant, oldest first."""
    found = _trades(tape, at_ms - limit * _SECOND_MS + 1, at_ms)
    return found[-limit:]


def trades_from(tape: Tape, start_ms: int, end_ms: int, limit: int) -> list[Trade]:
    """The first trades of a stretch, oldest first; seconds in which nothing traded are skipped."""
    stop = min(end_ms, start_ms + limit * _SECOND_MS - 1)
    return _trades(tape, max(start_ms, tape.instrument.first_ms), stop)[:limit]


def _trades(tape: Tape, start_ms: int, end_ms: int) -> list[Trade]:
    instrument, found = tape.instrument, list[Trade]()
    rows, length_ms = tape.recent(end_ms, max(end_ms - start_ms, 0))
    first = trade_ms(instrument, trade_number(instrument, start_ms - 1) + 1)
    points = turning_points(rows.values)
    for row, opened in enumerate(rows.open_ms.tolist()):
        begin = max(first, opened + (first - opened) % _SECOND_MS)
        volume = float(rows.values[row, VOLUME])
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
    falls = price_along(points, min(ends[1], 1.0), decimals) < price
    quantity = round(after - before, digits)
    return Trade(trade_number(instrument, at_ms), at_ms, price, quantity, falls)
