"""The small parts: durations, tests on values, back-off, steady time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from automation.alerts.breaker import LONGEST_PAUSE_S, LONGEST_REFUSED_S, OPEN_S, Breaker
from automation.alerts.duration import Duration, parse_duration, show_duration
from automation.alerts.matching import MISSING, Test, Where, all_pass
from automation.alerts.steadytime import SteadyTime
from automation.testing import ManualClock

WHERE: TypeAdapter[Test] = TypeAdapter(Where)


def passes(given, value):
    return WHERE.validate_python(given).passes(value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("0", 0), ("0.5s", 0.5)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5w", "1h 30m", "∞"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@given(st.integers(0, 10**7))
def test_durations_are_shown_as_they_are_read(seconds):
    span = timedelta(seconds=seconds)
    assert parse_duration(show_duration(span)) == span


def test_a_bare_number_is_no_duration():
    with pytest.raises(ValidationError, match="with its unit"):
        TypeAdapter(Duration).validate_python(30)


@pytest.mark.parametrize(
    ("given", "value", "expected"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (["a", "b"], "b", True),
        ({"not": "a"}, "b", True),
        ({"not": "a"}, MISSING, True),
        ({"not": ["a", "b"]}, "a", False),
        ("a", MISSING, False),
        ("a", None, False),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (1, 1.0, True),
        ({"matches": "tr.*"}, "trend", True),
        ({"matches": "tr"}, "trend", False),
        ({"matches": "4.*"}, 42, True),
        ({"above": 1, "at_most": 2}, 2, True),
        ({"above": 1, "at_most": 2}, 1, False),
        ({"below": 0}, -0.5, True),
        ({"at_least": 1}, "2", False),
        ({"at_least": 1}, True, False),
        ({"exists": True}, "x", True),
        ({"exists": True}, MISSING, False),
        ({"exists": False}, MISSING, True),
        ({"exists": False}, "x", False),
        ({"not": "a", "exists": True}, MISSING, False),
    ],
)
def test_values_are_tested(given, value, expected):
    assert passes(given, value) is expected


def test_all_tests_must_pass():
    tests = {"a": WHERE.validate_python(1), "b": WHERE.validate_python({"not": 2})}
    assert all_pass(tests, {"a": 1})
    assert not all_pass(tests, {"a": 1, "b": 2})


def test_pauses_double_and_are_spread():
    breaker = Breaker(seed=1)
    pauses = [breaker.pause_s(attempt) for attempt in range(1, 30)]
    for attempt, pause in enumerate(pauses):
        middle = min(LONGEST_PAUSE_S, 2**attempt)
        assert 0.8 * middle <= pause <= 1.2 * middle


def test_five_failures_break_a_channel_and_one_success_mends_it():
    breaker = Breaker()
    assert [breaker.fails(float(s)) for s in range(-4, 1)] == [False] * 4 + [True]
    assert breaker.waits_s(0.0) == OPEN_S
    assert breaker.waits_s(OPEN_S) == 0.0
    assert not breaker.fails(OPEN_S)
    assert breaker.waits_s(OPEN_S) == 2 * OPEN_S
    assert breaker.succeeds()
    assert breaker.waits_s(OPEN_S) == 0.0
    assert not breaker.succeeds()


def test_many_failures_at_one_moment_do_not_break_a_channel():
    breaker = Breaker()
    assert not any(breaker.fails(n / 1000) for n in range(100))
    assert breaker.waits_s(0.1) == 0.0
    assert [breaker.fails(float(s)) for s in range(1, 5)] == [False] * 3 + [True]


def test_a_broken_channel_is_tried_each_minute_and_more_rarely_where_it_is_refused_for_good():
    for for_good, longest_s in ((False, LONGEST_PAUSE_S), (True, LONGEST_REFUSED_S)):
        breaker, now_s = Breaker(), 0.0
        for _ in range(20):
            breaker.fails(now_s, for_good=for_good)
            now_s += max(2.0, breaker.waits_s(now_s))
        breaker.fails(now_s, for_good=for_good)
        assert breaker.waits_s(now_s) == longest_s


def test_a_refusal_for_good_breaks_a_channel_at_once_and_a_429_never():
    breaker = Breaker()
    breaker.rests(0.0, 7.0)
    assert (breaker.waits_s(0.0), breaker.is_broken) == (7.0, False)
    breaker.hurries()
    assert breaker.waits_s(0.0) == 7.0, "what it asked for is kept"
    assert breaker.fails(0.0, for_good=True)


def test_steady_time_follows_forward_and_never_goes_back():
    clock = ManualClock()
    steady = SteadyTime(clock)
    start = steady.now_us()
    clock.advance(10)
    assert steady.now_us() == start + 10_000_000
    clock.jump(-3600)
    assert steady.now_us() == start + 10_000_000
    clock.advance(5)
    assert steady.now_us() == start + 15_000_000
    clock.jump(7200)  # the machine slept
    assert steady.now_us() == start + 15_000_000 + 3_600_000_000
    later = SteadyTime(clock, not_before_us=steady.now_us() + 60_000_000)
    assert later.now_us() == steady.now_us() + 60_000_000
