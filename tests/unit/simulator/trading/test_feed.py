"""The exchange sees, second by second, the market that everybody is shown."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.simulator import open_market
from automation.simulator.faults.shocks import Shock, ShockedMarket
from automation.simulator.timeframes import timeframe
from automation.simulator.timeline import Timeline
from automation.simulator.trading.feed import TapeFeed
from automation.simulator.trading.sights import NEVER_HIGH, NEVER_LOW, Bounds
from automation.simulator.venue import Venue

START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
SYMBOL = "BTCUSDT"


class Still:
    def now(self):
        return datetime(2026, 3, 3, tzinfo=UTC)

    def monotonic(self):
        return 0.0


@pytest.fixture(scope="module")
def venue():
    return Venue(open_market(11), Timeline(Still()))


@pytest.fixture(scope="module")
def feed(venue):
    return TapeFeed(venue)


@given(second=st.integers(1, 80_000))
def test_a_second_starts_where_the_tape_is(venue, feed, second):
    at_ms = START + second * 1000
    seen = feed.second(SYMBOL, at_ms)
    assert seen.first == round(venue.tape(SYMBOL).price(at_ms - 1000) * 10)
    if at_ms % 60_000:
        assert seen.last == round(venue.tape(SYMBOL).price(at_ms) * 10)


@given(minute=st.integers(0, 1400))
def test_seconds_of_a_minute_are_its_candle(venue, feed, minute):
    start = START + minute * 60_000
    seconds = [feed.second(SYMBOL, start + k * 1000) for k in range(1, 61)]
    rows = venue.market.read(SYMBOL, "trade", timeframe("1m"), start, start + 60_000)
    opened, high, low, close, volume = rows.values[0]
    assert seconds[0].first == round(opened * 10)
    assert seconds[-1].last == round(close * 10)
    assert max(each.high for each in seconds) == round(high * 10)
    assert min(each.low for each in seconds) == round(low * 10)
    assert sum(each.volume for each in seconds) == round(volume * 1000)


@given(
    begin=st.integers(1, 7000),
    length=st.integers(0, 4000),
    down=st.integers(1, 3000),
    up=st.integers(1, 3000),
    marked=st.booleans(),
)
def test_next_hit_is_the_first_of_all_seconds(feed, begin, length, down, up, marked):
    first, last = START + begin * 1000, START + (begin + length) * 1000
    price = feed.second(SYMBOL, first).first
    bounds = Bounds(price - down, price + up)
    if marked:
        bounds = Bounds(NEVER_LOW, NEVER_HIGH, (price - down) * 10**7, (price + up) * 10**7)

    def is_hit(at_ms):
        second, mark = feed.second(SYMBOL, at_ms), feed.mark(SYMBOL, at_ms)
        traded = second.volume and (second.low <= bounds.low or second.high >= bounds.high)
        return traded or mark <= bounds.mark_low or mark >= bounds.mark_high

    wanted = next((t for t in range(first, last + 1, 1000) if is_hit(t)), None)
    assert feed.next_hit(SYMBOL, first, last, bounds) == wanted


def test_funding_is_found_once(feed, venue):
    found, at_ms = [], START
    while (each := feed.next_funding(SYMBOL, at_ms, START + 86_400_000)) is not None:
        found.append(each.at_ms)
        at_ms = each.at_ms
    assert found == venue.market.funding(SYMBOL, START + 1, START + 86_400_001).time_ms.tolist()
    assert len(found) == 3


def test_changed_market_is_read_anew():
    market = ShockedMarket(open_market(11))
    venue = Venue(market, Timeline(Still()))
    feed = TapeFeed(venue)
    at_ms = START + 30 * 60_000
    before = feed.second(SYMBOL, at_ms)
    market.add(Shock(frozenset(), ((at_ms - 600_000, 1.0), (at_ms - 540_000, 0.8))))
    venue.renew()
    assert feed.second(SYMBOL, at_ms).first == pytest.approx(before.first * 0.8, abs=1)
    assert feed.mark(SYMBOL, at_ms) < before.first * 10**7 * 0.9
