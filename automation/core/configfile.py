"""Reads fleet.yaml into `core.config.Fleet` and says all that is wrong with it at once.

Each complaint carries file, line, path of the field and its cure. Called by `app`.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from automation.core.config import Bot, Exchange, Fleet
from automation.core.errors import ConfigError, ConfigErrors

_LOOK_UP: dict[str, type[BaseModel]] = {"bots": Bot, "defaults": Bot, "exchange": Exchange}
_PATTERNS = {
    "pairs": "is not a futures pair like BTC/USDT:USDT",
    "name": "is not a name; use a-z, 0-9 and dashes, and begin with a letter",
    "fleet": "is not a name; use a-z, 0-9 and dashes, and begin with a letter",
}


def load_fleet(path: Path) -> Fleet:
    """Read and validate a fleet file; relative paths in it are relative to the checkout's root.

    Raises ConfigErrors with every fault found.
    """
    root = compose(path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise ConfigError(
            "the file holds no mapping", where=str(path), cure="see configs/fleet.yaml"
        )
    try:
        return Fleet.model_validate(raw)
    except ValidationError as error:
        _complain(path, root, raw, error)


def compose(path: Path) -> yaml.Node | None:
    """Parse for positions; a missing, unreadable or malformed file is one sentence."""
    try:
        return yaml.compose(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        cure = "name one with -c or make one with freqfleet init"
        raise ConfigError("there is no such file", where=str(path), cure=cure) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"not valid YAML: {problem}", where=f"{path}{line}") from None


def _complain(
    path: Path, root: yaml.Node | None, raw: dict[str, Any], error: ValidationError
) -> NoReturn:
    found: list[ConfigError] = []
    seen: set[str] = set()
    for detail in error.errors():
        if detail["type"] == "too_short" and raw.get("bots"):
            continue  # the bots are there, but each of them is already complained of
        location = _moved_to_defaults(raw, detail["loc"])
        line = line_of(root, location)
        place = ".".join(str(part) for part in location) or "the fleet"
        where = f"{path}:{line}: {place}" if line else f"{path}: {place}"
        for sentence in _sentences(detail):
            complaint = ConfigError(sentence, where=where)
            if str(complaint) not in seen:
                seen.add(str(complaint))
                found.append(complaint)
    raise ConfigErrors(found) from None


def _moved_to_defaults(raw: dict[str, Any], loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A fault that a bot inherited from `defaults` is shown where it stands."""
    defaults, bots = raw.get("defaults"), raw.get("bots")
    if len(loc) > 2 and loc[0] == "bots" and isinstance(defaults, dict) and isinstance(bots, list):
        bot = bots[int(loc[1])]
        if isinstance(bot, dict) and loc[2] not in bot and loc[2] in defaults:
            return ("defaults", *loc[2:])
    return loc


def _sentences(detail: ErrorDetails) -> list[str]:
    kind, given = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        return [_unknown_key(detail["loc"])]
    if kind == "missing":
        return ["this field is required"]
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ").splitlines()
    if kind == "string_pattern_mismatch":
        field = next((str(part) for part in reversed(detail["loc"]) if isinstance(part, str)), "")
        return [f"{given!r} {_PATTERNS.get(field, 'has the wrong form')}"]
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"].removeprefix("Input ")
    return [f"{message[0].lower()}{message[1:]}{shown}"]


def _unknown_key(loc: tuple[int | str, ...]) -> str:
    model = _LOOK_UP.get(str(loc[0]), Fleet) if len(loc) > 1 else Fleet
    known = [*model.model_fields, *(["defaults"] if model is Fleet else [])]
    close = get_close_matches(str(loc[-1]), known, n=1)
    cure = f"did you mean {close[0]}?" if close else "remove it"
    return f"unknown key; {cure}"


def line_of(node: yaml.Node | None, loc: tuple[int | str, ...]) -> int | None:
    """Find the line of the deepest part of `loc` that is in the file."""
    line = None
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if part not in pairs:
                return line
            key, node = pairs[part]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line
