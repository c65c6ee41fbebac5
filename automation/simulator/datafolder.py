"""What there is in a Freqtrade data folder: pairs, timeframes, ranges, holes.

Decides which files are futures series of linear contracts and refuses odd ones with a sentence.
Refuses to know what is done with them. Called by `replay`, and through `app` by
`freqfleet backtest` to check a job before it starts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from automation.core.errors import ConfigError
from automation.simulator.feather import CANDLE_COLUMNS, FUNDING_COLUMN, FeatherFile
from automation.simulator.timeframes import LENGTHS_MS, Timeframe, timeframe

Kind = Literal["futures", "mark", "funding_rate"]
_NAME = re.compile(
    r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)_(?P<settle>[A-Z0-9]+)"
    r"-(?P<timeframe>\d+(?:m|h|d|w|Mo))-(?P<kind>futures|mark|funding_rate)\.feather"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One file: the candles, mark candles or funding rates of one pair in one timeframe."""

    pair: str
    base: str
    quote: str
    kind: Kind
    timeframe: Timeframe
    file: FeatherFile

    @property
    def symbol(self) -> str:
        """Binance's name of the contract."""
        return self.base + self.quote

    @property
    def first_ms(self) -> int:
        """Opening instant of the first row."""
        return self.file.first_ms

    @property
    def last_ms(self) -> int:
        """Opening instant of the last row."""
        return self.file.last_ms

    @property
    def end_ms(self) -> int:
        """Instant at which the last candle closes."""
        number = self.timeframe.number(self.last_ms)
        return self.timeframe.open_ms(number + 1)


@dataclass(frozen=True, slots=True)
class Gap:
    """Candles that are missing inside a series."""

    pair: str
    kind: Kind
    timeframe: str
    from_ms: int
    """Opening instant of the first missing candle."""
    to_ms: int
    """Opening instant of the next candle that is there."""
    missing: int


class DataFolder:
    """A folder as `freqtrade download-data` fills it, or its `futures` folder itself."""

    def __init__(self, path: str | Path) -> None:
        """Index the files by their metadata; ConfigError if there is nothing to index."""
        self.path = Path(path)
        futures = self.path / "futures"
        self._files = futures if futures.is_dir() else self.path
        if not self._files.is_dir():
            raise ConfigError(
                "no such folder", where=str(self.path), cure="name a Freqtrade data folder"
            )
        self.series = tuple(self._index())
        if not any(series.kind == "futures" for series in self.series):
            raise ConfigError(
                "holds no futures candles like BTC_USDT_USDT-5m-futures.feather",
                where=str(self.path),
                cure="download some with `freqtrade download-data --trading-mode futures`",
            )

    def _index(self) -> Iterator[Series]:
        for path in sorted(self._files.glob("*.feather")):
            match = _NAME.fullmatch(path.name)
            if match is None or match["quote"] != match["settle"]:
                continue
            name = match["timeframe"].replace("Mo", "M")
            if name not in LENGTHS_MS:
                continue
            kind: Kind = next(kind for kind in get_args(Kind) if kind == match["kind"])
            columns = (FUNDING_COLUMN,) if kind == "funding_rate" else CANDLE_COLUMNS
            pair = f"{match['base']}/{match['quote']}:{match['settle']}"
            file = FeatherFile(path, columns)
            yield Series(pair, match["base"], match["quote"], kind, timeframe(name), file)

    @cached_property
    def pairs(self) -> tuple[str, ...]:
        """Pairs that have candles, in alphabetical order."""
        return tuple(sorted({s.pair for s in self.series if s.kind == "futures"}))

    def find(self, pair: str, kind: Kind = "futures", name: str | None = None) -> list[Series]:
        """List the series of a pair, shortest timeframe first; `name` asks for one timeframe."""
        found = self._by_pair.get((pair, kind), ())
        return [series for series in found if name in (None, series.timeframe.name)]

    @cached_property
    def _by_pair(self) -> dict[tuple[str, Kind], list[Series]]:
        found: dict[tuple[str, Kind], list[Series]] = {}
        for series in sorted(self.series, key=lambda s: s.timeframe.length_ms):
            found.setdefault((series.pair, series.kind), []).append(series)
        return found

    def require(self, pair: str) -> list[Series]:
        """List the candle series of a pair; ConfigError if there is none."""
        found = self.find(pair)
        if not found:
            raise ConfigError(
                f"no candles of {pair}; there are {', '.join(self.pairs)}",
                where=str(self.path),
                cure="download the pair or leave it out",
            )
        return found

    def gaps(self, pair: str | None = None, name: str | None = None) -> list[Gap]:
        """Find the missing candles of all candle series, or of one pair or timeframe.

        Reads the time column of each file; ConfigError where times repeat or go back.
        """
        return [
            gap
            for series in self.series
            if series.kind != "funding_rate"
            and pair in (None, series.pair)
            and name in (None, series.timeframe.name)
            for gap in _gaps_of(series)
        ]


def _gaps_of(series: Series) -> Iterator[Gap]:
    times, frame = series.file.times(), series.timeframe
    if frame.is_month:
        return
    for at in np.flatnonzero(np.diff(times) > frame.length_ms):
        start, end = int(times[at]) + frame.length_ms, int(times[at + 1])
        missing = (end - start) // frame.length_ms
        yield Gap(series.pair, series.kind, frame.name, start, end, missing)
