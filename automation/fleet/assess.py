"""What the facts about a unit mean: its state, its health, and why, in one sentence.

Pure: facts, wish and the time in, a `Verdict` out. A bot is judged by what a process manager cannot
see: that its trader loops and its candles are fresh. Refuses to decide what to do about it.
Called by the supervisor each tick.
"""

from automation.core.model import (
    ActionKind,
    ApiFacts,
    BotState,
    Health,
    UnitSnapshot,
    Verdict,
    Wish,
)
from automation.fleet.timing import Timing


def assess(
    unit: UnitSnapshot,
    wish: Wish,
    timing: Timing,
    *,
    now_s: float,
    now_epoch_s: float,
    waits_for: str = "",
) -> Verdict:
    """Judge one unit; `waits_for` names what it needs before it can start, "" for nothing."""
    if not unit.process.is_alive:
        return _dead(unit, wish, now_s, waits_for)
    if unit.busy is ActionKind.STOP or wish is Wish.STOP:
        state = BotState.PAUSED if unit.api.trader == "paused" else BotState.RUNNING
        return Verdict(state, Health.UNKNOWN, "is being stopped")
    if unit.api.answered_s is None:
        return _silent_yet(unit, timing, now_s)
    if unit.is_simulator:
        return _reachable(unit.api, timing, now_s) or Verdict(
            BotState.RUNNING, Health.HEALTHY, "answers"
        )
    return _trader(unit, timing, now_s, now_epoch_s)


def _dead(unit: UnitSnapshot, wish: Wish, now_s: float, waits_for: str) -> Verdict:
    if wish is Wish.STOP:
        return Verdict(BotState.STOPPED, Health.UNKNOWN, "is stopped as asked")
    if unit.busy is ActionKind.START:
        return Verdict(BotState.STARTING, Health.UNKNOWN, "is being started")
    wait_s = unit.memory.not_before_s - now_s
    again = f"starts again in {wait_s:.0f} s" if wait_s >= 1 else "starts again now"
    if unit.blocked:
        return Verdict(BotState.FAILED, Health.UNHEALTHY, f"{unit.blocked}; {again}")
    if unit.process.identity is not None and unit.memory.streak > 0:
        return Verdict(BotState.FAILED, Health.UNHEALTHY, f"{describe_end(unit)}; {again}")
    if waits_for:
        return Verdict(BotState.QUEUED, Health.UNKNOWN, f"waits for {waits_for}")
    return Verdict(BotState.QUEUED, Health.UNKNOWN, "waits for its turn to start")


def describe_end(unit: UnitSnapshot) -> str:
    """Say how a process ended: by which signal or code, and its last words."""
    code, words = unit.process.exit_code, unit.process.last_words
    if code is None:
        how = "it ended while no supervisor watched" if not unit.process.is_adopted else "it ended"
    elif code < 0:
        how = f"it was killed by signal {-code}"
    else:
        how = f"it ended with exit code {code}"
    return f"{how}: {words}" if words and (code is None or code >= 0) else how


def _silent_yet(unit: UnitSnapshot, timing: Timing, now_s: float) -> Verdict:
    if unit.api.is_refused:
        return Verdict(BotState.STARTING, Health.UNHEALTHY, _refusal(unit))
    age_s = now_s - unit.process.seen_s
    event = "it was found running" if unit.process.is_adopted else "the start"
    reason = f"its API does not answer yet, {age_s:.0f} s after {event}"
    health = Health.UNKNOWN if age_s < timing.startup_s else Health.UNHEALTHY
    return Verdict(BotState.STARTING, health, reason)


def _refusal(unit: UnitSnapshot) -> str:
    return (
        f"its API refuses the password in the state folder; freqfleet bot restart {unit.name} "
        "gives both the same one"
    )


def _reachable(api: ApiFacts, timing: Timing, now_s: float) -> Verdict | None:
    """Judge the API alone; None when it answers as it should."""
    if api.failing_since_s is None or api.answered_s is None:
        return None
    silent_s = now_s - api.answered_s
    if silent_s < timing.slow_s:
        return None
    health = Health.UNHEALTHY if silent_s >= timing.silent_s else Health.DEGRADED
    reason = f"its API has not answered for {silent_s:.0f} s: {api.problem}"
    state = BotState.PAUSED if api.trader == "paused" else BotState.RUNNING
    return Verdict(state, health, reason)


def _trader(unit: UnitSnapshot, timing: Timing, now_s: float, now_epoch_s: float) -> Verdict:
    api = unit.api
    if api.is_refused:
        return Verdict(BotState.RUNNING, Health.UNHEALTHY, _refusal(unit))
    unreachable = _reachable(api, timing, now_s)
    if unreachable is not None:
        return unreachable
    if api.trader == "stopped":
        reason = f"Freqtrade stopped trading; read its log, then freqfleet bot restart {unit.name}"
        return Verdict(BotState.FAILED, Health.UNHEALTHY, reason)
    age_s = now_s - unit.process.seen_s
    if api.looped_epoch_s is None or api.trader not in ("running", "paused"):
        health = Health.UNKNOWN if age_s < timing.loop_dead_s else Health.DEGRADED
        return Verdict(BotState.WARMING, health, f"loads candles, {age_s:.0f} s after the start")
    state = BotState.PAUSED if api.trader == "paused" else BotState.RUNNING
    health, reason = _freshness(api, timing, now_epoch_s)
    if health is Health.HEALTHY and state is BotState.PAUSED:
        reason = "is paused: it minds its open trades and enters none"
    return Verdict(state, health, reason)


def _freshness(api: ApiFacts, timing: Timing, now_epoch_s: float) -> tuple[Health, str]:
    assert api.looped_epoch_s is not None
    loop_age_s = now_epoch_s - api.looped_epoch_s
    if loop_age_s >= timing.loop_late_s:
        is_dead = loop_age_s >= timing.loop_dead_s
        health = Health.UNHEALTHY if is_dead else Health.DEGRADED
        return health, f"its trader has not looped for {loop_age_s:.0f} s"
    if api.candle_closed_epoch_s is not None and api.timeframe_s:
        age_s = now_epoch_s - api.candle_closed_epoch_s
        if age_s > timing.candles_late * api.timeframe_s + timing.candle_grace_s:
            return (
                Health.DEGRADED,
                f"its last candle of {api.candle_pair} closed {age_s / 60:.0f} minutes ago",
            )
    return Health.HEALTHY, "trades"
