"""How much to stake and with how much leverage: pure functions of numbers.

They know neither Freqtrade nor candles, call no function of their own and use only what numba
compiles unchanged: the bot's callbacks and a compiled backtest call the very same functions. They
fail closed: a NaN, an infinity or a number out of range gives 0, which means no entry. Only
`binding_constraint` is for reading, not for compiling.
"""

import math
from collections.abc import Mapping


def risk_stake(
    equity: float, risk_frac: float, stop_dist_frac: float, cost_frac: float, leverage: float
) -> float:
    """Return the stake that loses `risk_frac` of `equity` when the stop is hit.

    The loss of one unit of notional is the way to the stop plus `cost_frac`, the cost of coming
    and going (fees, slippage) as a fraction of notional; stake = notional / leverage. Money in
    the stake currency. Fixed fractional sizing (Vince 1990, Portfolio Management Formulas).
    """
    if not (equity > 0.0 and risk_frac > 0.0 and stop_dist_frac > 0.0 and cost_frac >= 0.0):
        return 0.0
    if not (leverage >= 1.0 and math.isfinite(equity * risk_frac * leverage)):
        return 0.0
    stake = equity * risk_frac / ((stop_dist_frac + cost_frac) * leverage)
    return stake if math.isfinite(stake) else 0.0


def liquidation_safe_leverage(
    stop_dist_frac: float, maintenance_frac: float, margin_frac: float
) -> float:
    """Return the highest leverage whose liquidation lies beyond the stop by a margin.

    With isolated margin the position is liquidated (1/L − m) / (1 + m) away from the entry on a
    short and slightly farther on a long, m the maintenance margin rate (Binance: liquidation price
    of USDT-M futures). The stop may use up (1 − `margin_frac`) of that way, so
    L = 1 / (s · (1 + m) / (1 − margin) + m). Below 1 there is no such leverage: 0.
    """
    if not (stop_dist_frac > 0.0 and maintenance_frac >= 0.0 and 0.0 <= margin_frac < 1.0):
        return 0.0
    leverage = 1.0 / (
        stop_dist_frac * (1.0 + maintenance_frac) / (1.0 - margin_frac) + maintenance_frac
    )
    return leverage if leverage >= 1.0 else 0.0


def maintenance_bound(max_leverage: float) -> float:
    """Return a maintenance margin rate that no bracket of `max_leverage` exceeds; NaN below 1.

    A bracket's maintenance rate is below its initial margin rate, 1 / `max_leverage`.
    """
    return 1.0 / max_leverage if max_leverage >= 1.0 else math.nan


def entry_leverage(leverage_cap: float, max_leverage: float, safe_leverage: float) -> float:
    """Return the smallest of the candle's, the exchange's and the stop's cap; 0 if one is below 1.

    Rounded down to a whole number, the only leverage Binance takes: Freqtrade would floor it for
    the exchange but book the fraction, and then count on less margin than is bound.
    """
    if not (leverage_cap >= 1.0 and max_leverage >= 1.0 and safe_leverage >= 1.0):
        return 0.0
    if leverage_cap == math.inf and max_leverage == math.inf and safe_leverage == math.inf:
        return 0.0
    return float(math.floor(min(leverage_cap, max_leverage, safe_leverage)))


def entry_stake(
    wanted_stake: float, proposed_stake: float, min_stake: float, max_stake: float
) -> float:
    """Return the smallest of the wanted, proposed and highest stake, or 0 below the exchange's minimum.

    A stake is never raised to the minimum: that would risk more than was wanted.
    """
    if not (wanted_stake > 0.0 and proposed_stake > 0.0 and max_stake > 0.0 and min_stake >= 0.0):
        return 0.0
    stake = min(wanted_stake, proposed_stake, max_stake)
    return stake if stake >= min_stake and math.isfinite(stake) else 0.0


def kelly_frac(win_frac: float, payoff: float, trades: float, prior_trades: float) -> float:
    """Return the part of equity to risk a trade by Kelly's rule, shrunk where the sample is small.

    f = p − (1 − p) / b with p the part of winning trades and b the mean win over the mean loss
    (Kelly 1956, A New Interpretation of Information Rate; Thorp 2006, eq. 5). The estimate counts
    n / (n + `prior_trades`), the prior being no edge at all. Without an edge, or not knowing: 0.
    """
    if not (0.0 <= win_frac <= 1.0 and payoff > 0.0 and trades > 0.0 and prior_trades >= 0.0):
        return 0.0
    if not (math.isfinite(trades) and math.isfinite(prior_trades)):
        return 0.0
    edge = win_frac - (1.0 - win_frac) / payoff
    return max(edge, 0.0) * trades / (trades + prior_trades)


def kelly_stake(  # noqa: PLR0917
    equity: float,
    kelly: float,
    part: float,
    scale: float,
    stop_dist_frac: float,
    cost_frac: float,
    leverage: float,
) -> float:
    """Return the stake whose loss at the stop is `part` · `scale` of what Kelly would risk.

    `part` is the fraction of Kelly (a quarter to a half; MacLean, Thorp and Ziemba 2010), `scale`
    what the regime leaves of it. Money in the stake currency.
    """
    if not (0.0 < kelly <= 1.0 and 0.0 < part <= 1.0 and 0.0 < scale <= 1.0):
        return 0.0
    if not (equity > 0.0 and stop_dist_frac > 0.0 and cost_frac >= 0.0 and leverage >= 1.0):
        return 0.0
    stake = equity * kelly * part * scale / ((stop_dist_frac + cost_frac) * leverage)
    return stake if math.isfinite(stake) else 0.0


def var_stake(equity: float, budget_frac: float, var_frac: float, leverage: float) -> float:
    """Return the stake whose notional has a value at risk of `budget_frac` of `equity`.

    `var_frac` is the value at risk of one unit of notional, over the same horizon as the budget.
    """
    if not (equity > 0.0 and budget_frac > 0.0 and var_frac > 0.0 and leverage >= 1.0):
        return 0.0
    stake = equity * budget_frac / (var_frac * leverage)
    return stake if math.isfinite(stake) else 0.0


def capped_stake(wanted_stake: float, exposure_stake: float, correlation_stake: float) -> float:
    """Return the smallest of what the trade wants and what the open trades leave room for."""
    if not (wanted_stake > 0.0 and exposure_stake > 0.0 and correlation_stake > 0.0):
        return 0.0
    return min(wanted_stake, exposure_stake, correlation_stake)


def binding_constraint(stakes: Mapping[str, float], min_stake: float) -> tuple[str, float]:
    """Return which of the named `stakes` is the smallest, and the stake it leaves.

    The first one named wins a tie. A NaN or a stake that is not positive binds at 0; a smallest
    stake below the exchange's minimum is refused under the name `exchange minimum`.
    """
    name, least = "nothing", math.inf
    for candidate, stake in stakes.items():
        worth = max(0.0, stake)
        if worth < least:
            name, least = candidate, worth
    if not math.isfinite(least):
        return name, 0.0
    if 0.0 < least < min_stake:
        return "exchange minimum", 0.0
    return name, least
