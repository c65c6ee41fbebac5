"""Freqtrade's search for every pair's tick sizes, kept on disk: two thirds of the time that loading takes.

The answer and the columns that Freqtrade leaves in the candles are pickled under a hash of the prices, of
the function's source and of pandas' version, so that what comes back is what would have been computed.
Used by `tuning` while it loads.
"""

import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from inspect import getsource
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.optimize import backtesting

_PRICES = ("open", "high", "low", "close")


@contextmanager
def kept_ticks() -> Iterator[None]:
    """Have Freqtrade's backtest find tick sizes that were computed before."""
    setattr(backtesting, "get_tick_size_over_time", _kept)  # noqa: B010 - mypy knows no such name
    try:
        yield
    finally:
        setattr(backtesting, "get_tick_size_over_time", get_tick_size_over_time)  # noqa: B010


def _kept(candles: pd.DataFrame) -> Any:
    """Do what get_tick_size_over_time does, the columns it adds included."""
    file = _folder() / f"{_key(candles)}.pickle"
    with suppress(OSError, pickle.UnpicklingError, EOFError):
        added, ticks = pickle.loads(file.read_bytes())  # noqa: S301 - our own file, 0600
        for name in added:
            candles[name] = added[name].set_axis(candles.index)
        return ticks
    before = list(candles.columns)
    ticks = get_tick_size_over_time(candles)
    added = {name: candles[name] for name in candles.columns if name not in before}
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.touch(mode=0o600)
        partial.write_bytes(pickle.dumps((added, ticks), protocol=5))
        partial.replace(file)
    return ticks


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "freqfleet/ticks"


def _key(candles: pd.DataFrame) -> str:
    digest = hashlib.sha256(f"{pd.__version__}\n{getsource(get_tick_size_over_time)}".encode())
    digest.update(repr(list(candles.columns)).encode())
    dates = candles["date"].dt.tz_convert(None).to_numpy().astype("M8[s]")
    for values in (dates, *(candles[name].to_numpy() for name in _PRICES)):
        digest.update(values.tobytes())
    return digest.hexdigest()
