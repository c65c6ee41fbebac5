"""Reads a Freqtrade configuration as Freqtrade does: comments, trailing commas, included files.

Refuses to judge what stands in it. Called by the rooms that must know what layered configurations
say before Freqtrade reads them itself.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automation.core.errors import ConfigError

DEEPEST_INCLUDE = 5

_STRING_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


def read_layers(paths: Sequence[Path]) -> dict[str, Any]:
    """Lay the files over one another, later ones winning; ConfigError for one that is not JSON."""
    merged: dict[str, Any] = {}
    for path in paths:
        lay(read(path), merged)
    return merged


def read(path: Path, depth: int = 0) -> dict[str, Any]:
    """Read one file and what it includes."""
    if depth > DEEPEST_INCLUDE:
        raise ConfigError("the files include one another in a circle", where=str(path))
    document = _parse(path)
    included = document.pop("add_config_files", [])
    merged: dict[str, Any] = {}
    for name in included if isinstance(included, list) else []:
        lay(read(path.parent / str(name), depth + 1), merged)
    # Freqtrade lets what is included win over the file that includes it.
    lay(merged, document)
    return document


def lay(layer: dict[str, Any], onto: dict[str, Any]) -> None:
    """Lay `layer` over `onto`, objects key by key."""
    for key, value in layer.items():
        below = onto.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            lay(value, below)
        else:
            onto[key] = value


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("there is no such file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    plain = _STRING_OR_COMMENT.sub(lambda found: found[1] or " ", text)
    plain = _STRING_OR_COMMA.sub(lambda found: found[1] or " ", plain)
    try:
        document = json.loads(plain)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not valid JSON: {error}", where=str(path)) from None
    if not isinstance(document, dict):
        raise ConfigError("holds no JSON object", where=str(path))
    return document
