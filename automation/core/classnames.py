"""Names the classes of a source text as Freqtrade's loader looks for them, without running it.

Decides what counts as a strategy's name before anything starts. Called by `fleet` and `backtest`.
"""

import re

_CLASS = re.compile(r"^class\s+(\w+)\(", re.MULTILINE)


def class_names(text: str) -> list[str]:
    """List the names that stand in `class Name(` at the beginning of a line, in order."""
    return _CLASS.findall(text)
