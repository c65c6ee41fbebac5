"""The exchange as a fixture."""

import pytest

from tests.unit.simulator.trading.table import Table


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def make_table():
    return Table
