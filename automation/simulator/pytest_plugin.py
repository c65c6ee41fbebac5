"""A pytest fixture that serves the exchange to anybody's tests.

    def test_my_bot(freqfleet_simulator):
        exchange = freqfleet_simulator(7, at="2024-08-05")       # synthetic, seed 7; or a data folder
        ...                                                       # requests go to exchange.url
        exchange.advance(3600)                                    # an hour passes, at once

Installed with the package as the plugin `freqfleet`; works in tests with and without asyncio, for
each exchange runs in a thread of its own and is gone when the test ends. Decides nothing about the
exchange (`server`).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from automation.simulator import Simulator


@dataclass(frozen=True, slots=True)
class ServedExchange:
    """A running exchange, as a test without asyncio uses it."""

    simulator: "Simulator"
    _run: Callable[[Any], Any]

    @property
    def url(self) -> str:
        """Where requests go, without a path."""
        return self.simulator.url

    @property
    def tls_url(self) -> str:
        """The same with TLS, where it was started with `tls_port`."""
        return self.simulator.tls_url

    @property
    def at(self) -> datetime:
        """The instant of the market that is now."""
        return self.simulator.at

    def advance(self, duration: timedelta | float) -> None:
        """Let that much time pass (a number: seconds)."""
        self._run(self.simulator.advance(duration))

    def advance_to(self, instant: datetime) -> None:
        """Let time pass up to an instant."""
        self._run(self.simulator.advance_to(instant))


Serve = Callable[..., ServedExchange]


@pytest.fixture
def freqfleet_simulator() -> Iterator[Serve]:
    """Start exchanges: `freqfleet_simulator(seed_or_folder, at=..., **options of Simulator)`.

    With `at` (an instant, or text like 2024-08-05T12:00Z) time stands until it is moved; without it
    the exchange lives in real time.
    """
    from automation.core.clock import parse_instant  # noqa: PLC0415  keeps every pytest start quick
    from automation.simulator.server import running  # noqa: PLC0415
    from automation.simulator.sources import open_market  # noqa: PLC0415

    with ExitStack() as stack:

        def serve(
            source: int | str | Path = 1, *, at: datetime | str | None = None, **options: Any
        ) -> ServedExchange:
            if isinstance(at, str):
                at = parse_instant(at)
            options.setdefault("manual", at is not None)
            served = running(open_market(source), at=at, **options)
            return ServedExchange(*stack.enter_context(served))

        yield serve
