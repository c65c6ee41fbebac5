"""How wide the spread and how deep the book is, from what was traded in the last hour.

Decides two numbers per symbol and minute: the spread in ticks and the mean size of a price level.
Refuses to know single levels and the clock. Called by `ladder`; causal: closed candles only.

Spread: proportional to the volatility per trade (Wyart, Bouchaud, Kockelkoren, Potters, Vettorazzo
2008, Relation between bid-ask spread, impact and volatility in order-driven markets). Volatility:
Parkinson 1980, from highs and lows. Depth: between the touch and one minute's volatility away
there rests a fixed share of one minute's volume, so books thin out when prices run.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from automation.simulator.candles import CLOSE, HIGH, LOW, VOLUME
from automation.simulator.kline import USUAL_TRADE_USDT
from automation.simulator.tape import Tape
from automation.simulator.timeframes import HOUR_MS, MINUTE_MS

_SPREAD_PER_VOLATILITY = 0.5
_SHARE_WITHIN_A_MINUTES_MOVE = 0.5
_SMALLEST_MOVE = 1e-5  # per minute: where nothing moved there is still a book
_GRADES_PER_E = 8.0  # sizes are graded, so that a new minute leaves most levels as they are
_WIDEST_SPREAD = 0.002  # of the price


@dataclass(frozen=True, slots=True)
class Liquidity:
    """State of a book: spread in ticks (at least 1), mean size of a level in quantity steps."""

    spread_ticks: int
    level_steps: float


@lru_cache(maxsize=4096)
def liquidity(tape: Tape, minute: int) -> Liquidity:
    """Measure the hour before the start of a minute (counted from the epoch)."""
    until_ms = minute * MINUTE_MS
    rows, length_ms = tape.recent(until_ms - 1, HOUR_MS)
    closed = rows.open_ms + length_ms <= until_ms
    values = rows.values[closed & ~np.isnan(rows.values[:, CLOSE])]
    rules = tape.instrument.rules
    tick, step = float(rules.tick), float(rules.step)
    price = float(values[-1, CLOSE]) if len(values) else tape.price(until_ms)
    minutes = max(len(values) * length_ms / MINUTE_MS, 1.0)
    volume = float(values[:, VOLUME].sum()) / minutes
    move = max(_volatility(values, length_ms), _SMALLEST_MOVE)
    trades = max(volume * price / USUAL_TRADE_USDT, 1.0)
    spread = min(_SPREAD_PER_VOLATILITY * move / math.sqrt(trades), _WIDEST_SPREAD)
    levels = max(move * price / tick, 1.0)
    size = _SHARE_WITHIN_A_MINUTES_MOVE * volume / levels / step
    graded = math.exp(round(math.log(max(size, 1.0)) * _GRADES_PER_E) / _GRADES_PER_E)
    return Liquidity(max(round(spread * price / tick), 1), graded)


def _volatility(values: np.ndarray, length_ms: int) -> float:
    """Standard deviation of the log price over one minute, from the candles' ranges."""
    if not len(values):
        return 0.0
    ranges = np.log(values[:, HIGH] / values[:, LOW])
    per_candle = float(np.mean(ranges**2)) / (4 * math.log(2))
    return math.sqrt(per_candle * MINUTE_MS / length_ms)
