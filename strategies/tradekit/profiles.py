"""The risk profiles: conservative, moderate, aggressive. Numbers only; decides nothing.

A bot's profile is the key `freqfleet.profile` of its Freqtrade configuration, which `freqfleet up`
writes from `fleet.yaml`; without it the profile is moderate. Read by `PackStrategy`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Profile(NamedTuple):
    """Limits of one bot. Fractions of equity; `highest_leverage` and `exposure_cap` are multiples.

    `drawdown_frac` from the peak and `daily_loss_frac` from the day's start (UTC) drive the ladder:
    entries stop at three quarters, everything is closed at the limit. `open_risk_frac` is what all
    open trades may lose together at their stops, `var_frac` the one-day value at risk (99 %) of one
    trade.
    """

    name: str
    drawdown_frac: float
    daily_loss_frac: float
    highest_leverage: float
    risk_per_trade_frac: float
    open_risk_frac: float
    exposure_cap: float
    var_frac: float


CONSERVATIVE = Profile("conservative", 0.05, 0.01, 3.0, 0.0025, 0.0075, 2.0, 0.01)
MODERATE = Profile("moderate", 0.10, 0.02, 5.0, 0.005, 0.015, 3.0, 0.02)
AGGRESSIVE = Profile("aggressive", 0.20, 0.04, 10.0, 0.01, 0.03, 6.0, 0.04)
PROFILES: Mapping[str, Profile] = {p.name: p for p in (CONSERVATIVE, MODERATE, AGGRESSIVE)}


def profile_of(config: Mapping[str, Any]) -> Profile:
    """Return the profile that a bot's configuration names; moderate where it names none.

    Raises ValueError for a name that is not one of the three.
    """
    section = config.get("freqfleet") or {}
    name = section.get("profile", MODERATE.name)
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise ValueError(f"freqfleet.profile is {name!r}; it must be one of {known}")
    return PROFILES[name]
