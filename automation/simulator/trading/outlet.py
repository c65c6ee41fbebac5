"""Numbers every event of the exchange and passes it to whoever listens.

Refuses to know what events mean. Called by `exchange`.
"""

from collections.abc import Callable

from automation.simulator.trading.events import Event

Listener = Callable[[Event], None]


class Outlet:
    """Numbers events and passes them on."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._listeners: list[Listener] = []
        self.seq = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each event from now on; gives what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def next_seq(self) -> int:
        """Number the next event."""
        self.seq += 1
        return self.seq

    def emit(self, event: Event) -> None:
        """Pass one event on."""
        for listener in self._listeners:
            listener(event)
