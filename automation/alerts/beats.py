"""When a group may speak: the beat of its route.

Beats lie at the group's making + wait + whole intervals, as in Alertmanager. Without a wait (for
emergencies) a group speaks at any time, but for an interval's distance. Pure.
"""

from automation.alerts.policy import Timing
from automation.alerts.state import NEVER, Group


def beat_us(timing: Timing, group: Group, not_before_us: int) -> int:
    """Tell the first beat at or after an instant, and after the group was last looked at.

    A group that was never looked at has its first beat, even when that is over.
    """
    first_us = group.created_us + timing.wait_us
    if group.checked_us < first_us and group.last_us == NEVER:
        return first_us
    if timing.wait_us == 0:
        return max(not_before_us, group.checked_us + timing.interval_us)
    after_us = max(group.checked_us + 1, not_before_us)
    beats = -(-(after_us - first_us) // max(1, timing.interval_us))
    return first_us + beats * timing.interval_us


def last_beat_us(timing: Timing, group: Group, until_us: int) -> int:
    """Tell when a group was looked at last, if it was on every beat up to an instant."""
    first_us = group.created_us + timing.wait_us
    if first_us > until_us:
        return group.last_us
    beats = (until_us - first_us) // max(1, timing.interval_us) if timing.wait_us else 0
    return max(group.last_us, first_us + beats * timing.interval_us)


def hasten(group: Group, timing: Timing, now_us: int) -> None:
    """Have a group looked at on its next beat, or earlier if it is to be anyway."""
    beat = beat_us(timing, group, now_us)
    group.due_us = beat if group.due_us == NEVER else min(group.due_us, beat)
