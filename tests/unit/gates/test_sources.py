"""Which classes are strategies, and what belongs to a fingerprint."""

import pytest

from automation.core.errors import ConfigError
from automation.gates.sources import find_sources


def fingerprints(root) -> dict[str, str]:
    return {one.name: one.fingerprint for one in find_sources(root / "strategies")}


def test_finds_strategies_and_not_their_abstract_bases(checkout):
    checkout.write(
        "strategies/Family.py",
        "from abc import ABC\nfrom other import SomeStrategy\n"
        "class Parent(SomeStrategy, ABC): pass\nclass Child(Parent): pass\nclass Plain: pass\n",
    )
    assert [one.name for one in find_sources(checkout.root / "strategies")] == [
        "Alpha",
        "Beta",
        "Child",
    ]


@pytest.mark.parametrize(
    ("path", "text", "touched"),
    [
        ("strategies/Alpha.py", None, {"Alpha"}),
        ("strategies/kit/maths.py", None, {"Alpha", "Beta"}),
        ("strategies/kit/new.py", "A = 1\n", {"Alpha", "Beta"}),
        ("strategies/Alpha.json", '{"params": {}}', {"Alpha"}),
        ("strategies/unrelated.txt", "x", set()),
        ("strategies/other/maths.py", "x = 1\n", set()),
        ("strategies/kit/__pycache__/maths.cpython-311.pyc", "x", set()),
    ],
)
def test_a_change_touches_what_imports_it(checkout, path, text, touched):
    before = fingerprints(checkout.root)
    checkout.write(path, text if text is not None else checkout.read(path) + "# more\n")
    after = fingerprints(checkout.root)
    assert {name for name in after if after[name] != before[name]} == touched


@pytest.mark.parametrize(
    "line",
    [
        "import importlib\nhelp = importlib.import_module('hidden')",
        "from pathlib import Path\ndata = Path('hidden.csv')",
        "data = open('hidden.csv')",
        "import sys\nsys.path.append('elsewhere')",
    ],
)
def test_computed_imports_and_files_take_the_whole_folder(checkout, line):
    checkout.write("strategies/Alpha.py", line + "\n" + checkout.read("strategies/Alpha.py"))
    before = fingerprints(checkout.root)
    checkout.write("strategies/hidden.csv", "1")
    after = fingerprints(checkout.root)
    assert after["Alpha"] != before["Alpha"]
    assert after["Beta"] == before["Beta"]


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("from pathlib import Path\ndata = Path('hidden.csv')", False),
        ("data = open('hidden.csv')", False),
        ("import importlib\nhelp = importlib.import_module('Beta')", True),
        ("exec('import Beta')", True),
    ],
)
def test_who_only_opens_files_does_not_follow_other_strategies(checkout, line, follows):
    """A kit that reads a model must not make each strategy depend on every other one."""
    checkout.write(
        "strategies/kit/maths.py", line + "\n" + checkout.read("strategies/kit/maths.py")
    )
    before = fingerprints(checkout.root)
    checkout.write("strategies/Beta.py", checkout.read("strategies/Beta.py") + "# more\n")
    checkout.write("strategies/Beta.json", "{}")
    after = fingerprints(checkout.root)
    assert after["Beta"] != before["Beta"]
    assert (after["Alpha"] != before["Alpha"]) == follows


def test_through_several_files(checkout):
    checkout.write("strategies/one.py", "import two\n")
    checkout.write("strategies/two.py", "VALUE = 1\n")
    checkout.write("strategies/Alpha.py", "import one\n" + checkout.read("strategies/Alpha.py"))
    before = fingerprints(checkout.root)
    checkout.write("strategies/two.py", "VALUE = 2\n")
    assert fingerprints(checkout.root)["Alpha"] != before["Alpha"]


def test_a_file_that_is_not_python_is_listed_with_its_fault(checkout):
    checkout.write("strategies/Broken.py", "class Broken(IStrategy)\n    pass\n")
    found = {one.name: one.fault for one in find_sources(checkout.root / "strategies")}
    assert found["Alpha"] is None
    assert found["Broken"] == "not valid Python: expected ':' (line 1)"


def test_no_folder(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        find_sources(tmp_path / "none")
