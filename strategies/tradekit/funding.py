"""What holding a perpetual is expected to cost, and which entries that leaves: pure functions.

Funding is paid by longs to shorts where the rate is positive, on the notional, at every settlement
(Binance: Introduction to Binance Futures Funding Rates). It is expected to go on as in the last
day: rates follow one another closely, and a day has the same sum whether it settles every eight
hours or every two. Where it is not known, both sides pay the assumed rate. Knows neither Freqtrade
nor where rates come from; called by `PackStrategy` for the columns and by the strategies' `entries`.
"""

from collections.abc import Sequence

import numpy as np

from tradekit.indicators import Columns, FloatArray
from tradekit.signals import Rule

DAY_S = 86_400
# Three settlements at three times Binance's base rate of 0.01 %.
ASSUMED_DAY_FRAC = 0.0009
# The better strategies earn about a tenth of R a trade: more funding than that eats the edge.
MOST_BURDEN_R = 0.1


def day_rate(opened_s: FloatArray, settled_s: FloatArray, rates: FloatArray) -> FloatArray:
    """Return the sum of the rates of the day up to each candle's opening, as a fraction of notional.

    `settled_s` (ascending) are the seconds of the settlements. Row t uses settlements with
    opened − 1 day < settled ≤ opened. NaN where there was none, or where one has no rate.
    """
    last = np.searchsorted(settled_s, opened_s, side="right")
    first = np.searchsorted(settled_s, opened_s - DAY_S, side="right")
    sums = np.concatenate(([0.0], np.cumsum(np.nan_to_num(rates))))
    gaps = np.concatenate(([0], np.cumsum(np.isnan(rates))))
    known = (last > first) & (gaps[last] == gaps[first])
    return np.where(known, sums[last] - sums[first], np.nan)


def expected_frac(day_frac: FloatArray, hours: float, is_short: bool) -> FloatArray:
    """Return the funding that a trade of `hours` is expected to pay, as a fraction of notional.

    Negative where it is received. Where `day_frac` is NaN, either side pays `ASSUMED_DAY_FRAC`.
    """
    side = -1.0 if is_short else 1.0
    return np.where(np.isnan(day_frac), ASSUMED_DAY_FRAC, side * day_frac) * (hours / 24.0)


def burden_r(
    day_frac: FloatArray, hours: float, stop_dist_frac: FloatArray, is_short: bool
) -> FloatArray:
    """Return the expected funding in R, the way to the stop; NaN where there is no stop."""
    known = np.where(stop_dist_frac > 0.0, stop_dist_frac, np.nan)
    return expected_frac(day_frac, hours, is_short) / known


def bearable(rules: Sequence[Rule], c: Columns) -> list[Rule]:
    """Return the entry `rules` without the rows on which funding would eat the edge.

    By the columns `funding_long_r` and `funding_short_r`; a NaN refuses.
    """
    allowed = {side: c[f"funding_{side}_r"] < MOST_BURDEN_R for side in ("long", "short")}
    return [rule._replace(holds=rule.holds & allowed[rule.side]) for rule in rules]
