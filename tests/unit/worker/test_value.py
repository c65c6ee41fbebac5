"""The mean price of several entries, against Freqtrade's own decimals."""

import numpy as np
from freqtrade.util import FtPrecise
from hypothesis import given
from hypothesis import strategies as st

from automation.worker.kernel.layout import MOST_ENTRIES
from automation.worker.kernel.value import decimal_mean

STEPS = st.integers(1, 10**9)


@given(
    st.lists(st.tuples(STEPS, STEPS, st.booleans()), min_size=1, max_size=MOST_ENTRIES),
    st.integers(0, 5),
    st.integers(0, 8),
)
def test_cost_and_mean_price_are_those_of_freqtrades_decimals(entries, amounts, prices):
    coins = [amount / 10**amounts for amount, _, _ in entries]
    # a repriced order stands between two ticks, with all digits of its double
    rates = [price / 10**prices * (1.0015 if odd else 1.0) for _, price, odd in entries]
    cost, held = FtPrecise(0.0), FtPrecise(0.0)
    for coin, rate in zip(coins, rates, strict=True):
        held += FtPrecise(coin)
        cost += FtPrecise(rate) * FtPrecise(coin)
    found = decimal_mean(np.array(coins), np.array(rates), len(coins))
    assert found == (float(cost), float(cost / held))
