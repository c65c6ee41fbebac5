import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automation.simulator.path import part, price_along, split, turning_points

seeds = st.integers(0, 2**32 - 1)
fractions = st.floats(0, 1)


@given(seed=seeds, fraction=fractions)
def test_price_stays_inside_its_candle_and_on_the_grid(walk, seed, fraction):
    candle = walk(1, seed)
    price = price_along(turning_points(candle)[0], fraction, 1)
    assert candle[0, 2] <= price <= candle[0, 1]
    assert round(price, 1) == price


@given(seed=seeds)
def test_path_begins_at_open_touches_both_extremes_and_ends_at_close(walk, seed):
    candle = walk(1, seed)
    points = turning_points(candle)[0]
    touched = [price_along(points, fraction, 1) for fraction in (0.0, 1 / 3, 2 / 3, 1.0)]
    assert touched[0] == candle[0, 0]
    assert {max(touched), min(touched)} == {candle[0, 1], candle[0, 2]}
    assert touched[-1] == candle[0, 3]


@given(seed=seeds, fraction=fractions)
def test_a_candle_only_grows_while_it_is_made(walk, seed, fraction):
    candle = walk(1, seed)[0]
    early, late = part(candle, 0.0, fraction, 1, 3), part(candle, 0.0, 1.0, 1, 3)
    assert early[0] == candle[0]
    assert early[2] <= early[3] <= early[1]
    assert early[1] <= candle[1]
    assert early[2] >= candle[2]
    assert early[4] <= candle[4]
    assert np.array_equal(late, candle)


@given(seed=seeds, parts=st.sampled_from([2, 3, 5, 12]))
def test_pieces_add_up_to_the_candle(walk, seed, parts):
    candles = walk(7, seed)
    pieces = split(candles, parts, 1, 3).reshape(7, parts, 5)
    assert np.array_equal(pieces[:, 0, 0], candles[:, 0])
    assert np.array_equal(pieces[:, :, 1].max(axis=1), candles[:, 1])
    assert np.array_equal(pieces[:, :, 2].min(axis=1), candles[:, 2])
    assert np.array_equal(pieces[:, -1, 3], candles[:, 3])
    np.testing.assert_allclose(pieces[:, :, 4].sum(axis=1), candles[:, 4], atol=1e-9)
    assert np.array_equal(pieces[:, 1:, 0], pieces[:, :-1, 3])


@given(seed=seeds, fraction=st.floats(0, 0.33))
def test_extremes_are_not_told_before_they_are_reached(walk, seed, fraction):
    candle = walk(1, seed)
    price = price_along(turning_points(candle)[0], fraction, 1)
    early = part(candle[0], 0.0, fraction, 1, 3)
    assert early[1] == max(candle[0, 0], price)
    assert early[2] == min(candle[0, 0], price)
