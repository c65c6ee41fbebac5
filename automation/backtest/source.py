"""Finds strategy files and reads what can be known of them without running them.

Freqtrade's loader looks for the text `class Name(` in the files of a folder; so does this, that a
wrong name is refused before anything starts.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from automation.core.classnames import class_names
from automation.core.errors import ConfigError


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
        if name in class_names(text):
            return StrategyFile(name, path, _timeframe(name, path, folder))
    known = sorted({cls for text in sources.values() for cls in class_names(text)})
    close = get_close_matches(name, known, n=1)
    cure = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}"
    raise ConfigError(f"no strategy is named {name}", where=str(folder), cure=cure)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None


def _timeframe(name: str, path: Path, folder: Path) -> str | None:
    """Read `timeframe = "5m"` of a class, or of the first base that says one."""
    seen: set[tuple[str, Path]] = set()
    current: tuple[str, Path] | None = (name, path)
    while current is not None and current not in seen:
        seen.add(current)
        tree = _parse(current[1])
        found = next((c for c in ast.walk(tree) if _is_class(c, current[0])), None)
        if not isinstance(found, ast.ClassDef):
            return None
        said = _assigned_text(found.body, "timeframe")
        if said is not None:
            return said
        current = _base(found, tree, current[1], folder)
    return None


def _is_class(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == name


def _base(cls: ast.ClassDef, tree: ast.Module, path: Path, folder: Path) -> tuple[str, Path] | None:
    """Tell the name of the first base and the file it comes from, if it lies in `folder`."""
    name = next((base.id for base in cls.bases if isinstance(base, ast.Name)), None)
    for node in tree.body if name else ():
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                source = folder / f"{node.module.replace('.', '/')}.py"
                if (alias.asname or alias.name) == name and source.is_file():
                    return alias.name, source
    return (name, path) if name else None


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(_read(path))
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
