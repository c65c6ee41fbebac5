"""How many restarts for failures a fleet may have: recovery must never get its address banned.

Two windows: a few a minute, because each start costs request weight, and a number in ten minutes
that grows with the fleet. The last third of that is kept for bots that fail for the first time, so
that one which dies again and again cannot use up what the others may need. First starts and what an
operator asks for count for nothing. Pure; called by `plan` and `decide`.
"""

from automation.core.model import FleetSnapshot, UnitSnapshot
from automation.fleet.ladder.limits import Limits


def refusal(unit: UnitSnapshot, snapshot: FleetSnapshot, limits: Limits, now_s: float) -> str:
    """Say why a failed bot cannot be restarted now; "" when it may be."""
    lately = [at_s for at_s in snapshot.restarts_s if now_s - at_s < limits.budget_window_s]
    if lately and now_s - max(lately) < limits.stagger_s:
        return "its turn: another bot was restarted a moment ago"
    in_minute = sum(now_s - at_s < 60.0 for at_s in lately)
    if in_minute >= limits.restarts_per_minute:
        return f"its turn: {in_minute} bots were restarted within a minute"
    allowed = total(len(snapshot.bots), limits)
    if unit.memory.streak > 1:
        allowed = allowed * 2 // 3
    if len(lately) >= allowed:
        minutes = limits.budget_window_s / 60
        return f"its turn: {len(lately)} restarts in {minutes:.0f} minutes are the fleet's budget"
    return ""


def total(bots: int, limits: Limits) -> int:
    """Tell how many restarts for failures a fleet may have in one window."""
    return max(limits.budget_least, round(limits.budget_per_bot * bots))
