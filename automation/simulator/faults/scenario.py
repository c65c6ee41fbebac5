"""Reads scenarios and single faults, and says all that is wrong with one at once.

Each complaint carries file, line and path of the field. Called by `app`, `server` and `admin`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from automation.core.configfile import compose, line_of
from automation.core.errors import ConfigError, ConfigErrors
from automation.simulator.faults.kinds import KINDS, Fault, Scenario, Trigger

_FAULT: TypeAdapter[Any] = TypeAdapter(Fault)
_NAMES = {kind.model_fields["kind"].annotation.__args__[0]: kind for kind in KINDS}  # type: ignore[union-attr]


def load_scenario(path: Path, known: Iterable[str] | None = None) -> Scenario:
    """Read a scenario file; `known` are the symbols that there are.

    Raises ConfigErrors with every fault found.
    """
    root = compose(path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        cure = "see docs/how-to/write-a-scenario.md"
        raise ConfigError("the file holds no mapping", where=str(path), cure=cure)
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        _complain(error, lambda loc: _place(path, root, loc))
    if known is not None:
        refuse_unknown(scenario.faults, known, str(path))
    return scenario


def parse_fault(raw: Any, known: Iterable[str] | None = None) -> Trigger:
    """Read one fault from JSON; ConfigErrors with all that is wrong with it."""
    try:
        fault: Trigger = _FAULT.validate_python(raw)
    except ValidationError as error:
        _complain(error, lambda loc: ".".join(str(part) for part in _plain(loc)) or "fault")
    if known is not None:
        refuse_unknown((fault,), known, "fault")
    return fault


def refuse_unknown(faults: Sequence[Trigger], known: Iterable[str], where: str) -> None:
    """Raise ConfigErrors for symbols that are not listed."""
    listed = set(known)
    found = []
    for number, fault in enumerate(faults):
        asked = [*getattr(fault, "symbols", ()), *filter(None, (fault.match.symbol,))]
        for symbol in asked:
            if symbol not in listed:
                cure = f"choose from {', '.join(sorted(listed))}"
                place = f"{where}: faults.{number}"
                found.append(ConfigError(f"there is no symbol {symbol}", where=place, cure=cure))
    if found:
        raise ConfigErrors(found)


def _place(path: Path, root: yaml.Node | None, loc: tuple[int | str, ...]) -> str:
    plain = _plain(loc)
    line = line_of(root, plain)
    name = ".".join(str(part) for part in plain) or "the scenario"
    return f"{path}:{line}: {name}" if line else f"{path}: {name}"


def _plain(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Leave out the kind, which pydantic puts into the path of a fault."""
    return (
        tuple(
            part
            for place, part in enumerate(loc)
            if part not in _NAMES or (place > 0 and not isinstance(loc[place - 1], int))
        )
        if loc and loc[0] == "faults"
        else tuple(part for part in loc if part not in _NAMES)
    )


def _complain(error: ValidationError, place: Any) -> NoReturn:
    found: list[ConfigError] = []
    for detail in error.errors():
        for sentence, cure in _sentences(detail):
            found.append(ConfigError(sentence, where=place(detail["loc"]), cure=cure))
    raise ConfigErrors(found) from None


def _sentences(detail: ErrorDetails) -> list[tuple[str, str]]:
    kind, given, context = detail["type"], detail.get("input"), detail.get("ctx") or {}
    if kind == "extra_forbidden":
        return [("unknown key", "remove it")]
    if kind == "missing":
        return [("this field is required", "")]
    if kind == "union_tag_not_found":
        return [("a fault needs a kind", f"choose from {', '.join(_NAMES)}")]
    if kind == "union_tag_invalid":
        return [(f"there is no kind {context.get('tag')!s}", f"choose from {', '.join(_NAMES)}")]
    if kind == "value_error":
        return [
            (line, "") for line in str(detail["msg"]).removeprefix("Value error, ").splitlines()
        ]
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"].removeprefix("Input ")
    return [(f"{message[0].lower()}{message[1:]}{shown}", "")]
