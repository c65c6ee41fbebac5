"""PackStrategy's callbacks over columns: the same functions of `tradekit`, called in the same order.

`capability.PACK_FORM` is the fingerprint of the callbacks as they are mirrored here; a change of
`tradekit.base` must be taken over here and the fingerprint renewed, until then the engine leaves
such strategies to Freqtrade. `stop`, `cap` and `scale` are the risk columns of the signal candle;
`r` is the RULES, `t` a POSITION.
"""

from automation.worker.kernel.compiled import compiled
from automation.worker.kernel.layout import Record
from tradekit import risk, sizing


@compiled
def policy_leverage(r: Record, stop: float, cap: float, most: float) -> float:
    """Return what PackStrategy.leverage answers; `most` is the tier's."""
    safe = sizing.liquidation_safe_leverage(
        stop, sizing.maintenance_bound(most), r["liquidation_margin_frac"]
    )
    return max(sizing.entry_leverage(cap, most, safe), 1.0)


@compiled
def policy_stake(
    r: Record,
    columns: tuple[float, float, float],
    equity: float,
    leverage: float,
    limits: tuple[float, float, float],
) -> float:
    """Return what PackStrategy.custom_stake_amount answers; `limits`: proposed, least, most."""
    stop, cap, scale = columns
    safe = sizing.liquidation_safe_leverage(
        stop, r["assumed_maintenance_frac"], r["liquidation_margin_frac"]
    )
    if not (leverage <= cap and leverage <= safe):
        return 0.0
    wanted = sizing.risk_stake(
        equity, r["risk_per_trade_frac"] * scale, stop, r["cost_frac"], leverage
    )
    return sizing.entry_stake(wanted, limits[0], limits[1], limits[2])


@compiled
def policy_confirms(stop: float, cap: float, scale: float) -> bool:
    """Return what PackStrategy.confirm_trade_entry answers for a positive amount and rate."""
    return stop > 0.0 and cap >= 1.0 and scale > 0.0


@compiled
def policy_stop(r: Record, t: Record, rate: float, opened: float) -> float:
    """Return what PackStrategy.custom_stoploss answers at `rate`; 0 where it answers None."""
    short = bool(t["is_short"])
    stop = risk.stop_rate(
        opened, rate, t["stop_dist"], r["trail_after_r"], r["trail_dist_r"], short
    )
    if not risk.is_tighter(stop, t["stop"], short):
        return 0.0
    return risk.relative_stop(stop, rate, t["leverage"], short)
