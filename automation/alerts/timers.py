"""What happens to alerts by time alone: held long enough, expired, escalated, handed over.

Pure. `state.wake_us` remembers when the first of them is due, so that most steps look at none.
"""

from collections.abc import Iterable

from automation.alerts.calendars import next_hand_over_us, person_on_call
from automation.alerts.duration import in_us
from automation.alerts.intake import fire
from automation.alerts.kinds import Dropped, Escalated, HandedOver, Pending, Resolved, Routed
from automation.alerts.mutes import Mutes
from automation.alerts.policy import Policy
from automation.alerts.settings import ON_CALL
from automation.alerts.state import NEVER, Alert, Status
from automation.alerts.step import Work, portions

LATER_US = 30_000_000
"""What is due but muted is looked at again after this."""

FOREVER_US = 2**62


def run(work: Work) -> None:
    """Do what is due to alerts."""
    _hand_over(work)
    if work.now_us >= work.state.wake_us:
        due = [
            alert
            for alert in work.state.alerts.values()
            if due_us(work.policy, alert) <= work.now_us
        ]
        _ripen(work, due)
        _escalate(work, due)
        work.state.wake_us = _earliest(work, work.state.alerts.values())
    else:
        touched = {record.payload["id"] for record in work.records if "id" in record.payload}
        touched.update(_told(work))
        known = [work.state.alerts[one] for one in touched if one in work.state.alerts]
        work.state.wake_us = min(work.state.wake_us, _earliest(work, known))


def note_told(work: Work) -> None:
    """Let the clocks of escalation start for what was just told."""
    known = [work.state.alerts[one] for one in _told(work) if one in work.state.alerts]
    work.state.wake_us = min(work.state.wake_us, _earliest(work, known))


def next_us(policy: Policy, wake_us: int, now_us: int) -> int:
    """Tell when alerts need a look for their own sake."""
    on_call = policy.settings.on_call
    return wake_us if on_call is None else min(wake_us, next_hand_over_us(on_call, now_us))


def due_us(policy: Policy, alert: Alert) -> int:
    """Tell when time alone changes an alert."""
    rule = policy.rules.get(alert.rule)
    if rule is None or alert.status is Status.RESOLVED:
        return FOREVER_US
    if alert.status is Status.PENDING:
        if rule.count is not None and alert.times_us:
            return alert.times_us[-1] + in_us(rule.count.within)
        return alert.since_us + in_us(rule.holds_for)
    due = FOREVER_US
    if rule.expires is not None:
        due = alert.seen_us + in_us(rule.expires)
    if _may_escalate(policy, alert):
        due = min(due, alert.told_us + policy.delay_us(alert.severity))
    return due


def _may_escalate(policy: Policy, alert: Alert) -> bool:
    return (
        alert.is_open
        and not alert.once
        and alert.told_us != NEVER
        and policy.settings.escalation is not None
        and alert.level < len(policy.steps())
        and policy.rules[alert.rule].escalates
    )


def _earliest(work: Work, alerts: Iterable[Alert]) -> int:
    dues = (due_us(work.policy, alert) for alert in alerts)
    return min(
        (due if due > work.now_us else work.now_us + LATER_US for due in dues), default=FOREVER_US
    )


def _told(work: Work) -> set[str]:
    return {
        alert_id
        for record in work.records
        if record.kind == "alert.told"
        for portion in record.payload["groups"].values()
        for alert_id in portion["told"]
    }


def _ripen(work: Work, due: Iterable[Alert]) -> None:
    for alert in due:
        rule = work.policy.rules[alert.rule]
        if alert.status is Status.PENDING:
            if rule.count is not None:
                dropped = Dropped(ids=(alert.id,), reason="it did not happen often enough")
                work.emit("alert.dropped", dropped, bot=alert.bot)
            else:
                fire(work, _as_pending(alert), rule, due_us(work.policy, alert))
        elif rule.expires is not None and alert.seen_us + in_us(rule.expires) <= work.now_us:
            resolved = Resolved(id=alert.id, reason="not seen any more", at_us=work.now_us)
            work.emit("alert.resolved", resolved, bot=alert.bot)


def _escalate(work: Work, due: Iterable[Alert]) -> None:
    mutes = Mutes(work.policy, work.state, work.now_us)
    by_level: dict[int, list[Alert]] = {}
    for old in due:
        alert = work.state.alerts.get(old.id)
        if alert is None or not _may_escalate(work.policy, alert) or mutes.of(alert) is not None:
            continue
        if alert.told_us + work.policy.delay_us(alert.severity) <= work.now_us:
            by_level.setdefault(alert.level, []).append(alert)
    steps = work.policy.steps()
    for level, alerts in sorted(by_level.items()):
        for portion in portions([alert.id for alert in alerts]):
            targets = {
                one: work.policy.step_targets(
                    steps[level], work.state.alerts[one].labels, work.now_us
                )
                for one in portion
            }
            escalated = Escalated(
                step=steps[level], level=level + 1, targets=targets, at_us=work.now_us
            )
            work.emit("alert.escalated", escalated)


def _hand_over(work: Work) -> None:
    on_call = work.policy.settings.on_call
    if on_call is None:
        return
    person = person_on_call(on_call, work.now_us)
    was = work.state.on_call
    if person.name == was:
        return
    moved = {
        alert.id: targets
        for alert in work.state.alerts.values()
        if alert.is_open and (targets := _moved(alert, person.channels)) != alert.targets
    }
    work.emit("alert.handed_over", HandedOver(person=person.name, was=was, alerts=len(moved)))
    for portion in portions(list(moved)):
        routed = Routed(
            targets={one: moved[one] for one in portion},
            reason=f"{person.name} is on call",
            at_us=work.now_us,
        )
        work.emit("alert.routed", routed)


def _moved(alert: Alert, channels: Iterable[str]) -> tuple[str, ...]:
    targets: list[str] = []
    for key in alert.targets:
        route, _, common = key.split("|", 2)
        own = [f"{route}|{channel}|{common}" for channel in channels]
        targets += own if route.endswith(f"@{ON_CALL}") else [key]
    return tuple(dict.fromkeys(targets))


def _as_pending(alert: Alert) -> Pending:
    return Pending(
        id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        labels=dict(alert.labels),
        facts=dict(alert.facts),
        at_us=alert.since_us,
    )
