"""What an account was worth at every candle's opening, from its trades and the candles they saw.

A candle is one step for every position: what a stop inside it lost and what the others moved in it
belong together. So a trade that was left inside a candle is settled at the next opening; one left
by a signal or a limit is settled at the opening it was left at. Used by the tests of the limits.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

INSIDE_CANDLE = {"stop_loss", "trailing_stop_loss", "liquidation", "roi"}


class Held(NamedTuple):
    """One trade: opened at the opening of one candle, left at or inside another; profit in USDT."""

    pair: str
    is_short: bool
    opened_s: int
    left_s: int
    is_left_inside: bool
    open_rate: float
    amount: float
    fee_frac: float
    profit_usdt: float


class Tape(NamedTuple):
    """Openings in seconds; by pair the close before each, and the settlements' seconds and USDT a coin."""

    opened_s: np.ndarray
    closes: Mapping[str, np.ndarray]
    settled: Mapping[str, tuple[np.ndarray, np.ndarray]]


def tape_of(data_dir: Path, timeframe: str, pairs: tuple[str, ...], start: Any, end: Any) -> Tape:
    """Read candles and funding of `pairs` as Freqtrade does; a missing candle repeats the last close."""
    grid = pd.date_range(start, end, freq=timeframe.replace("m", "min"), tz="UTC")
    closes, settled = {}, {}
    for pair in pairs:
        stem = data_dir / "futures" / pair.replace("/", "_").replace(":", "_")
        frame = pd.read_feather(f"{stem}-{timeframe}-futures.feather").set_index("date")
        closes[pair] = frame["close"].reindex(grid).ffill().shift(1).to_numpy()
        rates = pd.read_feather(f"{stem}-1h-funding_rate.feather")
        mark = pd.read_feather(f"{stem}-1h-mark.feather")
        both = mark.merge(rates, on="date")
        paid = both["open"] * both["funding_rate"]
        settled[pair] = (pd.DatetimeIndex(both["date"]).as_unit("s").asi8, paid.to_numpy())
    return Tape(grid.as_unit("s").asi8, closes, settled)


def held_by_engine(result: Any) -> Iterator[Held]:
    """Read the trades of the compiled engine."""
    for trade in result.trades:
        yield Held(
            result.pairs[trade["pair"]],
            bool(trade["is_short"]),
            int(trade["open_time"].astype(np.int64)),
            int(trade["close_time"].astype(np.int64)),
            result.tags[trade["exit_reason"]] in INSIDE_CANDLE,
            float(trade["open_rate"]),
            float(trade["amount"]),
            float(trade["fee_open"]),
            float(trade["profit_abs"]),
        )


def held_in_file(result: Mapping[str, Any]) -> Iterator[Held]:
    """Read the trades of Freqtrade's result file."""
    for trade in result["trades"]:
        yield Held(
            trade["pair"],
            trade["is_short"],
            trade["open_timestamp"] // 1000,
            trade["close_timestamp"] // 1000,
            trade["exit_reason"] in INSIDE_CANDLE,
            trade["open_rate"],
            trade["amount"],
            trade["fee_open"],
            trade["profit_abs"],
        )


def marked_equity(start_usdt: float, trades: Iterator[Held], tape: Tape) -> np.ndarray:
    """Return the worth at each opening: open trades at the close before it, less the fees of leaving.

    Funding counts from the opening after its settlement on: Freqtrade books it while it works on the
    candle, so that is when the ladder can see it.
    """
    equity = np.full(len(tape.opened_s), start_usdt, dtype=float)
    for trade in trades:
        opened, left = np.searchsorted(tape.opened_s, (trade.opened_s, trade.left_s))
        left += trade.is_left_inside
        held = slice(opened + 1, left)
        mark = tape.closes[trade.pair][held]
        side = -1.0 if trade.is_short else 1.0
        fees = trade.fee_frac * trade.amount * (trade.open_rate + mark)
        at_s, paid = tape.settled[trade.pair]
        paid = np.concatenate(([0.0], np.cumsum(paid[at_s >= trade.opened_s])))
        times = np.searchsorted(at_s[at_s >= trade.opened_s], tape.opened_s[held], "left")
        moved = mark - trade.open_rate - paid[times]
        equity[held] += side * trade.amount * moved - fees
        equity[left:] += trade.profit_usdt
    return equity


def days_lost(opened_s: np.ndarray, equity: np.ndarray, limit_frac: float) -> pd.DataFrame:
    """Return by UTC day what it lost at worst and by how much more than the limit and one candle.

    The candle is the one that took the day to its limit; a day that stayed within has none. A day
    ends with the candle that closes at midnight.
    """
    openings = pd.DatetimeIndex(opened_s.astype("datetime64[s]"), tz="UTC")
    begun = pd.Series(equity, openings).groupby(openings.floor("D")).first()
    days = (openings - pd.Timedelta(seconds=1)).floor("D")
    start = begun.reindex(days).to_numpy()
    frame = pd.DataFrame(
        {
            "day": days,
            "loss": 1.0 - equity / start,
            "candle": np.maximum(-np.diff(equity, prepend=equity[0]), 0.0) / start,
        }
    ).dropna()
    worst = frame.groupby("day")["loss"].max()
    crossed = frame[frame["loss"] >= limit_frac].groupby("day")["candle"].first()
    allowed = limit_frac + crossed.reindex(worst.index).fillna(0.0)
    return pd.DataFrame({"worst": worst, "beyond": worst - allowed})
