"""The modelled book: wide and thin where prices run, deep where much is traded, quiet otherwise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.simulator import open_market
from automation.simulator.book import levels
from automation.simulator.candles import VOLUME
from automation.simulator.ladder import DEEPEST, ladder
from automation.simulator.liquidity import liquidity
from automation.simulator.tape import Tape
from automation.simulator.timeframes import HOUR_MS, MINUTE_MS

BEGIN = 1_704_067_200_000  # 2024-01-01, where `walk` begins


def steady(rows, *, move_frac, volume):
    """Candles that go up and down by `move_frac` around one price."""
    price = 40_000.0
    values = np.empty((rows, 5))
    values[:] = price, price * (1 + move_frac), price * (1 - move_frac), price, volume
    values[:, :VOLUME] = values[:, :VOLUME].round(1)
    return values


@pytest.fixture
def tape(put):
    def make(**kwargs):
        market = open_market(put("1m", "futures", steady(300, **kwargs)))
        return Tape(market, market.instruments["BTCUSDT"])

    return make


AT = BEGIN + 2 * HOUR_MS


def test_spread_and_depth_follow_volatility_and_volume(tape):
    calm = liquidity(tape(move_frac=0.0005, volume=100.0), AT // MINUTE_MS)
    wild = liquidity(tape(move_frac=0.02, volume=100.0), AT // MINUTE_MS)
    busy = liquidity(tape(move_frac=0.0005, volume=2500.0), AT // MINUTE_MS)
    assert wild.spread_ticks > 5 * calm.spread_ticks > 5 * 0
    assert wild.level_steps < calm.level_steps / 5
    assert busy.level_steps == pytest.approx(25 * calm.level_steps, rel=0.15)
    assert busy.spread_ticks <= calm.spread_ticks


def test_volume_within_a_minutes_move_is_the_stated_share(tape):
    made = tape(move_frac=0.001, volume=200.0)
    book = ladder(made, AT)
    sigma = np.log(1.001 / 0.999) / (2 * np.sqrt(np.log(2)))
    count = round(sigma * 40_000 / 0.1)
    assert count < DEEPEST
    within = book.bids[:count].sum() * 0.001
    assert within == pytest.approx(0.5 * 200, rel=0.15)


def test_the_running_candle_is_not_looked_at(put, walk):
    values = walk(120, seed=3)
    early = open_market(put("1m", "futures", values))
    at = BEGIN + 90 * MINUTE_MS
    known = liquidity(Tape(early, early.instruments["BTCUSDT"]), at // MINUTE_MS)
    values[90:, 1] *= 2
    values[90:, VOLUME] *= 2
    late = open_market(put("1m", "futures", values))
    assert liquidity(Tape(late, late.instruments["BTCUSDT"]), at // MINUTE_MS) == known


def test_faults_thin_the_book_and_widen_the_spread(tape):
    made = tape(move_frac=0.001, volume=200.0)
    before = ladder(made, AT)
    made.depth_factor, made.spread_factor = 0.1, 8.0
    after = ladder(made, AT)
    assert after.ask - after.bid == 8 * (before.ask - before.bid)
    assert after.bids.sum() == pytest.approx(before.bids.sum() / 10, rel=0.1)


@given(minutes=st.integers(70, 290), tenth=st.integers(0, 599), limit=st.integers(1, 1000))
def test_any_book_is_ordered_on_the_grid_and_repeats(minutes, tenth, limit, kept_tape):
    at_ms = BEGIN + minutes * MINUTE_MS + tenth * 100
    found = levels(kept_tape, at_ms, limit)
    bids, asks = ([round(float(p) * 10) for p, _ in side] for side in (found.bids, found.asks))
    assert bids == list(range(bids[0], bids[0] - len(bids), -1))
    assert asks == list(range(asks[0], asks[0] + limit))
    price = round(kept_tape.price(at_ms) * 10)
    assert bids[0] < asks[0]
    assert price in {bids[0], asks[0]}
    assert all(float(quantity) > 0 for _, quantity in found.bids + found.asks)
    whole = levels(Tape(kept_tape._market, kept_tape.instrument), at_ms, 1000)
    assert whole.bids[:limit] == found.bids


@pytest.fixture(scope="module")
def kept_tape():
    market = open_market(21)
    return Tape(market, market.instruments["BTCUSDT"])
