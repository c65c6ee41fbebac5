"""Local time: quiet hours and shifts, as pure functions of an instant.

Works on wall-clock times of a zone, so that 07:00 stays 07:00 when the clocks change.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from automation.alerts.settings import OnCall, Person, QuietHours

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def instant_of(at_us: int) -> datetime:
    """Turn microseconds since 1970 into an aware UTC instant."""
    return _EPOCH + at_us * _MICROSECOND


def us_of(instant: datetime) -> int:
    """Turn an aware instant into microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def quiet_until_us(hours: QuietHours, now_us: int) -> int | None:
    """Tell when the quiet hours end that hold at `now_us`; None when none hold."""
    zone = ZoneInfo(hours.zone)
    now = instant_of(now_us)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if _DAYS[day.weekday()] not in hours.days:
            continue
        last = day if hours.end > hours.start else day + timedelta(days=1)
        start = datetime.combine(day, hours.start, zone)
        end = datetime.combine(last, hours.end, zone)
        if start.astimezone(UTC) <= now < end.astimezone(UTC):
            return us_of(end)
    return None


def channel_quiet_until_us(
    quiet_hours: Iterable[QuietHours], channel: str, rank: int, now_us: int
) -> int | None:
    """Tell until when a channel keeps still for alerts of a severity's rank."""
    ends = [
        end_us
        for hours in quiet_hours
        if channel in hours.channels and rank < hours.lets_through.rank
        if (end_us := quiet_until_us(hours, now_us)) is not None
    ]
    return max(ends, default=None)


def person_on_call(on_call: OnCall, now_us: int) -> Person:
    """Tell who has the shift; before the first one it is the first person."""
    return on_call.people[max(0, _shift(on_call, now_us)) % len(on_call.people)]


def next_hand_over_us(on_call: OnCall, now_us: int) -> int:
    """Tell when the next shift begins."""
    begins = on_call.since + timedelta(days=on_call.days * (max(-1, _shift(on_call, now_us)) + 1))
    return us_of(begins.replace(tzinfo=ZoneInfo(on_call.zone)))


def _shift(on_call: OnCall, now_us: int) -> int:
    local = instant_of(now_us).astimezone(ZoneInfo(on_call.zone)).replace(tzinfo=None)
    return (local - on_call.since) // timedelta(days=on_call.days)
