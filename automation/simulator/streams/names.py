"""What a stream's name asks for.

Decides which names mean something; every other name can be subscribed to and stays silent, as on
Binance. Refuses to know what is sent. Called by `feeds`.
"""

import re
from dataclasses import dataclass
from typing import Literal

from automation.simulator.timeframes import LENGTHS_MS

Kind = Literal[
    "kline", "markPrice", "bookTicker", "aggTrade", "trade", "ticker", "miniTicker",
    "partialDepth", "diffDepth", "forceOrder",
]  # fmt: skip

_SYMBOL = re.compile(r"([a-z0-9_]+)@(.+)")
_KLINE = re.compile(r"(kline|continuousKline)_(\w+)")
_DEPTH = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?")
_MARK = re.compile(r"markPrice(@1s)?")
_FASTEST_MS, _USUAL_DEPTH_MS, _SECOND_MS = 100, 250, 1000
_EVERY_MS: dict[str, tuple[Kind, int]] = {
    "bookTicker": ("bookTicker", _FASTEST_MS),
    "aggTrade": ("aggTrade", _FASTEST_MS),
    "trade": ("trade", _FASTEST_MS),
    "ticker": ("ticker", 2 * _SECOND_MS),
    "miniTicker": ("miniTicker", 2 * _SECOND_MS),
    "forceOrder": ("forceOrder", _SECOND_MS),
}
_ALL: dict[str, tuple[Kind, int]] = {
    "!markPrice@arr": ("markPrice", 3 * _SECOND_MS),
    "!markPrice@arr@1s": ("markPrice", _SECOND_MS),
    "!bookTicker": ("bookTicker", 5 * _SECOND_MS),
    "!ticker@arr": ("ticker", _SECOND_MS),
    "!miniTicker@arr": ("miniTicker", _SECOND_MS),
    "!forceOrder@arr": ("forceOrder", _SECOND_MS),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream that is served. `symbol` is None for all symbols together."""

    kind: Kind
    symbol: str | None
    every_ms: int
    """How often it is looked at; at least a tenth of a second."""
    interval: str = ""
    """Timeframe of candles."""
    levels: int = 0
    """Levels of a partial book."""
    is_continuous: bool = False


def understand(name: str) -> Wanted | None:
    """Read a stream's name; None for one that says nothing."""
    if name in _ALL:
        kind, every_ms = _ALL[name]
        return Wanted(kind, None, every_ms)
    found = _SYMBOL.fullmatch(name)
    if found is None:
        return None
    symbol, what = found[1].upper(), found[2]
    if what in _EVERY_MS:
        kind, every_ms = _EVERY_MS[what]
        return Wanted(kind, symbol, every_ms)
    return _candles(symbol, what) or _depth(symbol, what) or _mark(symbol, what)


def _candles(symbol: str, what: str) -> Wanted | None:
    found = _KLINE.fullmatch(what)
    if found is None or found[2] not in LENGTHS_MS:
        return None
    continuous = found[1] == "continuousKline"
    if continuous != symbol.endswith("_PERPETUAL"):
        return None
    symbol = symbol.removesuffix("_PERPETUAL")
    return Wanted("kline", symbol, 250, interval=found[2], is_continuous=continuous)


def _depth(symbol: str, what: str) -> Wanted | None:
    found = _DEPTH.fullmatch(what)
    if found is None:
        return None
    every_ms = _USUAL_DEPTH_MS if found[2] is None else max(int(found[2]), _FASTEST_MS)
    if found[1] is None:
        return Wanted("diffDepth", symbol, every_ms)
    return Wanted("partialDepth", symbol, every_ms, levels=int(found[1]))


def _mark(symbol: str, what: str) -> Wanted | None:
    found = _MARK.fullmatch(what)
    if found is None:
        return None
    return Wanted("markPrice", symbol, _SECOND_MS if found[1] else 3 * _SECOND_MS)
