"""Freqtrade's protections as the strategies of the pack use them, by their lengths in candles.

Only names Freqtrade's settings shortly (freqtrade/plugins/protections); each strategy chooses its
own lengths. Called by the strategies' `protections`.
"""

Guard = dict[str, object]


def cooldown(candles: int) -> Guard:
    """Return the pause of a pair after each exit."""
    return {"method": "CooldownPeriod", "stop_duration_candles": candles}


def stops(limit: int, within: int, pause: int) -> Guard:
    """Return the pause of all pairs after `limit` stops on any of them `within` so many candles."""
    return {
        "method": "StoplossGuard",
        "lookback_period_candles": within,
        "trade_limit": limit,
        "stop_duration_candles": pause,
        "only_per_pair": False,
    }


def deep_drawdown(frac: float, least_trades: int, within: int, pause: int) -> Guard:
    """Return the pause of all pairs after a drawdown of `frac` over the trades of `within` candles."""
    return {
        "method": "MaxDrawdown",
        "lookback_period_candles": within,
        "trade_limit": least_trades,
        "stop_duration_candles": pause,
        "max_allowed_drawdown": frac,
    }
