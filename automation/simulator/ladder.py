"""The price levels of a book at an instant: whole ticks and whole steps, in arrays.

Decides where bids and asks stand and how much rests on each level. A level keeps its size for a
while and then takes another: near the touch for half a second, far from it for sixteen, so that
from one instant to the next few levels change. Everything follows from symbol, price level and
instant. Refuses to know text, JSON and update numbers. Called by `book` and by the depth streams.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from automation.simulator.liquidity import liquidity
from automation.simulator.tape import Tape
from automation.simulator.timeframes import MINUTE_MS, Ints

DEEPEST = 1000
"""Levels on each side of a whole book: what REST shows at most."""
_DEPTHS = (20, 100, DEEPEST)  # ladders are computed in three sizes and cut
_SECOND_MS = 1000

Words = npt.NDArray[np.uint64]
_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Ladder:
    """Both sides of a book, best level first; level i of the bids is at tick `bid` - i."""

    bid: int
    """Best bid in ticks."""
    ask: int
    bids: Ints
    """Quantities in steps, at least 1; levels at or below a price of 0 are left out."""
    asks: Ints


_ZONE = np.searchsorted(np.array([5, 20, 100]), np.arange(DEEPEST), "right")  # by distance
_KEPT_MS = np.array([500, 1000, 4000, 16_000], np.int64)[_ZONE]
_SHARE = np.array([0.5, 0.7, 0.9, 1.0])[_ZONE]  # of the mean size
_MEAN_NOISE = float(np.sinh(1.0))  # of exp(u), u even in [-1, 1)


def ladder(tape: Tape, at_ms: int, depth: int = DEEPEST) -> Ladder:
    """Make the levels of one instant, at least `depth` on each side (at most `DEEPEST`)."""
    size = next(each for each in _DEPTHS if each >= min(depth, DEEPEST))
    return _ladder(tape, at_ms, size, tape.depth_factor, tape.spread_factor)


@lru_cache(maxsize=512)
def _ladder(tape: Tape, at_ms: int, depth: int, thickness: float, width: float) -> Ladder:
    state = liquidity(tape, at_ms // MINUTE_MS)
    instrument = tape.instrument
    spread = max(round(state.spread_ticks * width), 1)
    last = round(tape.price(at_ms) / float(instrument.rules.tick))
    bid = last if sells(instrument.symbol, at_ms) else last - spread
    ask = bid + spread
    salt = zlib.crc32(instrument.symbol.encode())
    mean = state.level_steps * thickness
    bids = _sizes(bid - np.arange(min(depth, max(bid, 0)), dtype=np.int64), at_ms, salt, mean)
    asks = _sizes(ask + np.arange(depth, dtype=np.int64), at_ms, salt + 1, mean)
    return Ladder(bid, ask, bids, asks)


def _sizes(ticks: Ints, at_ms: int, salt: int, mean: float) -> Ints:
    """Quantities in steps for levels in order of distance."""
    count = len(ticks)
    own = mixed(ticks.view(np.uint64) + np.uint64(salt << 20))
    kept = _KEPT_MS[:count]
    turn = (at_ms + (own >> np.uint64(40)).view(np.int64)) // kept  # each level at its own moment
    noise = (mixed(own ^ turn.view(np.uint64)) >> np.uint64(11)) / 2.0**53
    sizes: Ints = np.rint(mean / _MEAN_NOISE * _SHARE[:count] * np.exp(2 * noise - 1)).astype(
        np.int64
    )
    return np.maximum(sizes, 1)


def mixed(words: Words) -> Words:
    """Mix whole numbers (splitmix64's finish, Steele et al. 2014)."""
    x = words * np.uint64(_GOLDEN)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX_1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX_2)
    return x ^ (x >> np.uint64(31))


def sells(symbol: str, at_ms: int) -> bool:
    """Whether the trade of this second was at the bid (its buyer was the maker)."""
    x = (at_ms // _SECOND_MS + zlib.crc32(symbol.encode())) * _GOLDEN & _WORD
    x = (x ^ x >> 30) * _MIX_1 & _WORD
    return bool((x ^ x >> 27) >> 40 & 1)
