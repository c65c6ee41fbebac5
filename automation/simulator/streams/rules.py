"""Binance's limits on websocket connections, all of which a test may change.

Called by `hub`, `connection` and `endpoint`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How long connections live and how much they may ask for."""

    ping_every_s: float = 180.0
    pong_within_s: float = 600.0
    longest_s: float = 24 * 3600.0
    """A connection is closed after this long."""
    requests_per_s: float = 10.0
    request_burst: int = 50
    """Requests let through at once. Binance names only the rate; ccxt without its own throttle
    (`enableRateLimit` off) subscribes to every pair in the same second."""
    most_streams: int = 1024
    most_unsent_bytes: int = 4 * 1024 * 1024
    """A client that leaves more than this unread is disconnected."""
    largest_request_bytes: int = 128 * 1024
