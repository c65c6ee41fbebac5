"""The back-off: at once, then 10 s doubling to 5 min, forgotten after ten healthy minutes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from automation.core.model import RestartMemory
from automation.fleet.restarts import delay_s, remember_failure, remember_health
from automation.fleet.timing import Timing

TIMING = Timing()


def test_the_waits_are_those_of_the_rule():
    waits = [delay_s(streak, TIMING) for streak in range(9)]
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_failures_in_a_row_wait_longer_and_longer():
    memory, now_s, waits = RestartMemory(), 0.0, []
    for _ in range(4):
        memory = remember_failure(memory, TIMING, now_s)
        waits.append(memory.not_before_s - now_s)
        now_s = memory.not_before_s + 1
    assert waits == [0, 10, 20, 40]


def test_ten_healthy_minutes_forgive():
    memory = RestartMemory(streak=5)
    memory = remember_health(memory, True, 100.0)
    assert remember_failure(memory, TIMING, 699.0).not_before_s == 699.0 + 160
    assert remember_failure(memory, TIMING, 700.0).not_before_s == 700.0


def test_health_must_be_without_a_break():
    memory = remember_health(RestartMemory(streak=2), True, 0.0)
    memory = remember_health(memory, False, 500.0)
    memory = remember_health(memory, True, 501.0)
    assert remember_failure(memory, TIMING, 900.0).not_before_s == 920.0


@given(st.integers(0, 10**6))
def test_the_wait_is_bounded_however_often_it_fails(streak):
    assert 0 <= delay_s(streak, TIMING) <= TIMING.restart_cap_s


@settings(deadline=None)
@given(st.lists(st.floats(0, 3600), min_size=1, max_size=200))
def test_restarts_in_an_hour_are_bounded(gaps):
    """A unit that fails whenever it likes is started at most 5 times in its first 2 minutes."""
    memory, now_s, starts = RestartMemory(), 0.0, []
    for gap_s in gaps:
        memory = remember_failure(memory, TIMING, now_s)
        now_s = max(now_s, memory.not_before_s)
        starts.append(now_s)
        now_s += gap_s / 1000
    assert sum(start <= 120 for start in starts) <= 5
