"""Results kept by the hash of everything that decides them: code, parameters, data, versions.

An entry is never wrong, only absent: its name is the hash of its question, and of the
gate's own code that answered it. A damaged entry is as good as none. A baseline is a file of such
entries, so a stale one is simply not found. Refuses to know what the entries mean. Called by `run` and `app`.
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from automation.core.errors import ConfigError, DependencyError
from automation.core.files import write_whole

FORMAT = 1
# What the numbers of a backtest can depend on; a strategy may use any of them.
_DECIDING = (
    *("freqtrade", "ccxt", "numpy", "pandas", "TA-Lib", "technical", "ft-pandas-ta", "pandas-ta"),
    *(
        "scipy",
        "scikit-learn",
        "statsmodels",
        "arch",
        "hmmlearn",
        "lightgbm",
        "xgboost",
        "catboost",
    ),
    *("torch", "numba", "bottleneck", "numexpr"),
)


def installed_versions() -> dict[str, str]:
    """Tell the versions that results depend on, Python's (major.minor) among them."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in _DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def key_of(kind: str, question: Mapping[str, Any]) -> str:
    """Hash a question; equal questions have equal keys."""
    content = {"format": FORMAT, "kind": kind, **question}
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """Answers by key: a folder that grows, and stored entries that are only read.

    `used` collects what this run asked for, found or made: what a baseline is written from.
    """

    folder: Path | None = None
    stored: Mapping[str, Any] = field(default_factory=dict)
    used: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any | None:
        """Find an answer; None if there is none that can be read."""
        found = self.used.get(key, self.stored.get(key))
        if found is None and self.folder is not None:
            found = _read(self._path(key))
        if found is not None:
            self.used[key] = found
        return found

    def put(self, key: str, answer: Any) -> None:
        """Keep an answer; a disk that refuses costs only the next run's time."""
        self.used[key] = answer
        if self.folder is None:
            return
        try:
            write_whole(self._path(key), orjson.dumps(answer))
        except DependencyError:
            return

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}.json"


def _read(path: Path) -> Any | None:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None


def write_baseline(path: Path, entries: Mapping[str, Any]) -> None:
    """Write entries as a baseline; equal entries give equal bytes."""
    document = {"kind": "freqfleet-baseline", "format": FORMAT, "entries": dict(entries)}
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2
    write_whole(path, orjson.dumps(document, option=options) + b"\n")


def read_baseline(path: Path) -> dict[str, Any]:
    """Read a baseline's entries; ConfigError if it is none."""
    cure = "make it anew with freqfleet gate baseline"
    try:
        document = orjson.loads(path.read_bytes())
        if document["kind"] == "freqfleet-baseline" and document["format"] == FORMAT:
            return dict(document["entries"])
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path), cure=cure) from None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        pass
    raise ConfigError("is no baseline of this version", where=str(path), cure=cure)
