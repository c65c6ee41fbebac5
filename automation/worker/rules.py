"""Reads strategy and configuration into the numbers the kernel runs by.

Decides nothing; what cannot be a number here is refused by `capability` first. Called by `engine`
before every run, after the parameters are set.
"""

import math
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from freqtrade.enums import MarginMode
from freqtrade.plugins.protections.cooldown_period import CooldownPeriod
from freqtrade.plugins.protections.iprotection import IProtection
from freqtrade.plugins.protections.low_profit_pairs import LowProfitPairs
from freqtrade.plugins.protections.max_drawdown_protection import MaxDrawdown
from freqtrade.plugins.protections.stoploss_guard import StoplossGuard

from automation.worker.capability import is_pack
from automation.worker.kernel.layout import (
    COOLDOWN,
    GUARD,
    LOW_PROFIT,
    MAX_DRAWDOWN,
    RULES,
    STOPLOSS_GUARD,
    Floats,
    Ints,
    Records,
)

# Python's sum() of floats keeps a correction term from 3.12 on (gh-100425).
COMPENSATED_SUM = sys.version_info >= (3, 12)
_KINDS: dict[str, tuple[int, Callable[..., IProtection]]] = {
    "CooldownPeriod": (COOLDOWN, CooldownPeriod),
    "StoplossGuard": (STOPLOSS_GUARD, StoplossGuard),
    "MaxDrawdown": (MAX_DRAWDOWN, MaxDrawdown),
    "LowProfitPairs": (LOW_PROFIT, LowProfitPairs),
}


def make_rules(bt: Any, clock: tuple[int, int, int]) -> Records:
    """Read the rules of a backtest from Freqtrade's objects as they are now."""
    strategy, config = bt.strategy, bt.config
    fields: dict[str, float | bool] = {
        **dict(zip(("start_s", "candle_s", "funding_s"), clock, strict=True)),
        **_money(config),
        "fee": bt.fee,
        "max_open_trades": strategy.max_open_trades,
        "is_cross": bt.margin_mode == MarginMode.CROSS,
        "can_short": bt._can_short,
        "limit_entry": strategy.order_types["entry"] == "limit",
        "limit_exit": strategy.order_types["exit"] == "limit",
        "entry_timeout_s": _timeout_s(config, "entry"),
        "exit_timeout_s": _timeout_s(config, "exit"),
        **_stops(strategy),
        "use_exit_signal": strategy.use_exit_signal,
        "exit_profit_only": strategy.exit_profit_only,
        "exit_profit_offset": strategy.exit_profit_offset,
        "ignore_roi_beside_entry": strategy.ignore_roi_if_entry_signal,
        **_pack(strategy),
        "compensated_sum": COMPENSATED_SUM,
    }
    return _records(RULES, [fields])


def make_roi(strategy: Any) -> tuple[Ints, Floats]:
    """Return the ROI table's minutes, ascending, and profits."""
    roi = sorted((int(minutes), float(part)) for minutes, part in strategy.minimal_roi.items())
    return (
        np.array([minutes for minutes, _ in roi], dtype=np.int64),
        np.array([part for _, part in roi], dtype=np.float64),
    )


def _records(kind: np.dtype[np.void], rows: list[dict[str, Any]]) -> Records:
    """Write one record a row; every field must be named."""
    made = np.zeros(len(rows), dtype=kind)
    for name in kind.names or ():
        made[name] = [row[name] for row in rows]
    return made


def _money(config: dict[str, Any]) -> dict[str, float | bool]:
    stake = config["stake_amount"]
    return {
        "start_balance": float(config["dry_run_wallet"]),
        "tradable_frac": float(config["tradable_balance_ratio"]),
        "stake": math.nan if stake == "unlimited" else float(stake),
        "amend_last_stake": bool(config["amend_last_stake_amount"]),
        "last_stake_frac": float(config["last_stake_amount_min_ratio"]),
        "amount_reserve_frac": float(config.get("amount_reserve_percent", 0.05)),
        "liquidation_buffer": float(config.get("liquidation_buffer", 0.05)),
    }


def _timeout_s(config: dict[str, Any], side: str) -> float:
    timeouts = config.get("unfilledtimeout", {})
    if timeouts.get(side) is None:
        return math.inf
    return timedelta(**{timeouts.get("unit", "minutes"): timeouts[side]}).total_seconds()


def _stops(strategy: Any) -> dict[str, float | bool]:
    positive = strategy.trailing_stop_positive
    return {
        "stoploss": float(strategy.stoploss),
        "uses_custom_stop": bool(strategy.use_custom_stoploss),
        "asks_stop_at_fill": bool(strategy._ft_stop_uses_after_fill),
        "trailing_stop": bool(strategy.trailing_stop),
        "trailing_positive": math.nan if positive is None else float(positive),
        "trailing_offset": float(strategy.trailing_stop_positive_offset),
        "trailing_only_offset": bool(strategy.trailing_only_offset_is_reached),
    }


def _pack(strategy: Any) -> dict[str, float | bool]:
    names = (
        "risk_per_trade_frac",
        "cost_frac",
        "liquidation_margin_frac",
        "assumed_maintenance_frac",
        "slice_participation",
        "most_slices",
        "trail_after_r",
        "trail_dist_r",
        "time_stop_candles",
        "time_stop_least_r",
        "slippage_budget_frac",
        "assumed_correlation",
    )
    limits = ("drawdown_frac", "daily_loss_frac", "open_risk_frac", "exposure_cap")
    pack = is_pack(strategy)
    profile = strategy.profile if pack else None
    return {
        "pack": pack,
        "pack_stop": pack and bool(strategy.use_custom_stoploss),
        "slices": pack and bool(strategy.position_adjustment_enable),
        "most_entries": int(strategy.max_entry_position_adjustment),
        **{name: float(getattr(strategy, name, math.nan)) for name in names},
        **{name: float(getattr(profile, name, math.nan)) for name in limits},
    }


def make_guards(bt: Any, protections: Sequence[dict[str, Any]]) -> Records:
    """Read the protections through Freqtrade's own classes; all must be known to `capability`."""
    rows = []
    for entry in protections:
        kind, make = _KINDS[entry["method"]]
        rows.append({"kind": kind, **_guard(bt, make(bt.config, entry))})
    return _records(GUARD, rows)


def _guard(bt: Any, guard: Any) -> dict[str, Any]:
    return {
        "lookback_s": guard._lookback_period * 60,
        "stop_s": guard._stop_duration * 60,
        "unlock_s": _seconds_of_day(guard._unlock_at),
        "trade_limit": getattr(guard, "_trade_limit", 1),
        "per_pair_only": getattr(guard, "_disable_global_stop", False),
        "per_side": getattr(guard, "_only_per_side", False),
        "profit_limit": _profit_limit(guard),
        "drawdown_limit": getattr(guard, "_max_allowed_drawdown", 0.0),
        "by_equity": getattr(guard, "_calculation_mode", "") == "equity",
        "start_balance": bt.starting_balance,
        "compensated_sum": COMPENSATED_SUM,
    }


def _profit_limit(guard: Any) -> float:
    return float(getattr(guard, "_profit_limit", getattr(guard, "_required_profit", 0.0)))


def _seconds_of_day(text: str | None) -> int:
    if text is None:
        return -1
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60
