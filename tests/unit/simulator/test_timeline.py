from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from automation.core.clock import to_ms
from automation.simulator.timeframes import HOUR_MS
from automation.simulator.timeline import Timeline
from automation.testing import ManualClock

instants = st.datetimes(datetime(2019, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(now=instants, at=instants)
def test_history_is_moved_by_whole_hours_so_that_at_is_now(now, at):
    timeline = Timeline(ManualClock(now), at)
    assert timeline.shift_ms % HOUR_MS == 0
    assert -100 <= timeline.market_now_ms() - to_ms(at) < HOUR_MS


def test_without_at_nothing_is_moved():
    clock = ManualClock(datetime(2026, 5, 5, 12, 0, 0, 123_000, tzinfo=UTC))
    timeline = Timeline(clock)
    assert timeline.shift_ms == 0
    assert timeline.now_ms() == to_ms(clock.now())
    assert timeline.market_now_ms() == to_ms(clock.now()) - 23


def test_the_market_moves_with_the_clock():
    clock = ManualClock(datetime(2026, 5, 5, tzinfo=UTC))
    timeline = Timeline(clock, datetime(2024, 8, 5, tzinfo=UTC))
    before = timeline.market_now_ms()
    clock.advance(timedelta(minutes=3).total_seconds())
    assert timeline.market_now_ms() - before == 180_000
