import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from automation.simulator.encoding import exact, integers, join, literal, numbers

rows = st.integers(1, 40)
floats = st.floats(-1e12, 1e12, allow_nan=False)


def texts(column):
    text, ends = join([column])
    return [text[a:b].decode() for a, b in itertools.pairwise(ends)]


@given(hnp.arrays(np.int64, rows, elements=st.integers(-(2**62), 2**62)), st.integers(0, 9))
def test_integers_print_as_decimals(values, decimals):
    for value, text in zip(values.tolist(), texts(integers(values, decimals)), strict=True):
        sign, digits = "-" if value < 0 else "", str(abs(value)).rjust(decimals + 1, "0")
        whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
        assert text == sign + whole + ("." + part if decimals else "")


@given(hnp.arrays(np.float64, rows, elements=floats), st.integers(0, 8))
def test_any_number_is_printed_exactly(values, decimals):
    for value, text in zip(values.tolist(), texts(numbers(values, decimals)), strict=True):
        assert float(text) == value
        assert "e" not in text.lower()
        assert len(text.partition(".")[2]) >= decimals


@given(hnp.arrays(np.int64, rows, elements=st.integers(0, 10**9)), st.integers(1, 5))
def test_numbers_of_the_grid_have_the_grid_s_decimals(ticks, decimals):
    for text in texts(numbers(ticks / 10.0**decimals, decimals)):
        assert len(text.partition(".")[2]) == decimals


def test_one_odd_value_does_not_lose_its_digits():
    dirt = 0.1 + 0.2
    assert texts(numbers(np.array([dirt, 1.0]), 2)) == ["0.30000000000000004", "1.00"]
    assert exact(dirt, 2) == "0.30000000000000004"


def test_columns_are_joined_row_by_row():
    text, ends = join([literal("[", 2), integers(np.array([7, 12345])), literal("]", 2)])
    assert text == b"[7][12345]"
    assert ends.tolist() == [0, 3, 10]
