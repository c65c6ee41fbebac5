"""When an entry is due: zones, clocks put forward and back, jitter, what was missed."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from automation.core.config import Fleet, ScheduledCommand
from automation.core.errors import ConfigError
from automation.fleet.schedule.planning import LATE_S, due, following, refuse_wrong_times


def entry(cron="30 2 * * *", **more):
    raw = {"name": "e", "cron": cron, "command": "journal verify", **more}
    return ScheduledCommand.model_validate(raw)


def fleet_of(*entries):
    bots = [{"name": "a", "strategy": "S"}]
    return Fleet.model_validate({"fleet": "f", "bots": bots, "schedule": list(entries)})


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(one, start, end):
    """Run it as the scheduler does, a look each minute; the instants at which it ran."""
    handled, now, ran = at(start), at(start), []
    while now < at(end):
        now += timedelta(minutes=1)
        found = due(one, handled, now)
        if found is not None:
            handled = found.planned
            if found.runs:
                ran.append(now.isoformat(timespec="minutes").removesuffix("+00:00"))
    return ran


BERLIN = {"timezone": "Europe/Berlin"}


def test_a_time_is_that_of_its_zone():
    assert following(entry(**BERLIN), at("2026-01-10T00:00")) == at("2026-01-10T01:30")
    assert following(entry(**BERLIN), at("2026-07-10T00:00")) == at("2026-07-10T00:30")
    assert following(entry(), at("2026-07-10T00:00")) == at("2026-07-10T02:30")


def test_clocks_put_forward_skip_no_run():
    """On 2026-03-29 there is no 02:30 in Berlin: it runs once, at 03:00 there."""
    ran = times(entry(**BERLIN), "2026-03-28T00:00", "2026-03-31T00:00")
    assert ran == ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]


def test_clocks_put_back_run_nothing_twice():
    """On 2026-10-25 there are two 02:30 in Berlin: it runs at the first."""
    ran = times(entry(**BERLIN), "2026-10-24T00:00", "2026-10-27T00:00")
    assert ran == ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]


def test_every_so_many_minutes_goes_on_through_both_changes():
    for start, end in (
        ("2026-03-29T00:00", "2026-03-29T03:00"),
        ("2026-10-25T00:00", "2026-10-25T03:00"),
    ):
        ran = times(entry("*/20 * * * *", **BERLIN), start, end)
        gaps = {
            (datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds() / 60
            for a, b in itertools.pairwise(ran)
        }
        assert gaps == {20.0}


def test_what_was_missed_is_skipped_or_made_up_for_once():
    handled, now = at("2026-01-01T03:00"), at("2026-01-05T12:00")
    skipped = due(entry(), handled, now)
    assert (skipped.runs, skipped.missed) == (False, 4)
    assert skipped.planned == at("2026-01-05T02:30")
    once = due(entry(catch_up="once"), handled, now)
    assert (once.runs, once.missed) == (True, 4)
    assert due(entry(catch_up="once"), once.planned, now) is None


def test_a_little_late_is_not_missed():
    handled = at("2026-01-01T03:00")
    planned = at("2026-01-02T02:30")
    assert due(entry(), handled, planned).runs
    assert due(entry(), handled, planned + timedelta(seconds=LATE_S)).runs
    assert not due(entry(), handled, planned + timedelta(seconds=LATE_S + 1)).runs
    assert due(entry(), handled, planned - timedelta(seconds=1)) is None


def test_a_time_that_was_missed_before_one_that_is_due_does_not_keep_it_from_running():
    found = due(entry("0 * * * *"), at("2026-01-01T00:30"), at("2026-01-01T03:00"))
    assert (found.runs, found.missed) == (True, 2)


@given(st.integers(0, 2000), st.floats(1, 3600))
def test_jitter_is_within_its_bounds_and_the_same_for_all_supervisors(days, jitter_s):
    start = at("2024-01-01T00:00") + timedelta(days=days)
    plain, shifted = entry(), entry(jitter_s=jitter_s)
    first = following(shifted, start)
    assert first == following(shifted, start)
    late_s = (first - following(plain, start)).total_seconds()
    assert 0 <= late_s <= jitter_s


def test_jitter_differs_from_day_to_day():
    shifted = entry(jitter_s=3600)
    found = {following(shifted, at(f"2026-01-{day:02}T00:00")).minute for day in range(1, 20)}
    assert len(found) > 5


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("30 2 * *", "schedule.e.cron"),
        ("61 2 * * *", "Bad minute"),
        ("0 0 30 2 *", "schedule.e.cron"),
        ("soon", "write it like"),
    ],
)
def test_times_that_cannot_be_are_refused(cron, words):
    with pytest.raises(ConfigError, match=words):
        refuse_wrong_times(fleet_of({"name": "e", "cron": cron, "command": "status"}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timezone": "Europe/Nowhere"}, "no time zone Europe/Nowhere"),
        ({"timezone": "../secret"}, "no time zone"),
        ({"command": "up --detach"}, "cannot start another"),
        ({"command": "freqfleet status"}, "leave `freqfleet` out"),
        ({"command": ""}, "at least 1"),
        ({"catch_up": "all"}, "'skip' or 'once'"),
        ({"jitter_s": -1}, "greater than or equal to 0"),
    ],
)
def test_entries_that_make_no_sense_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        entry(**change)


def test_two_entries_of_one_name_are_refused():
    one = {"name": "e", "cron": "* * * * *", "command": "status"}
    with pytest.raises(ValidationError, match="2 entries of the schedule are named e"):
        fleet_of(one, one)


def test_a_command_is_a_text_or_words():
    words = ("alerts", "test", "--text", "two words")
    assert entry(command="alerts test --text 'two words'").command == words
    assert entry(command=list(words)).command == words
