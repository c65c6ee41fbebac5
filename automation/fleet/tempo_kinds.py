"""The events of a market that runs faster than the clock.

Their own times, like those of all events, are real; what they carry says which market instant is
meant. Imported by `kinds`' readers through `fastforward`.
"""

from datetime import datetime

from automation.journal import Facts, define


class FastForwarded(Facts):
    """From here on a fleet lives in another time than the journal."""

    speed: float
    real_instant: datetime
    market_instant: datetime
    wanted_speed: float
    reason: str
    lag_s: float | None = None  # of the market


_SENTENCE = (
    "The market runs {speed:g} times as fast as the clock from {market_instant} on, which is "
    "{real_instant} in real time: {reason}"
)
define("market.fast_forward", FastForwarded, _SENTENCE)
define("market.speed_changed", FastForwarded, _SENTENCE)
