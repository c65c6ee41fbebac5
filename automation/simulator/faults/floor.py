"""What faults reach of the exchange beside requests and messages.

Decides nothing; it is the one place that knows how a halt, a thin book, other prices and cut streams
are brought about. Called by `engine`; built by `server`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from automation.simulator.tape import Tape
from automation.simulator.venue import Venue


@dataclass(slots=True)
class ExchangeFloor:
    """The parts of an exchange that faults change."""

    venue: Venue
    halts: Callable[[str, bool], None] = lambda _symbol, _is_halted: None
    cuts: list[Callable[[], None]] = field(default_factory=list)

    def book(self, symbol: str) -> Tape:
        """Find a symbol's modelled book."""
        return self.venue.tape(symbol)

    def halt(self, symbol: str, *, is_halted: bool, is_final: bool) -> None:
        """Stop or resume a symbol's trading; for good, and told so, when it is final."""
        self.halts(symbol, is_halted)
        settled = self.venue.settling
        (settled.add if is_halted and is_final else settled.discard)(symbol)

    def renew(self) -> None:
        """Make anew whatever was kept of candles that are still to come."""
        self.venue.renew()

    def cut_streams(self) -> None:
        """End every websocket connection at once."""
        for cut in self.cuts:
            cut()
