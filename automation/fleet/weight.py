"""Estimates the request weight that a fleet puts on one address, against the exchange's limit.

From the exchange's rules for USDT-M futures: klines cost 1 up to 99 candles, 2 up to 499, 5 up to
1000 and 10 beyond; an address has 2400 a minute, and going on after a 429 earns a ban. Freqtrade
asks for 499 candles at a time, per pair and time frame once a candle, and for the order book of
what it trades. Pure; called by `doctor`.
"""

from dataclasses import dataclass

LIMIT_PER_MINUTE = 2400
KLINES_WEIGHT = 2
KLINES_PER_CALL = 499
DEPTH_WEIGHT = 2
MARKETS_WEIGHT = 1 + 40 + 5  # exchangeInfo, all tickers, balances and positions
LOOP_S = 5.0


@dataclass(frozen=True, slots=True)
class BotLoad:
    """What of a bot costs requests."""

    pairs: int
    timeframe_s: int
    open_trades: int
    startup_candles: int = KLINES_PER_CALL
    timeframes: int = 1


def startup_weight(load: BotLoad) -> int:
    """Estimate what one start costs, all of it within the first minute."""
    calls = -(-load.startup_candles // KLINES_PER_CALL)
    return MARKETS_WEIGHT + load.pairs * load.timeframes * calls * KLINES_WEIGHT


def minute_weight(load: BotLoad) -> float:
    """Estimate the busiest steady minute: the one in which candles close."""
    candles = load.pairs * load.timeframes * KLINES_WEIGHT * min(1.0, 300 / load.timeframe_s)
    books = load.open_trades * DEPTH_WEIGHT * (60.0 / LOOP_S)
    return candles + books


def timeframe_s(timeframe: str) -> int:
    """Convert `5m`, `1h`, `1d`; ValueError for anything else."""
    units = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
    if len(timeframe) < 2 or timeframe[-1] not in units or not timeframe[:-1].isdigit():
        raise ValueError(f"{timeframe!r} is no time frame like 5m")
    return int(timeframe[:-1]) * units[timeframe[-1]]
