"""From the trading exchange's events to the streams of those whom they concern.

Decides that events go out at once and in the exchange's order. Refuses to know orders and
sockets. The server calls `connect_exchange` once.
"""

from collections.abc import Callable
from typing import Protocol

from automation.simulator.streams.hub import Hub
from automation.simulator.streams.user_messages import Contracts, force_order, user_messages
from automation.simulator.trading import events


class EventSource(Protocol):
    """The exchange, as far as streams need it."""

    @property
    def contracts(self) -> Contracts:
        """Grid and text of each symbol."""
        ...

    def subscribe(self, callback: Callable[[events.Event], None]) -> Callable[[], None]:
        """Call back with each event; gives what ends that."""
        ...


def connect_exchange(hub: Hub, exchange: EventSource) -> Callable[[], None]:
    """Tell every event of an exchange to its account; gives what ends that."""

    def tell(event: events.Event) -> None:
        if isinstance(event, events.Liquidation):
            names = (f"{event.symbol.lower()}@forceOrder", "!forceOrder@arr")
            hub.tell_public(names, force_order(event, exchange.contracts[event.symbol]))
        elif event.account is not None and hub.has_listener(event.account):
            for payload in user_messages(event, exchange.contracts):
                hub.tell(event.account, payload)

    return exchange.subscribe(tell)
