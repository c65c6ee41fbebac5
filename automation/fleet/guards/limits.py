"""What each guard allows, for one bot or for the fleet, as the fleet file says and leaves unsaid.

A bot whose risk profile is named in the fleet file is guarded by that profile's drawdown and daily
loss, a bot without one by 15 % and no daily limit; what `guards` says comes before both. The fleet as
a whole is guarded by its own `guards` alone, the drawdown by 15 % unless they say otherwise.
"""

from automation.core.config import Bot, Fleet, Guards
from automation.fleet.guards.judge import Limits
from tradekit.profiles import PROFILES

DRAWDOWN_FRAC = 0.15


def limits_of(bot: Bot) -> Limits:
    """Tell what guards one bot."""
    profile = PROFILES[str(bot.profile)] if "profile" in bot.model_fields_set else None
    if profile is None:
        return _limits(bot.guards, DRAWDOWN_FRAC, 0.0)
    return _limits(bot.guards, profile.drawdown_frac, profile.daily_loss_frac)


def limits_of_all(fleet: Fleet) -> Limits:
    """Tell what guards the fleet as a whole."""
    return _limits(fleet.guards, DRAWDOWN_FRAC, 0.0)


def _limits(said: Guards, drawdown_frac: float, daily_loss_frac: float) -> Limits:
    targets = said.targets
    return Limits(
        drawdown_frac=drawdown_frac if said.drawdown_frac is None else said.drawdown_frac,
        daily_loss_frac=daily_loss_frac if said.daily_loss_frac is None else said.daily_loss_frac,
        losing_streak=said.losing_streak,
        pause_s=said.pause_h * 3600.0,
        trades=targets.trades if targets else 0,
        sharpe=targets.sharpe if targets else None,
        win_rate_frac=targets.win_rate_frac if targets else None,
        profit_factor=targets.profit_factor if targets else None,
    )
