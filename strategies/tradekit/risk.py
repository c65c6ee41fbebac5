"""Leverage by volatility, liquidation prices and where the stop stands.

Scalar functions use only what numba compiles unchanged; functions on columns take and return
float64 arrays, row by row, NaN in, NaN out. Called by the strategies' `columns` and by the
callbacks of `tradekit.base`. Tails of returns are `tails`', the drawdown ladder is `ladder`'s,
room beside open trades is `exposure`'s.
"""

import math

import numpy as np

from tradekit.indicators import FloatArray

# A stop that the price has already passed is put this far from the price: Freqtrade ignores 0.
STOP_AT_PRICE = 1e-6


def volatility_leverage_cap(
    volatility: FloatArray, target: float, highest_leverage: float
) -> FloatArray:
    """Return `target` / `volatility` per row, kept between 1 and `highest_leverage`.

    Both volatilities are fractions over the same horizon: leverage that scales every market to the
    same swing (Moreira and Muir 2017, Volatility-Managed Portfolios). No volatility at all is no
    knowledge: NaN.
    """
    known = np.where(volatility > 0.0, volatility, np.nan)
    return np.clip(target / known, 1.0, highest_leverage)


def calm_scale(fast: FloatArray, slow: FloatArray, lowest: float) -> FloatArray:
    """Return how much of the risk to take, in [`lowest`, 1]: slow over fast volatility.

    When the market moves more than it used to, each trade risks less.
    """
    known = np.where(fast > 0.0, fast, np.nan)
    return np.clip(slow / known, lowest, 1.0)


def stop_distance(range_frac: FloatArray, multiple: float, least: float, most: float) -> FloatArray:
    """Return `multiple` mean ranges as the stop's distance, kept between `least` and `most`."""
    known = np.where(range_frac > 0.0, range_frac, np.nan)
    return np.clip(multiple * known, least, most)


def safe_leverage_column(
    stop_dist_frac: FloatArray, maintenance_frac: float, margin_frac: float
) -> FloatArray:
    """Return `sizing.liquidation_safe_leverage` per row."""
    way = stop_dist_frac * (1.0 + maintenance_frac) / (1.0 - margin_frac)
    return 1.0 / (way + maintenance_frac)


def maintenance_bracket(
    notional: float, floors: FloatArray, rates: FloatArray, amounts: FloatArray
) -> tuple[float, float]:
    """Return the maintenance margin rate and amount of the bracket that holds `notional`.

    `floors` (ascending, the first 0) are the lowest notionals of the brackets, in the stake
    currency, as Binance's leverageBracket gives them (`notionalFloor`, `maintMarginRatio`, `cum`).
    """
    index = 0
    while index + 1 < len(floors) and notional >= floors[index + 1]:
        index += 1
    return float(rates[index]), float(amounts[index])


def var_scale(
    var_frac: FloatArray,
    budget_frac: float,
    stop_dist_frac: FloatArray,
    cost_frac: float,
    risk_frac: float,
) -> FloatArray:
    """Return how much of `risk_frac` a value-at-risk budget leaves, per row, at most 1.

    Of the stakes `sizing.risk_stake` and `sizing.var_stake` the smaller is the first one times
    this: (budget / VaR) · (stop + cost) / risk. So the budget acts through `risk_scale`.
    """
    known = np.where(var_frac > 0.0, var_frac, np.nan)
    return np.minimum(budget_frac / known * (stop_dist_frac + cost_frac) / risk_frac, 1.0)


def tier_leverage(notional: float, floors: FloatArray, leverages: FloatArray) -> float:
    """Return the highest leverage of the bracket that holds `notional` (`initialLeverage`)."""
    index = 0
    while index + 1 < len(floors) and notional >= floors[index + 1]:
        index += 1
    return float(leverages[index])


def leverage_cap(  # noqa: PLR0917
    volatility: float,
    target: float,
    regime_scale: float,
    tier: float,
    safe: float,
    highest: float,
) -> float:
    """Return the smallest of five caps: volatility × regime, tier, stop and the profile's; 0 in doubt.

    `target` / `volatility` as in `volatility_leverage_cap`, scaled by the regime (0 to 1); `tier`
    is the bracket's, `safe` `sizing.liquidation_safe_leverage`. Below 1 there is no leverage: 0.
    """
    if not (volatility > 0.0 and target > 0.0 and 0.0 < regime_scale <= 1.0):
        return 0.0
    if not (tier >= 1.0 and safe >= 1.0 and highest >= 1.0):
        return 0.0
    cap = min(target / volatility * regime_scale, tier, safe, highest)
    return max(cap, 1.0)


def liquidation_rate(  # noqa: PLR0917
    open_rate: float,
    amount: float,
    margin: float,
    maintenance_frac: float,
    maintenance_amount: float,
    is_short: bool,
) -> float:
    """Return the price at which an isolated position is liquidated, never below 0.

    (margin + maintenance_amount − side · amount · open) / (amount · (m − side)), side +1 long and
    −1 short (Binance: How to Calculate Liquidation Price of USDⓈ-M Futures Contracts).
    `amount` in coins > 0, `margin` and `maintenance_amount` in the stake currency.
    """
    side = -1.0 if is_short else 1.0
    rate = (margin + maintenance_amount - side * amount * open_rate) / (
        amount * (maintenance_frac - side)
    )
    return max(rate, 0.0)


def cross_liquidation_rate(  # noqa: PLR0917
    open_rate: float,
    amount: float,
    wallet: float,
    other_maintenance: float,
    other_profit: float,
    maintenance_frac: float,
    maintenance_amount: float,
    is_short: bool,
) -> float:
    """Return the price at which a position of a cross-margin account is liquidated, never below 0.

    The isolated formula with all that the account has as margin: WB − TMM₁ + UPNL₁ + cum, where
    `wallet` is WB, `other_maintenance` (TMM₁) and `other_profit` (UPNL₁) are the other contracts'
    maintenance margin and unrealised profit (Binance: How to Calculate Liquidation Price of
    USDⓈ-M Futures Contracts).
    """
    side = -1.0 if is_short else 1.0
    margin = wallet - other_maintenance + other_profit + maintenance_amount
    rate = (margin - side * amount * open_rate) / (amount * (maintenance_frac - side))
    return max(rate, 0.0)


def liquidation_distance(rate: float, liquidation: float, mean_range_frac: float) -> float:
    """Return how many mean true ranges (ATR) the liquidation is away from `rate`.

    `mean_range_frac` is the range as a fraction of the price; NaN where it is not positive.
    """
    if not (rate > 0.0 and mean_range_frac > 0.0):
        return math.nan
    return abs(rate - liquidation) / (rate * mean_range_frac)


def is_time_up(age_candles: float, limit_candles: float, profit_r: float, least_r: float) -> bool:
    """Tell whether a trade had its time: `limit_candles` old and not yet `least_r` R in profit.

    R is the way to the first stop. An unknown profit counts as none.
    """
    return age_candles >= limit_candles and not profit_r >= least_r


def marked_profit(  # noqa: PLR0917
    amount: float,
    open_rate: float,
    mark_rate: float,
    fee_frac: float,
    funding: float,
    is_short: bool,
) -> float:
    """Return what an open trade would bring if it were closed at `mark_rate`, in the stake currency.

    Fees of both sides are taken off, `funding` (positive: received) is added. In plain floats:
    the ladder needs the account's worth, not the last digit of a trade's.
    """
    side = -1.0 if is_short else 1.0
    fees = fee_frac * amount * (open_rate + mark_rate)
    return side * amount * (mark_rate - open_rate) - fees + funding


def stop_margin_frac(open_rate: float, stop: float, liquidation: float) -> float:
    """Return which part of the way from entry to liquidation lies behind the stop.

    1 is a stop at the entry, 0 one at the liquidation, negative one beyond it.
    """
    return 1.0 - abs(open_rate - stop) / abs(open_rate - liquidation)


def stop_rate(  # noqa: PLR0917
    open_rate: float,
    best_rate: float,
    stop_dist_frac: float,
    trail_after_r: float,
    trail_dist_r: float,
    is_short: bool,
) -> float:
    """Return where the stop stands: fixed by the entry, then behind the best price once it paid.

    R is `open_rate` · `stop_dist_frac`. From a best price of `trail_after_r` R in profit on, the
    stop follows `trail_dist_r` R behind it; `trail_after_r` infinite means it never does. The
    caller ratchets: a new stop counts only where it is tighter.
    """
    side = -1.0 if is_short else 1.0
    one_r = open_rate * stop_dist_frac
    stop = open_rate - side * one_r
    if side * (best_rate - open_rate) < trail_after_r * one_r:
        return stop
    trailed = best_rate - side * trail_dist_r * one_r
    return max(stop, trailed) if side > 0.0 else min(stop, trailed)


def is_tighter(stop: float, than: float, is_short: bool) -> bool:
    """Tell whether `stop` gives back less than the stop `than` does; never with a NaN."""
    return stop < than if is_short else stop > than


def relative_stop(stop: float, current_rate: float, leverage: float, is_short: bool) -> float:
    """Return `stop` as Freqtrade's custom_stoploss wants it: distance from the price × leverage.

    A stop the price has already passed stands at the price, so that the trade is left at once.
    """
    side = -1.0 if is_short else 1.0
    distance = side * (1.0 - stop / current_rate)
    return max(distance, STOP_AT_PRICE) * leverage
