"""Finds strategy files and reads what can be known of them without running them.

Freqtrade's loader looks for the text `class Name(` in the files of a folder; so does this, that a
wrong name is refused before anything starts.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from automation.core.errors import ConfigError

_CLASS = re.compile(r"^class\s+(\w+)\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """Where a strategy is; `timeframe` is None if its source does not say it plainly."""

    name: str
    path: Path
    timeframe: str | None


def find_strategy(name: str, folder: Path) -> StrategyFile:
    """Find the file in `folder` that defines class `name`.

    Raises ConfigError if there is none, naming near misses, or if the file is not Python.
    """
    if not folder.is_dir():
        raise ConfigError("there is no such folder", where=str(folder), cure="see --strategy-path")
    sources = {path: _read(path) for path in sorted(folder.glob("*.py"))}
    for path, text in sources.items():
        if name in _CLASS.findall(text):
            return StrategyFile(name, path, _timeframe(name, path, sources))
    known = sorted({cls for text in sources.values() for cls in _CLASS.findall(text)})
    close = get_close_matches(name, known, n=1)
    cure = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}"
    raise ConfigError(f"no strategy is named {name}", where=str(folder), cure=cure)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None


def _timeframe(name: str, path: Path, sources: dict[Path, str]) -> str | None:
    """Read `timeframe = "5m"` of a class, or of the bases that stand beside it."""
    classes: dict[str, ast.ClassDef] = {}
    for source in (*(text for other, text in sources.items() if other != path), sources[path]):
        classes.update(_classes(source))
    if name not in classes:
        _explain_syntax(path, sources[path])
    seen: set[str] = set()
    current: str | None = name
    while current in classes and current not in seen:
        seen.add(current)
        found = _assigned_text(classes[current].body, "timeframe")
        if found is not None:
            return found
        bases = classes[current].bases
        current = next((base.id for base in bases if isinstance(base, ast.Name)), None)
    return None


def _classes(source: str) -> dict[str, ast.ClassDef]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _explain_syntax(path: Path, source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError as error:
        where = f"{path}:{error.lineno}"
        raise ConfigError(f"not valid Python: {error.msg}", where=where) from None


def _assigned_text(body: Iterable[ast.stmt], target: str) -> str | None:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                pass
            case _:
                continue
        if name == target:
            return text
    return None
