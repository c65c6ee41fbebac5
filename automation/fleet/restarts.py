"""When a failed unit is started again: the first time at once, then 10 s doubling to 5 min.

Ten healthy minutes in a row make the next failure a first one. Pure; called by the supervisor.
"""

from dataclasses import replace

from automation.core.model import RestartMemory
from automation.fleet.timing import Timing


def remember_failure(memory: RestartMemory, timing: Timing, now_s: float) -> RestartMemory:
    """Count a failure and tell the earliest next start."""
    streak = 0 if is_forgiven(memory, timing, now_s) else memory.streak
    wait_s = delay_s(streak, timing)
    return replace(memory, streak=streak + 1, not_before_s=now_s + wait_s, healthy_since_s=None)


def remember_health(memory: RestartMemory, is_healthy: bool, now_s: float) -> RestartMemory:
    """Note since when the unit has been healthy without a break."""
    if not is_healthy:
        is_noted = memory.healthy_since_s is not None
        return replace(memory, healthy_since_s=None) if is_noted else memory
    return memory if memory.healthy_since_s is not None else replace(memory, healthy_since_s=now_s)


def is_forgiven(memory: RestartMemory, timing: Timing, now_s: float) -> bool:
    """Tell whether the unit was healthy long enough for its failures to be forgotten."""
    since_s = memory.healthy_since_s
    return since_s is not None and now_s - since_s >= timing.healthy_again_s


def delay_s(streak: int, timing: Timing) -> float:
    """Tell how long to wait after `streak` failures in a row before this one."""
    if streak == 0:
        return 0.0
    # The exponent is bounded first: a bot may fail for weeks.
    return min(timing.restart_cap_s, timing.restart_base_s * 2.0 ** min(streak - 1, 30))
