"""Reads gate.yaml into `config.GateSettings` and says all that is wrong with it at once.

Each complaint carries the file, the path of the field, and its cure. Called by `app`.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from automation.core.errors import ConfigError, ConfigErrors
from automation.gates.config import GateSettings


def load_settings(path: Path) -> GateSettings:
    """Read and validate a gate configuration; ConfigErrors with every fault found."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("there is no such file", where=str(path), cure="see --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"not valid YAML: {problem}", where=f"{path}{line}") from None
    try:
        return GateSettings.model_validate(raw or {})
    except ValidationError as error:
        raise ConfigErrors(_complaint(path, detail) for detail in error.errors()) from None


def _complaint(path: Path, detail: ErrorDetails) -> ConfigError:
    place = ".".join(str(part) for part in detail["loc"]) or "the file"
    where = f"{path}: {place}"
    if detail["type"] == "extra_forbidden":
        *above, unknown = detail["loc"]
        close = get_close_matches(str(unknown), _known(above), n=1)
        cure = f"did you mean {close[0]}?" if close else "remove it"
        return ConfigError("unknown key", where=where, cure=cure)
    given = detail.get("input")
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return ConfigError(f"{message[0].lower()}{message[1:]}{shown}", where=where)


def _known(above: list[int | str]) -> list[str]:
    """Name the keys of the model at a path; those of the whole file where the path leads nowhere."""
    model: Any = GateSettings
    for part in above:
        field = model.model_fields.get(str(part))
        if field is None or not _is_model(field.annotation):
            break
        model = field.annotation
    return list(model.model_fields)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
