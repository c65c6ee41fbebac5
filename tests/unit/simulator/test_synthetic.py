from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.core.errors import ConfigError
from automation.simulator import open_market
from automation.simulator.candles import aggregate
from automation.simulator.charts import Chart
from automation.simulator.synthetic import EPOCH_MS
from automation.simulator.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, timeframe

MINUTE, HOUR = timeframe("1m"), timeframe("1h")
FIVE_YEARS = 5 * 365
symbols = st.sampled_from(["BTCUSDT", "SOLUSDT", "DOGEUSDT", "TRXUSDT"])
seeds = st.integers(0, 2**32 - 1)
days = st.integers(0, FIVE_YEARS)


def minutes(market, symbol, day, count=1):
    start = EPOCH_MS + day * DAY_MS
    return market.read(symbol, "trade", MINUTE, start, start + count * DAY_MS)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, symbol=symbols, day=days)
def test_candles_are_candles_on_the_grid(seed, symbol, day):
    market = open_market(seed)
    values = minutes(market, symbol, day).values
    rules = market.instruments[symbol].rules
    assert (values[:, 1] >= values[:, (0, 3)].max(axis=1)).all()
    assert (values[:, 2] <= values[:, (0, 3)].min(axis=1)).all()
    assert (values[:, 2] > 0).all()
    assert (values[:, 4] > 0).all()
    assert np.array_equal(np.round(values[:, :4], rules.tick_decimals), values[:, :4])
    assert np.array_equal(np.round(values[:, 4], rules.quantity_precision), values[:, 4])


@settings(max_examples=25, deadline=None)
@given(seed=seeds, symbol=symbols, day=days)
def test_each_candle_opens_where_the_last_closed(seed, symbol, day):
    values = minutes(open_market(seed), symbol, day, 2).values
    assert np.array_equal(values[1:, 0], values[:-1, 3])


@settings(max_examples=15, deadline=None)
@given(seed=seeds, symbol=symbols, asked=st.lists(days, min_size=1, max_size=4), day=days)
def test_a_day_is_the_same_whatever_was_asked_before(seed, symbol, asked, day):
    fresh, used = open_market(seed), open_market(seed)
    for other in asked:
        minutes(used, "ETHUSDT", other)
        used.ratio(symbol, "index", np.array([EPOCH_MS + other * DAY_MS + 1]))
    assert np.array_equal(minutes(fresh, symbol, day).values, minutes(used, symbol, day).values)
    window = EPOCH_MS + day * DAY_MS, EPOCH_MS + (day + 3) * DAY_MS
    assert np.array_equal(fresh.funding(symbol, *window).rate, used.funding(symbol, *window).rate)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, day=days, low=st.integers(0, 3000), length=st.integers(0, 3000))
def test_a_window_is_the_slice_of_a_larger_one(seed, day, low, length):
    market, start = open_market(seed), EPOCH_MS + day * DAY_MS
    whole = market.read("BTCUSDT", "trade", MINUTE, start, start + 5 * DAY_MS)
    begin = start + low * MINUTE_MS
    part = open_market(seed).read("BTCUSDT", "trade", MINUTE, begin, begin + length * MINUTE_MS)
    assert np.array_equal(part.open_ms, whole.open_ms[low : low + length])
    assert np.array_equal(part.values, whole.values[low : low + length])


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    day=days,
    name=st.sampled_from(["3m", "5m", "15m", "1h", "2h", "4h", "8h", "1d", "1w"]),
    kind=st.sampled_from(["trade", "mark", "index"]),
    shift_h=st.integers(-30, 30),
)
def test_all_timeframes_agree_exactly(seed, day, name, kind, shift_h):
    market, frame, shift_ms = open_market(seed), timeframe(name), shift_h * HOUR_MS
    chart = Chart(market, market.instruments["SOLUSDT"], kind, frame, shift_ms)
    first = frame.number(EPOCH_MS + (day + 40) * DAY_MS + shift_ms)
    edges = frame.opens(first, first + 4) - shift_ms
    rows = market.read("SOLUSDT", kind, MINUTE, int(edges[0]), int(edges[-1]))
    assert np.array_equal(chart.values(first, first + 3), aggregate(rows, edges))


def test_seeds_differ():
    one, two = (minutes(open_market(seed), "BTCUSDT", 1000).values for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_history_is_long_and_the_future_is_open():
    market = open_market(3)
    now = int(datetime.now(UTC).timestamp() * 1000)
    assert now - market.instruments["BTCUSDT"].first_ms > 400 * DAY_MS
    ahead = market.read("BTCUSDT", "trade", HOUR, now + 100 * DAY_MS, now + 101 * DAY_MS)
    assert len(ahead) == 24
    assert market.instruments["BTCUSDT"].end_ms is None


@pytest.fixture(scope="module")
def hourly():
    """Two years of hourly returns of all pairs; shape (pairs, hours)."""
    market = open_market(11)
    start = EPOCH_MS + 1000 * DAY_MS
    closes = [
        market.read(symbol, "trade", HOUR, start, start + 730 * DAY_MS).values[:, 3]
        for symbol in market.instruments
    ]
    return np.diff(np.log(np.array(closes)), axis=1)


def test_returns_cluster_have_fat_tails_and_move_together(hourly):
    calm = np.clip(hourly, *np.quantile(hourly, (0.001, 0.999)))  # without the jumps
    size = np.abs(calm) - np.abs(calm).mean(axis=1, keepdims=True)
    clustering = (size[:, 24:] * size[:, :-24]).mean(axis=1) / size.var(axis=1)
    assert clustering.min() > 0.05
    centred = hourly - hourly.mean(axis=1, keepdims=True)
    kurtosis = (centred**4).mean(axis=1) / (centred**2).mean(axis=1) ** 2
    assert kurtosis.min() > 5
    correlation = np.corrcoef(calm)
    assert correlation.min() > 0.3
    assert correlation[~np.eye(len(correlation), dtype=bool)].max() < 0.95


def test_there_are_trends_and_ranges(hourly):
    """Monthly moves, against the month's own noise, are both larger and smaller than chance."""
    months = hourly[:, : 24 * 720].reshape(len(hourly), 24, 720)
    strength = np.abs(months.sum(axis=2)) / (months.std(axis=2) * np.sqrt(720))
    assert (strength > 1.5).mean() > 0.08
    assert (strength < 0.5).mean() > 0.3


def test_mark_is_near_index_and_funding_follows_the_basis():
    market = open_market(5)
    start = EPOCH_MS + 800 * DAY_MS
    rates = market.funding("ETHUSDT", start, start + 400 * DAY_MS)
    mark = market.ratio("ETHUSDT", "mark", rates.time_ms)
    index = market.ratio("ETHUSDT", "index", rates.time_ms)
    premium = mark / index - 1
    assert np.abs(premium).max() < 0.01
    assert np.corrcoef(premium, rates.rate)[0, 1] > 0.8
    assert (rates.rate == 0.0001).mean() > 0.2
    assert (np.diff(rates.time_ms) == 8 * HOUR_MS).all()


def test_unknown_pair():
    with pytest.raises(ConfigError, match="has no PEPE/USDT:USDT; choose from BTC/USDT:USDT"):
        open_market(1, ["PEPE/USDT:USDT"])


def test_pairs_can_be_chosen_without_changing_them():
    alone = open_market(9, ["SOL/USDT:USDT"])
    assert alone.pairs == ("SOL/USDT:USDT",)
    together = open_market(9)
    assert np.array_equal(
        minutes(alone, "SOLUSDT", 77).values, minutes(together, "SOLUSDT", 77).values
    )
