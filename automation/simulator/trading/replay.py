"""From an event log back to the state it describes, proven line by line.

Decides nothing: it hands the recorded inputs to a new exchange, whose own log has to come out the
same. Called by tests and by whoever wants to know what an exchange looked like.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from automation.core.errors import ConfigError
from automation.simulator.trading.accounts import AccountSpec
from automation.simulator.trading.exchange import Exchange
from automation.simulator.trading.log import line
from automation.simulator.trading.orders import OrderRequest
from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.sights import Bounds, Depth, Quote, Second, Settlement
from automation.simulator.trading.units import Contract


class _Reel:
    """The log as feed and as record: shows what was seen, compares what is written."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines, self.place = lines, 0

    @property
    def next(self) -> Any:
        return orjson.loads(self.lines[self.place])

    def add(self, entry: Any) -> None:
        written = line(entry)
        if self.place >= len(self.lines) or self.lines[self.place] != written:
            found = self.lines[self.place] if self.place < len(self.lines) else b"the end"
            raise ConfigError(
                f"the event log does not replay: {found.decode().strip()[:200]} is there, "
                f"{written.decode().strip()[:200]} came out",
                where=f"line {self.place + 1}",
                cure="replay it with the program version that wrote it",
            )
        self.place += 1

    def quote(self, symbol: str, at_ms: int) -> Quote:
        kind, at, name, *numbers = self.next
        if (kind, at, name) != ("q", at_ms, symbol):
            return Quote(symbol, at_ms, 0, 0, 0, 0)  # `add` will tell
        return Quote(symbol, at_ms, *numbers)

    def depth(self, symbol: str, at_ms: int) -> Depth:
        kind, at, name, *sides = self.next
        if (kind, at, name) != ("d", at_ms, symbol):
            return Depth(symbol, at_ms, (), ())
        bids, asks = (tuple((price, quantity) for price, quantity in side) for side in sides)
        return Depth(symbol, at_ms, bids, asks)

    def second(self, symbol: str, at_ms: int) -> Second:
        raise AssertionError(f"{symbol} at {at_ms}: what happened comes as an input")

    def mark(self, symbol: str, at_ms: int) -> int:
        raise AssertionError(f"{symbol} at {at_ms}: what happened comes as an input")

    def next_hit(self, symbol: str, from_ms: int, to_ms: int, bounds: Bounds) -> int | None:  # noqa: ARG002
        return None

    def next_funding(self, symbol: str, after_ms: int, to_ms: int) -> Settlement | None:  # noqa: ARG002
        return None


def replay(
    lines: Sequence[bytes], contracts: Mapping[str, Contract], specs: Sequence[AccountSpec]
) -> Exchange:
    """Run a log through a new exchange; ConfigError at the first line that does not come out."""
    reel = _Reel(lines)
    _, start_ms, _, insurance = reel.next
    exchange = Exchange(contracts, specs, reel, start_ms=start_ms, log=reel, insurance=insurance)
    while reel.place < len(lines):
        entry = reel.next
        if (
            entry[0] == "fault"
        ):  # tells why answers or prices were spoilt; changes nothing by itself
            reel.add(entry)
        else:
            _feed(exchange, entry)
    return exchange


def _feed(exchange: Exchange, entry: list[Any]) -> None:
    kind, *rest = entry
    if kind == "c":
        _command(exchange, *rest)
    elif kind == "s":
        at_ms, symbol, first, last, volume = rest
        exchange.trade_second(Second(symbol, at_ms, first, last, volume))
    elif kind == "m":
        exchange.fire_marked(*rest)
    elif kind == "l":
        exchange.judge(*rest)
    elif kind == "f":
        at_ms, symbol, rate, mark = rest
        exchange.settle_funding(Settlement(symbol, at_ms, rate, mark))
    elif kind == "t":
        exchange.run_timer(*rest)
    elif kind == "fault":  # what it did to the exchange is in lines of its own
        exchange.log.add(entry)
    else:
        raise ConfigError(
            f"the event log has a line of kind {kind!r} where an input is expected",
            where="event log",
            cure="replay it with the program version that wrote it",
        )


def _command(exchange: Exchange, at_ms: int, name: str, what: str, arguments: list[Any]) -> None:
    made = [OrderRequest(**each) if isinstance(each, dict) else each for each in arguments]
    exchange.floor.now_ms = at_ms
    try:
        exchange.command(name, at_ms, what, *made)
    except Rejected:
        return
