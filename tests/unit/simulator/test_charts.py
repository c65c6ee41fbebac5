from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.simulator import open_market
from automation.simulator.charts import BlockCache, Chart
from automation.simulator.timeframes import HOUR_MS, MINUTE_MS, timeframe

START = datetime(2024, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
AGG = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def chart_of(folder, name, kind="trade", shift_ms=0, **options):
    market = open_market(folder)
    return Chart(market, market.instruments["BTCUSDT"], kind, timeframe(name), shift_ms, **options)


def rows_of(chart):
    first, stop = chart.bounds
    text = b"[" + b"".join(chart.encoded(first, stop))[1:] + b"]"
    return orjson.loads(text)


def resampled(values, minutes, rule, shift_ms=0):
    """What pandas makes of candles that open every `minutes`, on the shifted grid."""
    times = pd.date_range(START, periods=len(values), freq=f"{minutes}min")
    frame = pd.DataFrame(values, columns=list(AGG), index=times + pd.Timedelta(shift_ms, "ms"))
    return frame.resample(rule).agg(AGG)


@pytest.mark.parametrize("name", ["5m", "15m", "30m", "1h", "4h", "12h", "1d"])
@pytest.mark.parametrize("shift_h", [0, 1, 7, 25])
def test_every_timeframe_on_every_shift_equals_pandas(put, walk, name, shift_h):
    values = walk(3 * 288)
    chart = chart_of(put("5m", "futures", values), name, shift_ms=shift_h * HOUR_MS)
    rule = name.replace("m", "min").replace("1d", "1D")
    expected = resampled(values, 5, rule, shift_h * HOUR_MS)
    rows = rows_of(chart)
    opens = expected.index.as_unit("ms").astype("int64").tolist()
    assert [row[0] for row in rows] == opens
    got = np.array([[float(x) for x in row[1:6]] for row in rows])
    assert np.array_equal(got[:, :4], expected.to_numpy()[:, :4])
    np.testing.assert_allclose(got[:, 4], expected["volume"], rtol=1e-12)
    assert all(row[6] == row[0] + timeframe(name).length_ms - 1 for row in rows)


def test_own_file_comes_first_then_the_finest(put, walk):
    own, fine = walk(48, seed=1), walk(48 * 12, seed=2)
    put("5m", "futures", fine)
    folder = put("1h", "futures", own)
    assert np.array_equal(chart_of(folder, "1h").values(*chart_of(folder, "1h").bounds), own)
    chart = chart_of(folder, "30m")
    expected = resampled(fine, 5, "30min").to_numpy()
    assert np.array_equal(chart.values(*chart.bounds)[:, :4], expected[:, :4])


def test_a_file_on_other_boundaries_is_not_used(put, walk):
    own, fine = walk(12, seed=1), walk(12 * 48, seed=2)
    put("5m", "futures", fine)
    chart = chart_of(put("4h", "futures", own), "4h", shift_ms=HOUR_MS)
    expected = resampled(fine, 5, "4h", HOUR_MS).to_numpy()
    assert np.array_equal(chart.values(*chart.bounds)[:, :4], expected[:, :4])


def test_files_of_different_ranges_are_joined(put, walk):
    """1m runs from 02:30 on only: 02:00 comes from 5m, 03:00 from 1m."""
    coarse, fine = walk(5 * 12, seed=1), walk(150, seed=2)
    put("5m", "futures", coarse)
    folder = put("1m", "futures", fine, start=START + timedelta(hours=2, minutes=30))
    chart = chart_of(folder, "1h")
    got = chart.values(*chart.bounds)
    assert np.array_equal(got[:3, :4], resampled(coarse, 5, "1h").to_numpy()[:3, :4])
    late = fine[30:90]
    assert got[3].tolist()[:4] == [late[0, 0], late[:, 1].max(), late[:, 2].min(), late[-1, 3]]


def test_holes_are_flat_without_volume(put, walk):
    values = walk(20)
    keep = np.array([i not in {5, 6, 7} for i in range(20)])
    got = chart_of(put("5m", "futures", values, keep=keep), "5m")
    rows = got.values(*got.bounds)
    assert rows[5:8].tolist() == [[values[4, 3]] * 4 + [0.0]] * 3
    assert np.array_equal(rows[keep], values[keep])


def test_a_hole_is_filled_from_the_close_before_its_block(put, walk):
    values = walk(5000)
    keep = np.ones(5000, bool)
    keep[1000:4000] = False  # longer than a block
    chart = chart_of(put("5m", "futures", values, keep=keep), "5m")
    rows = np.array([[float(x) for x in row[1:6]] for row in rows_of(chart)])
    assert (rows[1000:4000, :4] == values[999, 3]).all()
    assert np.array_equal(rows[keep], values[keep])


def test_shorter_candles_than_the_data_only_where_asked_for(put, walk):
    folder = put("15m", "futures", walk(8))
    assert chart_of(folder, "5m").bounds == (0, 0)
    chart = chart_of(folder, "5m", interpolates=True)
    got = chart.values(*chart.bounds)
    expected = walk(8)
    assert np.array_equal(got[::3, 0], expected[:, 0])
    assert np.array_equal(got[2::3, 3], expected[:, 3])
    assert np.array_equal(got[:, 1].reshape(8, 3).max(axis=1), expected[:, 1])


def test_stored_mark_candles_are_served_as_they_are(put, walk):
    marks = walk(24, seed=3)
    marks[:, 4] = 0
    put("1h", "futures", walk(24))
    chart = chart_of(put("1h", "mark", marks), "1h", "mark")
    assert np.array_equal(chart.values(*chart.bounds), marks)


def test_without_mark_candles_the_mark_is_the_traded_price(put, walk):
    values = walk(24)
    chart = chart_of(put("1h", "futures", values), "1h", "mark")
    assert np.array_equal(chart.values(*chart.bounds)[:, :4], values[:, :4])


def test_eight_hourly_marks_lead_the_hours_between(put, walk):
    """Where mark is 1 % above trades at 0, 8 and 16 o'clock, it is so in between."""
    values = walk(48)
    put("1h", "futures", values)
    marks = values.copy() * 1.01
    chart = chart_of(put("1h", "mark", marks, keep=np.arange(48) % 8 == 0), "1h", "mark")
    got = chart.values(*chart.bounds)[:, 0]
    np.testing.assert_allclose(got, values[: len(got), 0] * 1.01, rtol=1e-9)


def test_a_sparse_mark_file_does_not_make_longer_candles(put, walk):
    """One row of eight hours in an hourly file is no candle of eight hours."""
    values = walk(48)
    put("1h", "futures", values)
    marks = np.repeat(values[:, :1], 5, axis=1)
    chart = chart_of(put("1h", "mark", marks, keep=np.arange(48) % 8 == 0), "8h", "mark")
    expected = resampled(values, 60, "8h").to_numpy()
    np.testing.assert_allclose(chart.values(*chart.bounds)[:, 1], expected[:, 1], rtol=1e-9)


def test_premium_and_index_follow_the_funding_rate(put, walk):
    put("1h", "futures", walk(48))
    folder = put("8h", "funding_rate", np.full(6, 0.0006))
    (folder / "futures" / "BTC_USDT_USDT-8h-funding_rate.feather").rename(
        folder / "futures" / "BTC_USDT_USDT-1h-funding_rate.feather"
    )
    premium = chart_of(folder, "1h", "premium")
    assert (premium.values(*premium.bounds)[:, :4] == 0.0005).all()
    index = chart_of(folder, "1h", "index")
    ratio = walk(48)[:, 0] / index.values(*index.bounds)[:, 0]
    np.testing.assert_allclose(ratio, 1.0005, rtol=1e-6)


@given(low=st.integers(0, 2999), length=st.integers(0, 1500))
def test_any_slice_of_blocks_is_the_slice_of_all(shared_chart, low, length):
    chart, everything = shared_chart
    first = chart.bounds[0] + low
    stop = min(first + length, chart.bounds[1])
    text = b"[" + b"".join(chart.encoded(first, stop))[1:] + b"]"
    assert orjson.loads(text) == everything[low : low + length]


@pytest.fixture(scope="module")
def shared_chart(tmp_path_factory, walk):
    from automation.simulator.feather import CANDLE_COLUMNS, write_feather

    folder = tmp_path_factory.mktemp("data") / "futures"
    folder.mkdir()
    times = START_MS + np.arange(3000, dtype=np.int64) * 5 * MINUTE_MS
    columns = dict(zip(CANDLE_COLUMNS, walk(3000).T, strict=True))
    write_feather(folder / "BTC_USDT_USDT-5m-futures.feather", times, columns)
    chart = chart_of(folder, "5m", cache=BlockCache(most_bytes=150_000))
    return chart, rows_of(chart)


def test_memory_for_encoded_rows_is_bounded(put, walk):
    cache = BlockCache(most_bytes=150_000)
    chart = chart_of(put("5m", "futures", walk(5000)), "5m", cache=cache)
    rows_of(chart)
    assert cache.size_bytes <= 300_000
