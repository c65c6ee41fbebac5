"""Entry prices, slices of large stakes, and guards by the order book: pure functions of numbers.

Scalar functions use only what numba compiles unchanged; functions on a book take float64 arrays,
best price first. They know neither Freqtrade nor an exchange. Called by `PackStrategy`.
"""

import math

import numpy as np

from tradekit.indicators import FloatArray


def entry_rate(
    proposed_rate: float, signal_rate: float, budget_frac: float, is_short: bool
) -> float:
    """Return the limit of an entry: the proposed rate, but no worse than the slippage budget allows.

    `signal_rate` is the price that the decision was made at. A long pays at most
    signal · (1 + budget), a short takes at least signal · (1 − budget). Without a known signal
    rate the proposed one stands; confirming the entry is another's task.
    """
    if not (signal_rate > 0.0 and budget_frac >= 0.0):
        return proposed_rate
    if is_short:
        return max(proposed_rate, signal_rate * (1.0 - budget_frac))
    return min(proposed_rate, signal_rate * (1.0 + budget_frac))


def is_within_budget(rate: float, signal_rate: float, budget_frac: float, is_short: bool) -> bool:
    """Tell whether `rate` is no worse than the slippage budget allows; never with a NaN."""
    if not (rate > 0.0 and signal_rate > 0.0 and budget_frac >= 0.0):
        return False
    worse = (signal_rate - rate) if is_short else (rate - signal_rate)
    return worse <= budget_frac * signal_rate


def slice_count(notional: float, quote_volume: float, participation: float, most: float) -> float:
    """Return into how many slices an entry is cut: as many as keep each below the participation.

    `quote_volume` is the volume of one candle in the stake currency, `participation` the part of it
    that one slice may be (Almgren and Chriss 2001: impact grows with the rate of trading). At
    least 1, at most `most`; `most` where the volume is not known.
    """
    if not most >= 1.0:
        return 1.0
    if not (quote_volume > 0.0 and participation > 0.0 and notional >= 0.0):
        return float(math.floor(most))
    parts = math.ceil(notional / (participation * quote_volume))
    return float(min(max(parts, 1), math.floor(most)))


def next_slice(  # noqa: PLR0917
    planned_stake: float,
    filled_stake: float,
    most: float,
    quote_volume: float,
    participation: float,
    leverage: float,
    min_stake: float,
) -> float:
    """Return the stake of the next slice, 0 when the plan is filled.

    By volume: `participation` of what a candle trades. By time: never less than the planned stake
    over `most` slices, so that it ends. A rest below the exchange's minimum is left out.
    """
    if not (planned_stake > 0.0 and filled_stake >= 0.0 and most >= 1.0 and leverage >= 1.0):
        return 0.0
    rest = planned_stake - filled_stake
    stake = max(planned_stake / most, min_stake)
    if quote_volume > 0.0 and participation > 0.0:
        stake = max(stake, participation * quote_volume / leverage)
    if rest - stake < min_stake:
        stake = rest  # the last slice takes what would be too small to follow
    stake = min(stake, rest)
    return stake if stake >= min_stake and stake > 0.0 else 0.0


def book_rate(prices: FloatArray, sizes: FloatArray, amount: float) -> float:
    """Return the mean price at which `amount` coins are filled by one side of a book.

    NaN where the book is empty, too thin, or not a book.
    """
    if not len(prices) or len(prices) != len(sizes) or not amount > 0.0:
        return math.nan
    before = np.concatenate(([0.0], np.cumsum(sizes)[:-1]))
    taken = np.clip(amount - before, 0.0, sizes)
    if not float(np.sum(taken)) >= amount * (1.0 - 1e-9):
        return math.nan
    return float(np.sum(taken * prices) / amount)


def spread_frac(best_bid: float, best_ask: float) -> float:
    """Return the spread over the middle price; NaN where there is none or the book is crossed."""
    if not (best_bid > 0.0 and best_ask >= best_bid):
        return math.nan
    return 2.0 * (best_ask - best_bid) / (best_ask + best_bid)
