"""The times that supervision runs by, in one place, with their reasons.

Tests make them shorter; nothing else changes them.
"""

from dataclasses import dataclass, field

from automation.core.seams import Patience
from automation.fleet.ladder.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class Timing:
    """Every interval and limit of the loop, in seconds."""

    tick_s: float = 1.0  # a death is noticed at once through its pidfd, else within a tick
    poll_s: float = 5.0  # Freqtrade itself loops every five seconds
    eager_poll_s: float = 0.5  # while a unit is not healthy yet
    detail_s: float = 15.0  # profit, balance, closed trades: heavier on the bot's database
    request_s: float = 5.0  # one request to a unit's API
    exchange_s: float = 20.0  # between two looks at the exchange itself, of weight 10 each
    gauge_s: float = 60.0  # what moves is written down at most so often
    stop_grace_s: float = 60.0  # a stop is placed in the loop after the fill, or once more
    differs_after_s: float = 30.0  # two looks in a row: between two answers a trade may close
    stuck_after_s: float = 900.0  # Freqtrade itself gives an order up after ten minutes

    startup_s: float = 90.0  # a bare Freqtrade answers after 3 s, twelve on two cores after 40 s
    slow_s: float = 12.0  # without an answer a bot is degraded
    silent_s: float = 30.0  # unhealthy
    hung_s: float = 60.0  # restarted
    loop_late_s: float = 120.0  # Freqtrade waits 30 s after an exchange error, so not less
    loop_dead_s: float = 300.0
    candles_late: float = 3.0  # in candles
    candle_grace_s: float = 60.0

    restart_base_s: float = 10.0  # the second failure waits so long, each further one twice that
    restart_cap_s: float = 300.0
    healthy_again_s: float = 600.0  # then the next failure counts as the first

    limits: Limits = DEFAULT_LIMITS  # of the ladder's upper rungs and of the remedies
    patience: Patience = field(default=Patience())
    hasty: Patience = field(default=Patience(interrupt_s=2.0, terminate_s=1.0, kill_s=3.0))


DEFAULT_TIMING = Timing()
