"""When an entry of the schedule is due: cron times in its zone, shifted by its jitter.

Times are those of Debian's cron where clocks are put forward or back: a fixed time that an hour
skipped runs right after it, one that comes twice runs once; every so many minutes goes on by the
clock that is real. The jitter of one time is always the same, so that a supervisor that follows
another does not run it twice. Pure; called by `scheduler`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from automation.core.config import Fleet, ScheduledCommand
from automation.core.errors import ConfigError

LATE_S = 120.0
"""What is later than this was missed: nobody was there to run it in time."""

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done about an entry now."""

    planned: datetime  # the newest cron time that has come, in UTC
    missed: int  # how many came while nobody ran them, this one included if it is late
    runs: bool


def refuse_wrong_times(fleet: Fleet) -> None:
    """Raise ConfigError for cron times that cannot be read or never come."""
    for entry in fleet.schedule:
        where = f"schedule.{entry.name}.cron"
        try:
            following = next(_times(entry, datetime.now(UTC)), None)
        except CronSimError as error:
            cure = "write it like `30 2 * * *`: minute, hour, day of month, month, day of week"
            raise ConfigError(f"{entry.cron!r}: {error}", where=where, cure=cure) from None
        if following is None:
            raise ConfigError(
                f"{entry.cron!r} never comes", where=where, cure="choose another time"
            )


def following(entry: ScheduledCommand, after: datetime) -> datetime:
    """Tell the entry's next instant after another one, jitter included, in UTC."""
    return _shifted(entry, next(_times(entry, after)))


def due(entry: ScheduledCommand, handled: datetime, now: datetime) -> Due | None:
    """Tell what is due of all times after the last one that was handled; None for nothing.

    Several that were missed come to one run at most: none with `skip`, one with `once`.
    """
    planned: datetime | None = None
    missed = 0
    is_late = False
    for count, at in enumerate(_times(entry, handled)):
        instant = _shifted(entry, at)
        if instant > now or count >= MOST_COUNTED:
            break
        planned = at
        is_late = (now - instant).total_seconds() > LATE_S
        missed += is_late
    if planned is None:
        return None
    return Due(planned, missed, runs=not is_late or entry.catch_up == "once")


def _times(entry: ScheduledCommand, after: datetime) -> Iterator[datetime]:
    local = after.astimezone(ZoneInfo(entry.timezone))
    for at in CronSim(entry.cron, local):
        yield at.astimezone(UTC)


def _shifted(entry: ScheduledCommand, at: datetime) -> datetime:
    if not entry.jitter_s:
        return at
    digest = hashlib.sha256(f"{entry.name} {at.isoformat()}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return at + timedelta(seconds=share * entry.jitter_s)
