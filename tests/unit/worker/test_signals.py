"""What a strategy's own methods may do to a frame, and what then goes to Freqtrade."""

import numpy as np
import pandas as pd
import pytest

from automation.worker.signals import _FrameTags, _unlike


@pytest.fixture
def before():
    dates = pd.date_range("2024-01-01", periods=6, freq="5min", tz="UTC").as_unit("ms")
    prices = {name: np.arange(6.0) + 1 for name in ("open", "high", "low", "close")}
    return pd.DataFrame({"date": dates, **prices, "volume": 1.0})


def moved(frame):
    frame["date"] += pd.Timedelta(minutes=5)


def naive(frame):
    frame["date"] = frame["date"].dt.tz_localize(None)


def words(frame):
    frame["date"] = frame["date"].astype(str)


def unit(frame):
    frame["date"] = frame["date"].dt.as_unit("us")


def zone(frame):
    frame["date"] = frame["date"].dt.tz_convert("Europe/Paris")


def price(frame):
    frame.loc[3, "low"] = 0.5


def gone(frame):
    frame.loc[3, "close"] = np.nan


def signal(frame):
    frame["enter_long"] = 1


def replaced(frame):
    frame["open"] = frame["open"] * 1.0


@pytest.mark.parametrize("change", [signal, unit, zone, replaced])
def test_a_frame_with_the_same_rows_and_prices_may_be_used(before, change):
    after = before.copy(deep=False)
    change(after)
    assert _unlike("A", before, after) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [(moved, "rows of A"), (naive, "rows of A"), (words, "rows of A"), (price, "low of A"), (gone, "close of A")],
)  # fmt: skip
def test_changed_rows_and_prices_are_named(before, change, what):
    after = before.copy(deep=False)
    change(after)
    (found,) = _unlike("A", before, after)
    assert found.startswith(what)
    assert _unlike("A", before, before.iloc[:-1]) != []


def test_prices_that_are_missing_before_and_after_are_the_same(before):
    before["low"] = np.nan
    after = before.copy()
    after["enter_long"] = 1
    assert _unlike("A", before, after) == []


@pytest.mark.parametrize("kind", ["str", object])
def test_tags_are_texts_or_nothing(before, kind):
    before["enter_tag"] = pd.Series(["a", None, "b", np.nan, "a", None], dtype=kind)
    rows = np.array([4, 1, 3, 2])
    assert _FrameTags(before, "enter_tag").at(rows) == ["a", None, None, "b"]
    assert _FrameTags(before, "exit_tag").at(rows) == [None] * 4
    before["exit_tag"] = 1.5
    assert _FrameTags(before, "exit_tag").at(rows) == [None] * 4
