"""The rungs that are seen from outside: exchange and clock, database, resources, log.

The log is the witness: what Freqtrade says of the exchange and of its database is how those are
known without touching either. Pure; called by `climb`.
"""

from automation.core.model import Finding, Health
from automation.core.vitals import Rung, Topic, Usage
from automation.fleet.ladder.limits import Limits
from automation.fleet.ladder.view import View, bad, fine

_MB = 1_000_000


def exchange(view: View) -> Finding:
    """Judge whether the bot reaches its exchange."""
    limits = view.timing.limits
    ban = view.mention(Topic.BAN)
    if ban is not None and view.now_s - ban.last_s < limits.ban_s:
        return bad(Rung.EXCHANGE, Health.UNHEALTHY, f"the exchange has banned it: {ban.words}")
    trouble = view.mention(Topic.EXCHANGE)
    if trouble is None:
        return fine(Rung.EXCHANGE, "no network errors in its log")
    age_s = view.now_s - trouble.last_s
    if trouble.count < limits.exchange_errors or age_s > limits.exchange_fresh_s:
        said = f"{trouble.count} network errors in its log, the last {age_s:.0f} s ago"
        return fine(Rung.EXCHANGE, said)
    said = f"it does not reach the exchange, {trouble.count} errors lately: {trouble.words}"
    return bad(Rung.EXCHANGE, Health.DEGRADED, said, is_due=True)


def clock(view: View) -> Finding:
    """Judge whether the bot's clock is the supervisor's, and the exchange's."""
    limits, looped_s = view.timing.limits, view.unit.api.looped_epoch_s
    ahead_s = -view.since(looped_s) if looped_s is not None else 0.0
    if ahead_s > limits.clock_off_s:
        said = f"its clock is {ahead_s:.0f} s ahead of the supervisor's"
        return bad(Rung.CLOCK, Health.DEGRADED, said)
    told = view.mention(Topic.CLOCK)
    if told is not None:
        said = f"its clock is not the exchange's: {told.words}"
        return bad(Rung.CLOCK, Health.DEGRADED, said)
    return fine(Rung.CLOCK, "in step")


def database(view: View) -> Finding:
    """Judge whether the bot can write its database, as its log shows it; it is never locked for it."""
    told = view.mention(Topic.DATABASE)
    if told is None:
        return fine(Rung.DATABASE, "no complaint in its log")
    said = f"its database refuses: {told.words}"
    # One locked moment passes by itself.
    is_lasting = told.count >= 2
    health = Health.UNHEALTHY if is_lasting else Health.DEGRADED
    return bad(Rung.DATABASE, health, said, is_due=is_lasting)


def resources(view: View) -> Finding:
    """Judge memory, files and disk against their limits."""
    usage, limits = view.unit.vitals.usage, view.timing.limits
    told = view.mention(Topic.DISK)
    if told is not None:
        return bad(Rung.RESOURCES, Health.UNHEALTHY, f"its disk is full: {told.words}")
    if usage.disk_free_bytes is not None and usage.disk_free_bytes < limits.disk_free_bytes:
        said = f"its disk has only {usage.disk_free_bytes / _MB:.0f} MB left"
        return bad(Rung.RESOURCES, Health.UNHEALTHY, said)
    return _memory(usage, limits) or _files(usage, limits) or fine(Rung.RESOURCES, _uses(usage))


def log(view: View) -> Finding:
    """Judge the rate of errors in its log."""
    told, limits = view.mention(Topic.ERROR), view.timing.limits
    minutes = limits.log_window_s / 60
    if told is None:
        return fine(Rung.LOG, f"no errors in {minutes:.0f} minutes")
    said = f"{told.count} errors in {minutes:.0f} minutes, the last: {told.words}"
    if told.count < limits.log_errors:
        return fine(Rung.LOG, said)
    return bad(Rung.LOG, Health.DEGRADED, said)


def _memory(usage: Usage, limits: Limits) -> Finding | None:
    used, limit = usage.memory_bytes, usage.memory_limit_bytes
    if used is None or limit is None or used < limits.memory_frac * limit:
        return None
    said = f"it uses {used / _MB:.0f} of its {limit / _MB:.0f} MB of memory"
    return bad(Rung.RESOURCES, Health.DEGRADED, said, is_due=True)


def _files(usage: Usage, limits: Limits) -> Finding | None:
    if usage.files is None or usage.files_limit is None:
        return None
    if usage.files < limits.files_frac * usage.files_limit:
        return None
    said = f"it holds {usage.files} of {usage.files_limit} files open"
    return bad(Rung.RESOURCES, Health.DEGRADED, said, is_due=True)


def _uses(usage: Usage) -> str:
    if usage.memory_bytes is None:
        return "not seen yet"
    cpu = "" if usage.cpu_cores is None else f", {usage.cpu_cores:.2f} cores"
    return f"{usage.memory_bytes / _MB:.0f} MB of memory{cpu}"
