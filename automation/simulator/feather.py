"""Reading and writing the feather files in which Freqtrade keeps candles.

Decides what a readable file is and says in one sentence what is wrong with any other. Reads in
record batches (65,536 rows), keeps the last few decoded and forgets the rest, so that memory does
not grow with the data. Refuses to know pairs and folders. Called by `datafolder` and `replay`.
"""

from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather

from automation.core.errors import ConfigError
from automation.simulator.candles import Candles, Floats, no_candles
from automation.simulator.timeframes import Ints

CANDLE_COLUMNS = ("open", "high", "low", "close", "volume")
FUNDING_COLUMN = "funding_rate"
_LEGACY_FUNDING_COLUMN = "open"  # Freqtrade before 2026 stored rates as candles
_CURE = "download the file again or take it out of the folder"
_BATCHES_KEPT = 12  # at most 12 x 65,536 rows x 48 bytes = 38 MB


class FeatherFile:
    """One file of candles or of one value per time, indexed without reading its rows."""

    def __init__(self, path: Path, columns: tuple[str, ...] = CANDLE_COLUMNS) -> None:
        """Read the first and the last instant; ConfigError if the file is not what it should be."""
        self.path = path
        reader = self._open()  # not kept: a folder may have more files than may be open at once
        self._schema, self._batches = reader.schema, int(reader.num_record_batches)
        self._columns = self._choose(columns)
        self.edges = (0, self._batches - 1)
        if not self._batches:
            raise ConfigError("no rows in it", where=str(path), cure=_CURE)
        first, last = (self._dates(number) for number in self.edges)
        if not len(first) or not len(last):
            raise ConfigError("no rows in it", where=str(path), cure=_CURE)
        self.first_ms, self.last_ms = int(first[0]), int(last[-1])

    def _open(self) -> Any:
        try:
            return pa.ipc.open_file(pa.memory_map(str(self.path)))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(
                f"not a readable feather file ({_first_line(error)})",
                where=str(self.path),
                cure=_CURE,
            ) from error

    def _choose(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        names = self._schema.names
        if columns == (FUNDING_COLUMN,) and FUNDING_COLUMN not in names:
            columns = (_LEGACY_FUNDING_COLUMN,)
        lacking = [name for name in ("date", *columns) if name not in names]
        if lacking:
            raise ConfigError(
                f"column {', '.join(lacking)} is missing; there are {', '.join(names)}",
                where=str(self.path),
                cure=_CURE,
            )
        if not pa.types.is_timestamp(self._schema.field("date").type):
            raise ConfigError("column date holds no times", where=str(self.path), cure=_CURE)
        return columns

    def _batch(self, number: int, columns: tuple[str, ...]) -> list[Any]:
        wanted = [self._schema.names.index(name) for name in columns]
        try:
            source = pa.memory_map(str(self.path))
            options = pa.ipc.IpcReadOptions(included_fields=sorted(wanted), use_threads=False)
            batch = pa.ipc.open_file(source, options=options).get_batch(number)
            return [batch.column(name) for name in columns]
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(
                f"truncated or damaged in its block {number} ({_first_line(error)})",
                where=str(self.path),
                cure=_CURE,
            ) from error

    def _dates(self, number: int) -> Ints:
        (column,) = self._batch(number, ("date",))
        if column.null_count:
            raise ConfigError("a row has no time", where=str(self.path), cure=_CURE)
        return _epoch_ms(column)

    @cached_property
    def starts(self) -> list[int]:
        """First instant of each record batch; also checks that times only increase."""
        starts: list[int] = []
        before: int | None = None
        for number in range(self._batches):
            dates = self._dates(number)
            if not len(dates):
                starts.append(starts[-1] if starts else self.first_ms)
                continue
            self._refuse_disorder(dates, before)
            starts.append(int(dates[0]))
            before = int(dates[-1])
        return starts

    def refuse_disorder(self) -> None:
        """Raise ConfigError if the times of the file do not increase from row to row."""
        _ = self.starts

    def _refuse_disorder(self, dates: Ints, before: int | None) -> None:
        steps = np.diff(dates if before is None else np.concatenate(([before], dates)))
        wrong = np.flatnonzero(steps <= 0)
        if not len(wrong):
            return
        at = int(wrong[0]) + (1 if before is None else 0)
        what = "appears twice" if steps[wrong[0]] == 0 else "goes back in time"
        when = np.datetime64(int(dates[at]), "ms")
        raise ConfigError(f"the row of {when} UTC {what}", where=str(self.path), cure=_CURE)

    def times(self) -> Ints:
        """All instants of the file, epoch ms; ConfigError if they do not increase."""
        checked = len(self.starts)
        parts = [self._dates(number) for number in range(checked)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def rows(self, number: int) -> Candles:
        """Decode one record batch; `values` has one column per value column of the file."""
        dates, *columns = self._batch(number, ("date", *self._columns))
        values = np.column_stack([_floats(column) for column in columns])
        return Candles(_epoch_ms(dates), values)


class BatchCache:
    """The record batches decoded last, over all files."""

    def __init__(self, kept: int = _BATCHES_KEPT) -> None:
        """Keep at most `kept` batches."""
        self._kept = kept
        self._batches: OrderedDict[tuple[Path, int], Candles] = OrderedDict()

    def read(self, file: FeatherFile, start_ms: int, end_ms: int) -> Candles:
        """Rows of a file in [start_ms, end_ms)."""
        starts = np.array(file.starts, dtype=np.int64)
        first = max(int(np.searchsorted(starts, start_ms, "right")) - 1, 0)
        stop = int(np.searchsorted(starts, end_ms, "left"))
        parts = [self._rows(file, n).between(start_ms, end_ms) for n in range(first, stop)]
        if not parts:
            return no_candles()
        if len(parts) == 1:
            return parts[0]
        times = np.concatenate([part.open_ms for part in parts])
        return Candles(times, np.concatenate([part.values for part in parts]))

    def _rows(self, file: FeatherFile, number: int) -> Candles:
        key = (file.path, number)
        rows = self._batches.pop(key, None)
        if rows is None:
            rows = file.rows(number)
            if len(self._batches) >= self._kept:
                self._batches.popitem(last=False)
        self._batches[key] = rows
        return rows


def _epoch_ms(column: Any) -> Ints:
    if column.type.unit != "ms":
        column = column.cast(pa.timestamp("ms", tz="UTC"), safe=False)
    return np.asarray(np.from_dlpack(column.view(pa.int64())), np.int64)


def _floats(column: Any) -> Floats:
    # not `to_numpy`: that imports pandas, which takes longer than reading all files
    if column.type != pa.float64():
        column = column.cast(pa.float64())
    if column.null_count:
        column = column.fill_null(np.nan)
    return np.asarray(np.from_dlpack(column), np.float64)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def write_feather(path: Path, open_ms: Ints, columns: dict[str, Floats]) -> None:
    """Write a file as Freqtrade does: `date` in ms UTC, then the columns, lz4 at level 9.

    The file appears complete or not at all.
    """
    arrays = {"date": pa.array(open_ms, pa.timestamp("ms", tz="UTC"))}
    arrays |= {name: pa.array(column, pa.float64()) for name, column in columns.items()}
    partial = path.with_suffix(".part")
    feather.write_feather(
        pa.table(arrays), partial, compression="lz4", compression_level=9, chunksize=65536
    )
    partial.replace(path)
