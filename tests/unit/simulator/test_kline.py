"""The moving candle alone reads as it would among others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.simulator import kline
from automation.simulator.rules import KNOWN

cents = st.integers(1, 10**8)


@pytest.mark.parametrize("kind", ["trade", "mark", "premium"])
@given(data=st.data(), symbol=st.sampled_from(sorted(KNOWN)), finer=st.integers(0, 3))
@settings(max_examples=150)
def test_one_candle_is_encoded_as_in_a_block(kind, data, symbol, finer):
    rules = KNOWN[symbol]
    unit = 10.0 ** (rules.tick_decimals + finer)
    four = [data.draw(cents) / unit for _ in range(4)]
    volume = data.draw(st.integers(0, 10**9)) / 10.0**rules.quantity_precision
    if kind == "premium":
        four = [each / 1e8 * data.draw(st.sampled_from([1, -1])) for each in (1, 2, 3, 4)]
    values = np.array([four[0], max(four), min(four), four[3], volume])
    opens = np.array([60_000, 120_000], np.int64)
    expected, _ = kline.encode(kind, rules, opens, values[None, :])
    assert kline.encode_one(kind, rules, (60_000, 120_000), values) == expected
