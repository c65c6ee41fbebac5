"""The thresholds of the ladder and of the remedies, in one place, with their reasons.

Times that the loop itself runs by stand in `fleet.timing`. Tests make these shorter; nothing else
changes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from automation.core.vitals import Rung


def _confirm_s() -> Mapping[Rung, float]:
    # The other rungs carry their patience in the threshold itself.
    return {Rung.EXCHANGE: 5.0, Rung.RESOURCES: 30.0}


@dataclass(frozen=True, slots=True)
class Limits:
    """Every threshold, with its unit."""

    warmup_s: float = 120.0  # the first candles of twelve pairs on two busy cores
    log_window_s: float = 300.0  # what the log said before is history
    exchange_errors: int = 3  # network errors in the window; one alone is the internet
    exchange_fresh_s: float = 60.0  # after this long without one the exchange answers again
    ban_s: float = 120.0  # how long a ban is believed that names no end
    clock_off_s: float = 2.0  # Binance refuses beyond its receive window, Freqtrade warns at 1.5 s
    log_errors: int = 20  # in the window
    order_grace_s: float = 120.0  # over the bot's own time-out, for it looks once a loop
    order_limit_s: float = 1200.0  # where the bot does not tell its own
    stop_grace_s: float = 60.0  # from the first fill on
    stop_looks: int = 2  # a trailing stop is cancelled and placed anew between two looks
    stop_asked_s: float = 90.0  # after so long without an answer the exchange's word is history
    memory_frac: float = 0.95  # of the limit
    files_frac: float = 0.9
    disk_free_bytes: int = 200_000_000  # below this databases and journal are in danger
    confirm_s: Mapping[Rung, float] = field(default_factory=_confirm_s)

    flap_window_s: float = 600.0
    flaps: int = 4  # turns within the window from which on health must last to be believed
    flap_base_s: float = 30.0  # … this long, and twice that for each further turn
    flap_cap_s: float = 300.0

    works_within_s: float = 60.0  # the time a reload or stopped entries have to help
    restart_works_within_s: float = 180.0  # a restart includes the start and the warm-up
    order_wait_s: float = 120.0  # an order in flight puts a remedy off, but not for longer
    quarantine_after: int = 8  # failures in a row, about a quarter of an hour
    quarantine_retry_s: float = 900.0  # a quarantined bot with open trades is still tried
    budget_window_s: float = 600.0
    budget_least: int = 6  # restarts for failures in the window, whatever the fleet's size
    budget_per_bot: float = 2.0
    stagger_s: float = 1.0  # between two restarts for failures
    restarts_per_minute: int = 8  # a start costs an address about 100 of its 2400 a minute
    breaker_clear_s: float = 30.0  # without evidence, before a dependency is tried again
    trial_s: float = 30.0  # as long one bot at a time may try


DEFAULT_LIMITS = Limits()
