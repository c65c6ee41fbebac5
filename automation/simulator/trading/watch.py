"""When does something happen next: the first second in which the market reaches what waits.

Decides which seconds have to be looked at, so that the others cost nothing. Refuses to decide what
happens then. Called by `exchange`. A second is looked at once, symbols in alphabetical order.
"""

from dataclasses import dataclass, field

from automation.simulator.trading.floor import Floor
from automation.simulator.trading.liquidation import Band, guards
from automation.simulator.trading.sights import NEVER_HIGH, NEVER_LOW, Bounds, Settlement

SECOND_MS = 1000
_NOTHING = Bounds()
_LAST = "\U0010ffff"


@dataclass(slots=True)
class _Search:
    version: int
    bounds: Bounds
    until_ms: int
    hit_ms: int | None


@dataclass(slots=True)
class Watch:
    """Remembers how far each symbol was searched, and under which bounds."""

    floor: Floor
    done_ms: int
    done_symbol: str = _LAST
    funded_ms: int = 0
    """Settlements up to here are over."""
    _searches: dict[str, _Search] = field(default_factory=dict)
    _guards: dict[str, dict[str, Band]] = field(default_factory=dict)
    _funded: dict[str, int] = field(default_factory=dict)

    def finish(self, to_ms: int) -> None:
        """Note that every second up to an instant has been looked at."""
        self.done_ms, self.done_symbol = to_ms, _LAST

    def mark(self, symbol: str) -> int:
        """Mark price at the second that is looked at."""
        return self.floor.feed.mark(symbol, self.done_ms)

    def next_hit(self, to_ms: int) -> tuple[int, str] | None:
        """First second ending at or before `to_ms` in which something may happen, and where."""
        self._redraw()
        best: tuple[int, str] | None = None
        for symbol in self.floor.symbols:
            found = self._search(symbol, to_ms if best is None else best[0])
            if found is not None and (best is None or (found, symbol) < best):
                best = found, symbol
        return best

    def _search(self, symbol: str, to_ms: int) -> int | None:
        known, version = self._searches.get(symbol), self.floor.shelf(symbol).version
        start = self.done_ms + (SECOND_MS if symbol <= self.done_symbol else 0)
        if known is None or known.version != version:
            known = _Search(version, self._bounds(symbol), start - SECOND_MS, None)
            self._searches[symbol] = known
        if known.hit_ms is not None and known.hit_ms >= start:
            return known.hit_ms if known.hit_ms <= to_ms else None
        if known.bounds == _NOTHING:
            return None
        start = max(start, known.until_ms + SECOND_MS)
        if start > to_ms:
            return None
        known.hit_ms = self.floor.feed.next_hit(symbol, start, to_ms, known.bounds)
        known.until_ms = to_ms if known.hit_ms is None else known.hit_ms
        return known.hit_ms

    def _bounds(self, symbol: str) -> Bounds:
        shelf = self.floor.shelf(symbol)
        bands = [drawn[symbol] for drawn in self._guards.values() if symbol in drawn]
        rising, falling = shelf.traded
        marked_up, marked_down = shelf.marked
        return Bounds(
            _most(shelf.buys.best, falling.next),
            _least(shelf.sells.best, rising.next),
            _most(marked_down.next, *(low for low, _ in bands)),
            _least(marked_up.next, *(high for _, high in bands)),
        )

    def _redraw(self) -> None:
        floor = self.floor
        for name in sorted(floor.touched):
            drawn = guards(floor, floor.accounts[name], self.mark)
            for symbol in drawn.keys() | self._guards.get(name, {}).keys():
                floor.shelf(symbol).version += 1
            self._guards[name] = drawn
        floor.touched.clear()

    def guarded(self, symbol: str, mark: int) -> list[str]:
        """Accounts whose guard a mark price has reached; they will be guarded anew."""
        found = []
        for name in self.floor.accounts:
            band = self._guards.get(name, {}).get(symbol)
            if band is not None and (mark <= band[0] or mark >= band[1]):
                found.append(name)
        self.floor.touched.update(found)
        return found

    def next_funding(self, to_ms: int) -> Settlement | None:
        """First settlement at or before `to_ms` of a symbol that someone holds."""
        best: Settlement | None = None
        for symbol in self.floor.symbols:
            if not self._is_held(symbol):
                continue
            after = max(self._funded.get(symbol, 0), self.funded_ms)
            found = self.floor.feed.next_funding(symbol, after, to_ms)
            if found is not None and (best is None or found.at_ms < best.at_ms):
                best = found
        return best

    def _is_held(self, symbol: str) -> bool:
        held = (each.active.get(symbol) for each in self.floor.accounts.values())
        return any(position is not None and position.size for position in held)

    def note_funded(self, settlement: Settlement) -> None:
        """Note that a settlement is over."""
        self._funded[settlement.symbol] = settlement.at_ms

    def pass_by(self, at_ms: int) -> None:
        """Note that everything before an instant is over."""
        self.funded_ms = max(self.funded_ms, at_ms - 1)


def _most(*prices: int | None) -> int:
    return max((price for price in prices if price is not None), default=NEVER_LOW)


def _least(*prices: int | None) -> int:
    return min((price for price in prices if price is not None), default=NEVER_HIGH)
