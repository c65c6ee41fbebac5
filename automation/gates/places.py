"""Where in a strategy's sources a column or a callback is written, for findings with file and line.

Reads Python without executing it; the strategy's own file first, then what it imports. Called by
`run`.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

_ENTRY, _EXIT = "populate_entry_trend", "populate_exit_trend"
_SIGNALS = {
    "enter_long": _ENTRY,
    "enter_short": _ENTRY,
    "enter_tag": _ENTRY,
    "exit_long": _EXIT,
    "exit_short": _EXIT,
    "exit_tag": _EXIT,
}


def line_of(column: str, strategy: str, path: Path) -> int:
    """Find the line that writes `column`; else the method that makes it, else the class; from 1."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return 1
    written = sorted(_writes(tree, column))
    if written:
        return written[0]
    methods = {
        node.name: node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    }
    wanted = (_SIGNALS.get(column, "populate_indicators"), "columns")
    for name in wanted:
        if name in methods:
            return methods[name]
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return next((node.lineno for node in classes if node.name == strategy), 1)


def _writes(tree: ast.Module, column: str) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_names(target, column) for target in targets):
                yield node.lineno
        elif isinstance(node, ast.Dict):
            yield from (
                key.lineno for key in node.keys if key is not None and _is_text(key, column)
            )
        elif isinstance(node, ast.Call):
            yield from (key.value.lineno for key in node.keywords if key.arg == column)


def _names(target: ast.expr, column: str) -> bool:
    """Tell whether an assignment's target is df["column"], df.loc[:, "column"] or lists it."""
    if not isinstance(target, ast.Subscript):
        return isinstance(target, ast.Tuple) and any(_names(one, column) for one in target.elts)
    return any(_is_text(node, column) for node in ast.walk(target.slice))


def _is_text(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def lines_of(columns: Sequence[str], strategy: str, path: Path) -> dict[str, int]:
    """Find the line of each column."""
    return {column: line_of(column, strategy, path) for column in columns}
