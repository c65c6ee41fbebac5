"""The house stays as drawn: layers, where freqtrade may be imported, sizes, words."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONG_FOR_A_REASON = {
    "strategies/tradekit/base.py": "one class that Freqtrade calls; docs/adr/0004-frozen-callbacks.md",
}
CODE = ("automation", "strategies", "hyperopts", "tests")
SOURCES = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_import_layers_hold():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_sidecar_starts_without_freqtrade_pandas_or_numba():
    code = "import sys, automation.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"freqtrade", "pandas", "numba", "talib", "pyarrow"} & set(done.stdout.split())
    assert not heavy


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_files_and_functions_keep_their_size(path: Path):
    text = path.read_text(encoding="utf-8")
    if _name(path) not in LONG_FOR_A_REASON:
        assert text.count("\n") <= 500, "a file over 500 lines needs splitting, or a reason"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= 60, f"{node.name} has {size} lines"


@pytest.mark.parametrize("folder", ["automation", "strategies/tradekit", "hyperopts"])
def test_every_module_says_what_it_is_for(folder: str):
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), f"{_name(path)} has no docstring"


def test_nothing_names_this_machine_or_leaves_work_open():
    forbidden = re.compile(
        r"/(?:work|farm|root)/|\bTO" + r"DO\b|\bFIX" + r"ME\b|NotImpl" + "emented"
    )
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = [name for name in listed.stdout.split("\0") if name] or [_name(p) for p in SOURCES]
    for name in names:
        path = ROOT / name
        if path.suffix not in {".py", ".md", ".json", ".yaml", ".yml", ".toml", ".sh"}:
            continue
        if path.exists() and path.name != "test_layers.py":
            found = forbidden.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{name}: {found}"


def test_lock_has_hashes_and_names_no_index():
    lock = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9._-]+(?:\[[^\]]*\])?==", lock, re.MULTILINE | re.IGNORECASE)
    assert len(pins) > 100
    assert lock.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"https?://|--index-url|--find-links", lock)


def test_every_dependency_has_a_lower_bound():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (requirement for group in groups for requirement in group):
        assert ">=" in requirement, requirement
