"""The core of the alerts: state and events in, state, records and messages out.

Pure: no clock, no disk, no network, and the state it is given stays as it was. The records are the
state's account: folding them gives the same state. Called by `service`; tests drive it directly.
"""

from collections.abc import Iterable

from automation.alerts import intake, speaking, timers
from automation.alerts.beats import beat_us, last_beat_us
from automation.alerts.facts import JournalEvent
from automation.alerts.kinds import Resolved, Routed
from automation.alerts.policy import Policy
from automation.alerts.state import Alert, Group, State, Status, apply
from automation.alerts.step import Step, Work, portions

SOURCE = "alerts"
"""How the alerts sign what they write."""

OPERATORS = frozenset({"alert.acknowledged", "alert.silenced", "alert.unsilenced"})
"""What people do to alerts; it comes in through the journal, from any process."""


def advance(
    policy: Policy, state: State, events: Iterable[JournalEvent] = (), *, now_us: int
) -> Step:
    """Take events in their order, then do what time has made due."""
    work = Work(policy, state.copy(), max(now_us, state.time_us))
    for event in events:
        if event.kind in OPERATORS:
            apply(work.state, event.kind, event.payload, actor=event.actor, at_us=event.time_us)
        intake.take(work, event)
    return _finish(work)


def adopt(policy: Policy, state: State, *, now_us: int) -> Step:
    """Go on with a state that was rebuilt, perhaps under other rules: route anew, wind the clocks."""
    work = Work(policy, state.copy(), max(now_us, state.time_us))
    work.state.wake_us = 0
    moved: dict[str, tuple[str, ...]] = {}
    for alert in list(work.state.alerts.values()):
        if alert.rule not in policy.rules:
            resolved = Resolved(id=alert.id, reason="its rule is gone", at_us=work.now_us)
            work.emit("alert.resolved", resolved, bot=alert.bot)
        elif alert.fired_us >= 0:
            targets = _targets(policy, alert, work.now_us)
            if set(targets) != set(alert.targets):
                moved[alert.id] = targets
    for portion in portions(sorted(moved)):
        routed = Routed(
            targets={one: moved[one] for one in portion},
            reason="the configuration changed",
            at_us=work.now_us,
        )
        work.emit("alert.routed", routed)
    for key in list(work.state.groups):
        _wind(work, work.state.group(key), state.time_us)
    work.state.owned.clear()  # they are wound, nothing more happened to them
    return _finish(work)


def next_us(policy: Policy, state: State, *, now_us: int) -> int:
    """Tell when `advance` has something to do even without events."""
    by_group = speaking.next_us(list(state.groups.values()))
    by_alert = timers.next_us(policy, state.wake_us, now_us)
    return by_alert if by_group is None else min(by_group, by_alert)


def fold_event(state: State, event: JournalEvent) -> State:
    """Change the state by one event of the journal, in place."""
    is_own = event.source == SOURCE
    payload = event.payload
    if payload and (is_own or event.kind in OPERATORS):  # retention may have dropped the details
        apply(
            state,
            event.kind,
            payload,
            actor=event.actor,
            at_us=event.time_us,
            cause=event.cause if is_own else None,
        )
    return state


def _finish(work: Work) -> Step:
    timers.run(work)
    speaking.run(work)
    timers.note_told(work)
    return Step(work.state, tuple(work.records), tuple(work.notifications))


def _wind(work: Work, group: Group, until_us: int) -> None:
    """Set a group's clock as if it had run until the newest record was written."""
    timing = work.policy.timing(group.route)
    # Whoever wrote that record had looked at all groups that were due by then.
    group.checked_us = last_beat_us(timing, group, until_us)
    known = [work.state.alerts[one] for one in group.members if one in work.state.alerts]
    has_news = any(one.id not in group.told or one.status is not Status.FIRING for one in known)
    if speaking.HELD in group.muted.values():
        group.due_us = work.now_us
    elif has_news:
        group.due_us = beat_us(timing, group, work.now_us)
    elif any(one.is_open for one in known):
        group.due_us = beat_us(timing, group, group.last_us + timing.repeat_us)


def _targets(policy: Policy, alert: Alert, now_us: int) -> tuple[str, ...]:
    targets = list(policy.targets(alert.labels, now_us))
    for level, step in enumerate(policy.steps()):
        named = policy.step_targets(step, alert.labels, now_us)
        # An alert that fired again before its end was told is still with those it had reached.
        targets += named if level < alert.level else [key for key in named if key in alert.targets]
    return tuple(dict.fromkeys(targets))
