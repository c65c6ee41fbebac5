"""The order of equal dates is numpy's own, which Freqtrade's MaxDrawdown sums trades in."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from automation.worker.kernel.ordering import matches_numpy, quicksort


@given(st.lists(st.integers(0, 30), min_size=1, max_size=300))
def test_sorted_dates_stand_as_pandas_puts_them(closes):
    keys = np.sort(np.array(closes, dtype=np.int64))
    places = np.arange(len(keys))
    assert quicksort(keys, places)
    frame = pd.DataFrame(
        {"date": pd.to_datetime(keys, unit="s", utc=True), "row": range(len(keys))}
    )
    assert (frame.sort_values("date")["row"].to_numpy() == places).all()


def test_the_installed_numpy_agrees():
    assert matches_numpy(seed=1)
