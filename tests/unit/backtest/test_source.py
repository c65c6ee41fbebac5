"""Strategy files are found and read without being run."""

import pytest

from automation.backtest.source import find_strategy
from automation.core.errors import ConfigError

BASE = "class Base(IStrategy):\n    timeframe: str = '15m'\n"
PLAIN = "import os\nclass Plain(IStrategy):\n    timeframe = '5m'\n"
CHILD = "from base import Base\nclass Child(Base):\n    pass\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Plain.py").write_text(PLAIN)
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "Child.py").write_text(CHILD)
    return tmp_path


def test_finds_the_file_and_its_timeframe(folder):
    found = find_strategy("Plain", folder)
    assert (found.path, found.timeframe) == (folder / "Plain.py", "5m")


def test_timeframe_of_a_base_class_beside_it(folder):
    assert find_strategy("Child", folder).timeframe == "15m"


def test_timeframe_of_a_base_class_in_a_package(folder):
    (folder / "kit").mkdir()
    (folder / "kit" / "base.py").write_text("class Kit(IStrategy):\n    timeframe = '1h'\n")
    (folder / "Fine.py").write_text("from kit.base import Kit as K\nclass Fine(K):\n    pass\n")
    assert find_strategy("Fine", folder).timeframe == "1h"


def test_timeframe_that_is_computed_is_unknown(folder):
    (folder / "Odd.py").write_text("class Odd(IStrategy):\n    timeframe = str(5) + 'm'\n")
    assert find_strategy("Odd", folder).timeframe is None


def test_near_miss_is_named(folder):
    with pytest.raises(ConfigError, match=r"no strategy is named Plan; did you mean Plain\?"):
        find_strategy("Plan", folder)


def test_without_near_miss_all_are_named(folder):
    with pytest.raises(ConfigError, match="there are: Base, Child, Plain"):
        find_strategy("Zzz", folder)


def test_missing_folder(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        find_strategy("Plain", tmp_path / "none")


def test_syntax_error_is_named_with_its_line(folder):
    (folder / "Broken.py").write_text("class Broken(IStrategy):\n    timeframe = = 5\n")
    with pytest.raises(ConfigError, match=r"Broken\.py:2: not valid Python"):
        find_strategy("Broken", folder)


def test_circular_bases_end(folder):
    (folder / "Loop.py").write_text("class A(B):\n    pass\nclass B(A):\n    pass\n")
    assert find_strategy("A", folder).timeframe is None
