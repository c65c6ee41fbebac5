import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.simulator.timeframes import HOUR_MS, LENGTHS_MS, timeframe

instants = st.integers(1_400_000_000_000, 2_000_000_000_000)


@pytest.mark.parametrize("name", LENGTHS_MS)
@given(at=instants)
def test_candle_contains_its_instant(name, at):
    frame = timeframe(name)
    number = frame.number(at)
    assert frame.open_ms(number) <= at < frame.open_ms(number + 1)
    assert frame.opens(number, number + 2).tolist() == [
        frame.open_ms(number),
        frame.open_ms(number + 1),
    ]


@pytest.mark.parametrize(
    ("name", "rule"), [("5m", "5min"), ("4h", "4h"), ("1d", "1D"), ("1w", "W-MON"), ("1M", "MS")]
)
def test_boundaries_are_those_of_the_calendar(name, rule):
    frame = timeframe(name)
    grid = pd.date_range("2023-12-01", "2024-03-15", freq=rule, tz="UTC").as_unit("ms")
    first = frame.number(int(grid[0].timestamp() * 1000))
    assert frame.opens(first, first + len(grid)).tolist() == grid.astype("int64").tolist()


def test_which_candles_make_which():
    assert timeframe("1h").is_made_of(timeframe("5m"))
    assert timeframe("1M").is_made_of(timeframe("1d"))
    assert timeframe("1w").is_made_of(timeframe("1d"))
    assert not timeframe("1M").is_made_of(timeframe("1w"))
    assert not timeframe("5m").is_made_of(timeframe("3m"))
    assert not timeframe("1M").is_made_of(timeframe("3d"))


def test_a_shift_of_hours_keeps_hours_and_breaks_longer_candles():
    assert timeframe("1h").fits(5 * HOUR_MS)
    assert not timeframe("4h").fits(5 * HOUR_MS)
    assert not timeframe("1M").fits(24 * HOUR_MS)
