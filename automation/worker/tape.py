"""Turns frames and exchange facts into the kernel's tape, and checks that exactness holds on it.

Every price must be a decimal of few enough digits, every step and fee too; what is not is named,
and the job falls back to Freqtrade. Called by `engine` once per set of columns.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from automation.worker.kernel.exact import MOST_DECIMALS, MOST_DIGITS
from automation.worker.kernel.layout import CANDLE, MARKET, TIER, Floats, Ints, Records, Tape

PRICES = ("open", "high", "low", "close")
_TIER_KEYS = {
    "floor": "minNotional",
    "cap": "maxNotional",
    "leverage": "maxLeverage",
    "rate": "maintenanceMarginRate",
    "amount": "maintAmt",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """Which row of which frame stands on which candle of the common grid.

    `rows` holds, for every pair, the frame's row of its first candle on the grid, minus that
    candle; a pair without candles has an empty range (`first` > `last`).
    """

    start_s: int
    candle_s: int
    candles: int
    first: Ints
    last: Ints
    rows: Ints

    def part(self, p: int) -> tuple[slice, slice]:
        """Return the grid's and the frame's range of pair `p`."""
        first, last = int(self.first[p]), int(self.last[p])
        offset = int(self.rows[p])
        return slice(first, last + 1), slice(first + offset, last + 1 + offset)


class NotExact(Exception):
    """The data leaves the ranges in which the kernel is exact; `str()` says where."""


def seconds(frame: DataFrame) -> Ints:
    """Return the frame's dates in epoch seconds."""
    dates = frame["date"].dt.tz_convert(None).to_numpy().astype("M8[s]")
    return np.asarray(dates.astype(np.int64))


def make_grid(bt: Any, frames: dict[str, DataFrame], start: datetime, end: datetime) -> Grid:
    """Lay every pair's usable rows on one grid; raises NotExact where rows are not contiguous."""
    candle_s = int(bt.timeframe_secs)
    start_s = int(start.timestamp()) + candle_s
    candles = max(0, (int(end.timestamp()) - start_s) // candle_s + 1)
    first, last, rows = (np.zeros(len(frames), dtype=np.int64) for _ in range(3))
    for p, (pair, frame) in enumerate(frames.items()):
        times = seconds(frame)
        begin, stop = _usable(bt, frame, times)
        if stop - begin < 2:
            first[p], last[p] = 1, 0
            continue
        if np.any(np.diff(times[begin:stop]) != candle_s):
            raise NotExact(f"the candles of {pair} have gaps")
        first[p] = (times[begin + 1] - start_s) // candle_s
        last[p] = first[p] + stop - begin - 2
        rows[p] = begin + 1 - first[p]
        if bt.required_startup and begin != bt.required_startup:
            raise NotExact(f"the start-up candles of {pair} are not where Freqtrade expects them")
        if not bt.required_startup and begin != 0:
            raise NotExact(f"{pair} has candles before the range, and no start-up candles")
    return Grid(start_s, candle_s, candles, first, last, rows)


def _usable(bt: Any, frame: DataFrame, times: Ints) -> tuple[int, int]:
    """Return the range of rows that `trim_dataframe` leaves."""
    begin = int(bt.required_startup)
    if not begin and bt.timerange.starttype == "date":
        begin = int(np.searchsorted(times, int(bt.timerange.startts), "left"))
    stop = len(frame)
    if bt.timerange.stoptype == "date":
        stop = int(np.searchsorted(times, int(bt.timerange.stopts), "right"))
    return min(begin, stop), stop


def on_grid(grid: Grid, arrays: list[Any], kind: Any, fill: Any, shift: int = 0) -> Any:
    """Lay one array per pair on the grid, `shift` rows late; elsewhere `fill`."""
    laid = np.full((len(arrays), grid.candles), fill, dtype=kind)
    for p, array in enumerate(arrays):
        to, rows = grid.part(p)
        if rows.stop > rows.start:
            laid[p, to] = array[rows.start - shift : rows.stop - shift]
    return laid


def make_tape(bt: Any, frames: dict[str, DataFrame], grid: Grid) -> Tape:
    """Build the tape; raises NotExact where the data leaves the kernel's ranges."""
    pairs = list(frames)
    candles = np.zeros((len(pairs), grid.candles), dtype=CANDLE)
    for name in PRICES:
        arrays = [frame[name].to_numpy(np.float64) for frame in frames.values()]
        candles[name] = on_grid(grid, arrays, np.float64, np.nan)
    markets = np.zeros(len(pairs), dtype=MARKET)
    markets["first"], markets["last"] = grid.first, grid.last
    candles["tick"], decimals = _ticks(bt, frames, grid)
    markets["price_unit"] = 10.0**decimals
    markets["highest"] = _highest(pairs, candles, markets["price_unit"])
    markets["step"], markets["amount_unit"] = _steps(bt, pairs)
    _fees(bt, pairs, markets)
    _limits(bt, pairs, markets)
    tiers = _tiers(bt, pairs)
    markets["tiers"] = (tiers["leverage"] > 0.0).sum(axis=1)
    funding = _funding(bt, pairs, grid, candles)
    return Tape(
        markets=markets,
        tiers=tiers,
        candles=candles,
        funding=funding,
        seen=np.argsort(grid.first, kind="stable"),
        clock=(grid.start_s, grid.candle_s, int(bt.funding_fee_timeframe_secs)),
    )


def _fees(bt: Any, pairs: list[str], markets: Records) -> None:
    """Write 1 ± fee as integers, and the decimals of values with the fee in them."""
    part, unit = _fraction(bt.fee)
    markets["with_fee"], markets["less_fee"] = unit + part, unit - part
    markets["base_unit"] = markets["amount_unit"] * unit
    markets["value_unit"] = markets["base_unit"] * markets["price_unit"]
    for pair, decimals in zip(pairs, np.log10(markets["value_unit"]), strict=True):
        if decimals > MOST_DECIMALS + 0.5:
            raise NotExact(f"values of {pair} have more than {MOST_DECIMALS} decimals")


def _fraction(number: float) -> tuple[int, int]:
    """Return a decimal number as integer parts of a power of ten, by its shortest decimal."""
    exact = Decimal(str(number))
    decimals = max(0, -int(exact.normalize().as_tuple().exponent))
    if decimals > MOST_DECIMALS:
        raise NotExact(f"{number} has more than {MOST_DECIMALS} decimals")
    return int(exact.scaleb(decimals)), 10**decimals


def _steps(bt: Any, pairs: list[str]) -> tuple[Ints, Floats]:
    parts = []
    for pair in pairs:
        step = bt.exchange.get_precision_amount(pair)
        if not step:
            raise NotExact(f"{pair} has no amount step")
        parts.append(_fraction(step))
    return np.array([part for part, _ in parts]), np.array([float(unit) for _, unit in parts])


def _ticks(bt: Any, frames: dict[str, DataFrame], grid: Grid) -> tuple[Ints, Ints]:
    """Return the tick in force on every candle, and each pair's decimals of price.

    Freqtrade takes the tick from the data, month by month (`get_pair_precision`).
    """
    ticks = np.ones((len(frames), grid.candles), dtype=np.int64)
    decimals = np.zeros(len(frames), dtype=np.int64)
    times = pd.to_datetime(
        grid.start_s + grid.candle_s * np.arange(grid.candles), unit="s", utc=True
    )
    for p, pair in enumerate(frames):
        own = bt.exchange.get_precision_price(pair)
        series = bt.price_pair_prec.get(pair)
        sizes = np.full(grid.candles, np.nan) if series is None else series.asof(times).to_numpy()
        sizes = np.where(np.isnan(sizes), own, sizes)
        known = {size: _fraction(size) for size in np.unique(sizes)}
        most = max((unit for _, unit in known.values()), default=1)
        for size, (part, unit) in known.items():
            ticks[p, sizes == size] = part * (most // unit)
        decimals[p] = len(str(most)) - 1
    return ticks, decimals


def _highest(pairs: list[str], candles: Records, price_unit: Floats) -> Ints:
    """Check that every price is a whole number of units; return the highest of each pair."""
    highest = np.ones(len(pairs), dtype=np.int64)
    for p, pair in enumerate(pairs):
        unit = price_unit[p]
        for name in PRICES:
            found = candles[name][p]
            found = found[~np.isnan(found)]
            whole = np.floor(found * unit + 0.5)
            if np.any(whole / unit != found) or np.any(found <= 0.0):
                raise NotExact(f"{name} of {pair} holds prices that are no decimals of the tick")
            highest[p] = max(highest[p], int(whole.max(initial=1)))
        if len(str(highest[p])) + 1 > MOST_DIGITS:
            raise NotExact(f"prices of {pair} have more than {MOST_DIGITS - 1} digits")
    return highest


def _limits(bt: Any, pairs: list[str], markets: Records) -> None:
    for kind in ("amount", "cost"):
        for end in ("min", "max"):
            found = [bt.exchange.markets[pair]["limits"][kind][end] for pair in pairs]
            markets[f"{kind}_{end}"] = [np.nan if limit is None else limit for limit in found]


def _tiers(bt: Any, pairs: list[str]) -> Records:
    tiers = [bt.exchange._leverage_tiers[pair] for pair in pairs]
    made = np.zeros((len(pairs), max(map(len, tiers))), dtype=TIER)
    for p, pair in enumerate(pairs):
        for t, tier in enumerate(tiers[p]):
            missing = [key for key in _TIER_KEYS.values() if tier[key] is None]
            if missing and missing != ["maxNotional"]:
                raise NotExact(f"a leverage tier of {pair} has no {missing[0]}")
            for name, key in _TIER_KEYS.items():
                made[p, t][name] = tier[key] or 0.0
    return made


def _funding(bt: Any, pairs: list[str], grid: Grid, candles: Records) -> Floats:
    """Write which stamps precede each candle; return the fee per coin of all stamps."""
    times = grid.start_s + grid.candle_s * np.arange(grid.candles, dtype=np.int64)
    fees: list[Floats] = [np.zeros(0)]
    count = 0
    for p, pair in enumerate(pairs):
        frame = bt.futures_data[pair]
        if frame.empty:
            continue
        stamps = frame["_ff_date_ns"].to_numpy()
        candles["funding_from"][p] = count + np.searchsorted(stamps, times * 10**9, "left")
        candles["funding_to"][p] = count + np.searchsorted(stamps, times * 10**9, "right")
        fees.append(frame["_ff_fee_per_unit"].to_numpy(np.float64))
        count += len(stamps)
    return np.concatenate(fees)
