"""Cuts feather files to a range and writes them so that equal rows give equal bytes.

Decides the form of a data file inside a bundle: Arrow's file format, uncompressed (the archive
compresses), without the metadata that pandas leaves. Refuses to know pairs and archives. Called by
`bundle`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from automation.core.errors import ConfigError

_BATCH_ROWS = 65536


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes of one file, the hash of its rows, and which instants it covers (epoch ms)."""

    payload: bytes
    content: str
    rows: int
    first_ms: int
    last_ms: int


def cut(path: Path, start_ms: int, end_ms: int) -> Cut:
    """Take the rows of a feather file with start ≤ date ≤ end; both ends count.

    Raises ConfigError if the file cannot be read or has no row there.
    """
    table = _read(path)
    dates = _epoch_ms(table, path)
    low, high = np.searchsorted(dates, start_ms, "left"), np.searchsorted(dates, end_ms, "right")
    if low == high:
        raise ConfigError(
            "has no rows in the range", where=str(path), cure="choose another range or data"
        )
    part = table.slice(int(low), int(high - low))
    names = sorted(set(part.column_names) - {"date"})
    columns = {name: part.column(name).cast(pa.float64()).to_numpy() for name in names}
    kept = dates[low:high]
    arrays = {"date": pa.array(kept, pa.timestamp("ms", tz="UTC"))}
    order = [name for name in part.column_names if name != "date"]
    arrays |= {name: pa.array(columns[name], pa.float64()) for name in order}
    payload = _write(pa.table(arrays))
    return Cut(payload, _hash(kept, columns), len(kept), int(kept[0]), int(kept[-1]))


def content_hash(payload: bytes) -> str:
    """Hash the rows in a file of `cut`, whatever library version wrote it.

    Raises ConfigError if it is no such file.
    """
    name = Path("bundle")
    try:
        table = pa.ipc.open_file(pa.BufferReader(payload)).read_all()
        dates = _epoch_ms(table, name)
        names = sorted(set(table.column_names) - {"date"})
        return _hash(dates, {one: table.column(one).to_numpy() for one in names})
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise ConfigError(f"a data file in it cannot be read: {error}") from None


def _read(path: Path) -> Any:
    try:
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except (pa.ArrowException, OSError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"not a readable feather file ({first})", where=str(path), cure="download it again"
        ) from None


def _epoch_ms(table: Any, path: Path) -> "np.ndarray[Any, np.dtype[np.int64]]":
    if "date" not in table.column_names:
        raise ConfigError("has no column date", where=str(path), cure="download it again")
    times = table.column("date").cast(pa.timestamp("ms", tz="UTC"), safe=False)
    made = np.asarray(times.cast(pa.int64()).to_numpy(), dtype=np.int64)
    if np.any(np.diff(made) <= 0):
        raise ConfigError(
            "its rows are not in order of time", where=str(path), cure="download it again"
        )
    return made


def _write(table: Any) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=None)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=_BATCH_ROWS)
    return bytes(sink.getvalue())


def _hash(dates: Any, columns: dict[str, Any]) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(dates, "<i8").tobytes())
    for name in sorted(columns):
        digest.update(name.encode() + b"\0")
        digest.update(np.ascontiguousarray(columns[name], "<f8").tobytes())
    return digest.hexdigest()
