import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from automation.simulator.candles import Candles, aggregate, fill_holes, moved_by_ratio

AGG = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


@given(
    rows=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
    length=st.sampled_from([3, 5, 12, 60]),
    offset=st.integers(0, 59),
    holes=st.floats(0, 0.5),
)
def test_aggregation_equals_pandas(walk, rows, seed, length, offset, holes):
    draw = np.random.default_rng(seed)
    keep = draw.random(rows) >= holes
    keep[draw.integers(rows)] = True
    minutes = (offset + np.arange(rows))[keep]
    values = walk(rows, seed)[keep]
    edges = np.arange(minutes[0] // length, minutes[-1] // length + 2) * length
    frame = pd.DataFrame(values, columns=list(AGG))
    expected = frame.groupby(minutes // length).agg(AGG)
    got = aggregate(Candles(minutes * 60_000, values), edges * 60_000)
    numbers = edges[:-1] // length
    present = np.isin(numbers, expected.index)
    assert np.isnan(got[~present]).all()
    assert (got[present][:, :4] == expected.to_numpy()[:, :4]).all()
    np.testing.assert_allclose(got[present][:, 4], expected["volume"], rtol=1e-12)


@given(hnp.arrays(np.int64, st.integers(2, 100), elements=st.integers(0, 10**6)))
def test_volumes_add_up_without_rounding_dirt(thousandths):
    rows = len(thousandths)
    values = np.column_stack((np.ones((rows, 4)), thousandths / 1000))
    times = np.arange(rows, dtype=np.int64)
    total = aggregate(Candles(times, values), np.array([0, rows]))[0, 4]
    assert total == int(thousandths.sum()) / 1000


def test_huge_volumes_do_not_overflow():
    values = np.column_stack((np.ones((4, 4)), np.full(4, 3e11)))
    total = aggregate(Candles(np.arange(4), values), np.array([0, 4]))[0, 4]
    assert total == 1.2e12


@given(rows=st.integers(1, 60), seed=st.integers(0, 2**32 - 1), before=st.booleans())
def test_holes_are_filled_as_freqtrade_fills_them(walk, rows, seed, before):
    draw = np.random.default_rng(seed)
    values = walk(rows, seed)
    holes = draw.random(rows) < 0.4
    values[holes] = np.nan
    close_before = 77.5 if before else float("nan")
    frame = pd.DataFrame(values.copy(), columns=list(AGG))
    closes = pd.concat([pd.Series([close_before]), frame["close"]]).ffill().to_numpy()[1:]
    for column in ("open", "high", "low", "close"):
        frame[column] = frame[column].fillna(pd.Series(closes))
    frame["volume"] = frame["volume"].fillna(pd.Series(np.where(np.isnan(closes), np.nan, 0.0)))
    filled = fill_holes(values, close_before)
    assert np.array_equal(filled, frame.to_numpy(), equal_nan=True)


@given(seed=st.integers(0, 2**32 - 1), begin=st.floats(0.98, 1.02), end=st.floats(0.98, 1.02))
def test_moved_candles_stay_candles(walk, seed, begin, end):
    moved = moved_by_ratio(walk(20, seed), np.full(20, begin), np.full(20, end))
    assert (moved[:, 1] >= moved[:, (0, 3)].max(axis=1)).all()
    assert (moved[:, 2] <= moved[:, (0, 3)].min(axis=1)).all()
    assert (moved[:, 4] == 0).all()
