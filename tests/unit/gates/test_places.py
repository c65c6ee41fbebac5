"""A column is traced to the line that writes it."""

import pytest

from automation.gates.places import line_of

SOURCE = """class Other: pass
class S(IStrategy):
    def populate_indicators(self, dataframe, metadata):
        dataframe["mean"] = 1
        dataframe.loc[:, "low_band"] = 2
        dataframe["a"], dataframe["b"] = 3, 4
        dataframe["mean"] += 1
        return dataframe.assign(slope=5)

    def columns(self, candles):
        return {
            "trend": 6,
        }

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["mean"] > 0, ["enter_long", "enter_tag"]] = (1, "x")
        return dataframe
"""


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ("mean", 4),
        ("low_band", 5),
        ("b", 6),
        ("slope", 8),
        ("trend", 12),
        ("enter_long", 16),
        ("enter_tag", 16),
        ("enter_short", 15),
        ("unknown", 3),
    ],
)
def test_lines(tmp_path, column, line):
    path = tmp_path / "S.py"
    path.write_text(SOURCE)
    assert line_of(column, "S", path) == line


def test_without_a_method_the_class_and_without_python_the_first_line(tmp_path):
    path = tmp_path / "S.py"
    path.write_text("x = 1\nclass S(Base):\n    pass\n")
    assert line_of("mean", "S", path) == 2
    path.write_text("class S(")
    assert line_of("mean", "S", path) == 1
    assert line_of("mean", "S", tmp_path / "none.py") == 1
