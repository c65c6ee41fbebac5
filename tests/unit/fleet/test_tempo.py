from hypothesis import given
from hypothesis import strategies as st

from automation.fleet.tempo import Change, Governor, Pace, Tempo

SPEEDS = st.floats(1, 100)
REAL = Tempo(1000.0, 5000.0, 20.0)
LIMIT_S = 30.0


def test_a_line_goes_through_its_instant():
    assert REAL.market(1000.0) == 5000.0
    assert REAL.market(1003.0) == 5060.0
    assert REAL.real(5060.0) == 1003.0


@given(speed=SPEEDS, after_s=st.floats(0, 1e5), later_s=st.floats(0, 1e5))
def test_a_change_of_speed_neither_jumps_nor_goes_back(speed, after_s, later_s):
    turn_s = 1000.0 + after_s
    changed = REAL.changed(turn_s, speed)
    assert abs(changed.market(turn_s) - REAL.market(turn_s)) < 1e-3
    assert changed.market(turn_s + later_s) >= REAL.market(turn_s) - 1e-3
    assert abs(changed.real(changed.market(turn_s + later_s)) - turn_s - later_s) < 1e-3


def test_the_limit_is_a_tenth_of_a_candle_and_never_less_than_slow_bots_need():
    assert Pace().lag_limit_s(3600) == 360
    assert Pace().lag_limit_s(60) == 20


def judged(governor, lags, speed=20.0, since_s=0.0):
    """Feed one lag every six seconds; gives the speeds that came of it."""
    speeds = []
    for number, lag_s in enumerate(lags):
        load = None if lag_s is None else lag_s / LIMIT_S
        change = governor.judge(speed, load, since_s + 6.0 * number)
        if change is not None:
            speed = change.speed
        speeds.append(speed)
    return speeds


def test_it_begins_slowly_when_all_bots_trade_and_not_before():
    governor = Governor(60.0)
    assert judged(governor, [None, None, 3.0], speed=1.0) == [1.0, 1.0, 10.0]


def test_it_climbs_by_large_steps_until_something_was_too_much():
    speeds = judged(Governor(60.0), [3.0] * 11, speed=1.0)
    assert list(dict.fromkeys(speeds)) == [10.0, 15.0, 22.5, 33.75, 50.62]


def test_below_what_was_too_much_it_climbs_again_and_then_feels_its_way():
    governor = Governor(60.0, has_begun=True)
    assert judged(governor, [600.0, 600.0, 600.0], speed=44.0)[-1] == 1.0
    speeds = judged(governor, [3.0] * 40, speed=1.0, since_s=100.0)
    safe = speeds.index(35.2)  # a fifth below the speed at which it was late
    assert safe < 25
    assert speeds[safe + 4] == 35.2
    assert speeds[safe + 5] == 44.0


def test_one_late_loop_is_forgiven_and_two_are_not():
    assert judged(Governor(20.0, has_begun=True), [45.0, 3.0, 45.0, 3.0]) == [20.0] * 4
    assert judged(Governor(20.0, has_begun=True), [45.0, 45.0]) == [20.0, 12.0]


def test_what_is_three_times_the_limit_is_not_forgiven():
    assert judged(Governor(20.0, has_begun=True), [90.0]) == [6.0]


def test_it_slows_down_by_as_much_as_the_lag_asks_for_but_never_below_the_clock():
    assert judged(Governor(20.0, has_begun=True), [33.0, 33.0])[-1] == 16.36
    assert judged(Governor(20.0, has_begun=True), [900.0] * 40)[-1] == 1.0


def test_a_change_says_what_was_measured():
    governor = Governor(20.0, has_begun=True)
    change = governor.judge(20.0, 3.0, 0.0, "late by a minute")
    assert change == Change(6.0, "late by a minute")


def test_it_never_goes_beyond_what_was_wanted():
    speeds = judged(Governor(20.0, has_begun=True), [3.0] * 60, speed=10.0)
    assert max(speeds) == speeds[-1] == 20.0


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e4)), max_size=80), SPEEDS)
def test_no_speed_is_outside_what_was_asked_for(lags, wanted):
    speeds = judged(Governor(wanted), lags, speed=1.0)
    assert all(1.0 <= speed <= max(wanted, 1.0) for speed in speeds)
