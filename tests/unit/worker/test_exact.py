"""The kernel's decimal arithmetic against Freqtrade's and ccxt's own, digit by digit."""

import math

import numpy as np
import pytest
from ccxt import ROUND_DOWN, ROUND_UP
from freqtrade.exchange.exchange_utils import amount_to_precision, price_to_precision
from freqtrade.util import FtPrecise
from hypothesis import assume, given
from hypothesis import strategies as st

from automation.worker.kernel.exact import (
    ceil_steps,
    floor_steps,
    nearest_ratio,
    round8,
    round_steps,
    whole_units,
)

TICK_SIZE = 4
decimals = st.integers(0, 6)
wholes = st.integers(1, 10**8)


@st.composite
def near_prices(draw):
    """A tick of some decimals and a price on it, next to it, between, or anywhere."""
    places = draw(decimals)
    step = draw(st.sampled_from([1, 2, 5, 10, 25]))
    unit = 10.0**places
    base = draw(wholes) / unit
    price = draw(
        st.sampled_from(
            [base, math.nextafter(base, 0), math.nextafter(base, 1e9), base * 1.0000001]
        )
        | st.floats(1e-4, 1e7)
    )
    return price, step, unit, step / unit


@given(near_prices())
def test_stops_round_as_freqtrade_rounds_them(drawn):
    price, step, unit, tick = drawn
    up = price_to_precision(price, tick, TICK_SIZE, rounding_mode=ROUND_UP)
    down = price_to_precision(price, tick, TICK_SIZE, rounding_mode=ROUND_DOWN)
    assert ceil_steps(price, step, unit) / unit == up
    assert floor_steps(price, step, unit) / unit == down


@given(near_prices())
def test_prices_round_half_up_as_ccxt_rounds_them(drawn):
    price, step, unit, tick = drawn
    assert round_steps(price, step, unit) / unit == price_to_precision(price, tick, TICK_SIZE)


@given(near_prices())
def test_amounts_are_truncated_as_freqtrade_truncates_them(drawn):
    amount, step, unit, tick = drawn
    assert floor_steps(amount, step, unit) / unit == amount_to_precision(amount, tick, TICK_SIZE)


@given(
    st.integers(1, 10**8), st.integers(1, 10**7), st.sampled_from([0.0, 0.0002, 0.0005, 0.00045])
)
def test_a_value_with_its_fee_is_the_double_nearest_to_the_decimal(amount, price, fee):
    assume(amount * price <= 9 * 10**13)
    value = FtPrecise(amount / 1e3) * FtPrecise(price / 1e2)
    factor = round((1 - fee) * 10**5)
    assert nearest_ratio(amount * price * factor, 1e10) == float(value - value * FtPrecise(fee))


@given(st.integers(0, 9 * 10**18), st.integers(0, 15))
def test_a_ratio_is_rounded_once(numerator, places):
    assert nearest_ratio(numerator, 10.0**places) == float(
        FtPrecise(numerator) / FtPrecise(10**places)
    )


@given(st.floats(-4e7, 4e7) | st.integers(-(10**14), 10**14).map(lambda k: (k + 0.5) / 1e8))
def test_profits_round_as_python_rounds(value):
    assert round8(value) == round(value, 8)


@pytest.mark.parametrize("value", [0.5e-8, 1.5e-8, -0.5e-8, -2.5e-8, 0.0, 1e-300, 0.00000001])
def test_halves_round_as_python_rounds(value):
    assert round8(value) == round(value, 8)


@given(st.integers(1, 10**12), decimals)
def test_a_decimal_is_found_again_from_its_double(whole, places):
    unit = 10.0**places
    assert whole_units(whole / unit, unit) == whole


def test_a_price_beyond_all_markets_ends():
    assert floor_steps(3.7e20, 1, 100.0) > 0
    assert np.isfinite(float(round_steps(3.7e17, 1, 1e6)))
