"""Turns what `freqtrade` printed before it gave up into one sentence with a place and a cure.

Freqtrade only warns when a strategy does not load, and prints a traceback when one crashes; the
reader of this sentence needs neither.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from automation.core.errors import ConfigError, FreqfleetError, PermanentError

_NOT_IMPORTED = re.compile(r"Could not import (?P<path>.+?\.py) due to '(?P<why>.*)'$")
_FRAME = re.compile(r'^\s*File "(?P<path>.+?)", line (?P<line>\d+), in ')
_ERROR = re.compile(r" - (?:ERROR|CRITICAL) - (?P<what>.+)$")
_EXCEPTION = re.compile(r"^(?P<what>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$")


def explain(strategy: str, source: Path, code: int, lines: Sequence[str]) -> FreqfleetError:
    """Say why a run of `strategy` (in file `source`) ended with exit `code`.

    Faults of the strategy or the configuration are ConfigError; a run that was killed, or that
    left no reason, is PermanentError with the last line it printed.
    """
    if code < 0:
        cure = "free some memory or shorten the range" if code == -9 else "look at its output"
        return PermanentError(f"freqtrade was killed by signal {-code}", where=strategy, cure=cure)
    for found in filter(None, (_NOT_IMPORTED.search(line) for line in lines)):
        if Path(found["path"]).name == source.name:
            return ConfigError(f"{strategy} does not load: {found['why']}", where=found["path"])
    crash = _crash(strategy, source, lines)
    if crash is not None:
        return crash
    errors = [found["what"] for found in map(_ERROR.search, lines) if found]
    if errors:
        return ConfigError(_plain(errors[-1]), where=strategy)
    last = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
    return PermanentError(f"freqtrade ended with exit code {code}: {last.strip()}", where=strategy)


def _crash(strategy: str, source: Path, lines: Sequence[str]) -> ConfigError | None:
    """Find an exception that passed through the strategy's own file or its neighbours."""
    frames = [found for found in map(_FRAME.match, lines) if found]
    ours = [frame for frame in frames if Path(frame["path"]).is_relative_to(source.parent)]
    raised = [found["what"] for found in map(_EXCEPTION.match, lines) if found]
    if not ours or not raised:
        return None
    where = f"{ours[-1]['path']}:{ours[-1]['line']}"
    return ConfigError(f"{strategy} failed: {raised[-1]}", where=where)


def _plain(message: str) -> str:
    return message.strip().rstrip(".")
