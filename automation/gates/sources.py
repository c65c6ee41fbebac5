"""Which strategies a folder holds, and the fingerprint of everything that decides one's outcome.

The fingerprint covers the strategy's file, its parameter file, and every module under its folder
that it imports, directly or through others; a package is taken whole. A file that imports by
computed names takes the whole folder; one that opens files takes all in it that is no code and no
other strategy's parameters. Nothing is executed here. Refuses to know git and backtests. Called by
`selection`.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from automation.core.errors import ConfigError

_ROOTS = {"IStrategy", "PackStrategy"}
_ABSTRACT = {"ABC", "ABCMeta"}
_ALL, _FILES = "*", "*files"  # what a file may read that is not written in its imports


@dataclass(frozen=True, slots=True)
class Source:
    """One strategy in one checkout. `fault` is why its file cannot be read as Python, if so."""

    name: str
    path: Path
    folder: Path
    fingerprint: str
    fault: str | None = None


def find_sources(folder: Path) -> list[Source]:
    """List the strategies in the files of `folder` (not in folders below), by name.

    A class is a strategy if its bases lead to IStrategy, or to a name that ends in Strategy and is
    imported. A file that is not Python is listed under its own name with its fault. Raises
    ConfigError if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError("there is no such folder of strategies", where=str(folder))
    found: dict[str, Source] = {}
    for path in sorted(folder.glob("*.py")):
        for name, fault in _strategies_in(path):
            if name not in found:
                found[name] = Source(name, path, folder, fingerprint(path, folder, name), fault)
    return [found[name] for name in sorted(found)]


def fingerprint(path: Path, folder: Path, name: str) -> str:
    """Hash what decides the outcome of strategy `name` in `path`; see the module's docstring."""
    digest = hashlib.sha256()
    parameters = path.with_suffix(".json"), path.with_name(f"{name}.json")
    for used in sorted({*_closure(path, folder), *(one for one in parameters if one.is_file())}):
        digest.update(str(used.relative_to(folder)).encode() + b"\0")
        digest.update(hashlib.sha256(used.read_bytes()).digest())
    return digest.hexdigest()


def _strategies_in(path: Path) -> Iterator[tuple[str, str | None]]:
    tree = _parse(path.read_bytes())
    if isinstance(tree, str):
        yield path.stem, tree
        return
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name, node in classes.items():
        if not _is_abstract(node) and _leads_to_strategy(name, classes, set()):
            yield name, None


def _leads_to_strategy(name: str, classes: dict[str, ast.ClassDef], seen: set[str]) -> bool:
    if name in seen:
        return False
    for base in map(_last_name, classes[name].bases):
        if base in classes:
            if _leads_to_strategy(base, classes, {*seen, name}):
                return True
        elif base in _ROOTS or base.endswith("Strategy"):
            return True
    return False


def _is_abstract(node: ast.ClassDef) -> bool:
    bases = {*map(_last_name, node.bases), *(_last_name(key.value) for key in node.keywords)}
    return bool(bases & _ABSTRACT)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@lru_cache(maxsize=1024)
def _parse(text: bytes) -> ast.Module | str:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f"not valid Python: {getattr(error, 'msg', error)}" + (
            f" (line {line})" if line else ""
        )


def _closure(path: Path, folder: Path) -> set[Path]:
    """Collect `path` and the files under `folder` that it imports, through any number of steps."""
    seen: set[Path] = set()
    open_files = [path]
    while open_files:
        current = open_files.pop()
        if current in seen:
            continue
        seen.add(current)
        for module in _imports(current):
            open_files.extend(_files_of(module, folder))
    return seen


def _imports(path: Path) -> set[str]:
    """Name the top modules that a file imports, and what else it may read."""
    tree = _parse(path.read_bytes()) if path.suffix == ".py" else ""
    if isinstance(tree, str):
        return set()
    return {name for node in ast.walk(tree) for name in _imported_by(node)}


def _imported_by(node: ast.AST) -> Iterable[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name.partition(".")[0] for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module.partition(".")[0]]
        case ast.Call(func=func) if _last_name(func) in {"import_module", "__import__"}:
            return [_ALL]
        case ast.Name(id="sys" | "importlib" | "runpy" | "exec") | ast.Attribute(attr="__path__"):
            return [_ALL]
        case ast.Name(id="open" | "Path"):
            return [_FILES]
        case _:  # a relative import is inside a package, which is taken whole
            return []


def _files_of(module: str, folder: Path) -> list[Path]:
    if module == _ALL:
        return [path for path in folder.rglob("*") if _counts(path)]
    if module == _FILES:
        return [path for path in folder.rglob("*") if _counts(path) and _is_data(path)]
    package, file = folder / module, folder / f"{module}.py"
    if package.is_dir():
        return [path for path in package.rglob("*") if _counts(path)]
    return [file] if file.is_file() else []


def _is_data(path: Path) -> bool:
    """Whether it is no code and, by Freqtrade's naming, no strategy's parameter file."""
    is_parameters = path.suffix == ".json" and path.with_suffix(".py").is_file()
    return path.suffix != ".py" and not is_parameters


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
