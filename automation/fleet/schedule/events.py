"""The kinds of events that the schedule writes. Imported by `kinds`."""

from automation.journal import Facts, define


class RunStarted(Facts):
    """A scheduled command was started."""

    entry: str
    command: str
    planned: str
    pid: int
    log: str


class RunEnded(Facts):
    """A scheduled command ended."""

    entry: str
    exit_code: int | None
    """None when nobody saw it end."""
    took_s: float | None
    reason: str


class RunSkipped(Facts):
    """A scheduled command was not run at its time."""

    entry: str
    planned: str
    missed: int
    reason: str


define("schedule.started", RunStarted, "Scheduled {entry} started (pid {pid}): freqfleet {command}")
define("schedule.ended", RunEnded, "Scheduled {entry} {reason}")
define("schedule.skipped", RunSkipped, "Scheduled {entry} did not run at {planned}: {reason}")
