"""How events of the journal become alerts: raised, counted, held, ended.

Pure. Decides by the rules alone; whether anybody is told is decided in `speaking`.
"""

from collections.abc import Mapping
from typing import Any

from automation.alerts.duration import in_us
from automation.alerts.facts import JournalEvent, facts_of, fields_of, fingerprint, label
from automation.alerts.kinds import Dropped, Fired, Pending, Resolved, Seen
from automation.alerts.matching import all_pass
from automation.alerts.settings import Rule
from automation.alerts.state import Alert, Status
from automation.alerts.step import Work

RENEWAL_US = 60_000_000
"""Changed facts of an alert that goes on are written down at most this often."""


def take(work: Work, event: JournalEvent) -> None:
    """Let one event raise and end alerts; the end of one rule may be the start of another."""
    raising, ending = work.policy.raising(event.kind), work.policy.ending(event.kind)
    if not raising and not ending:
        return
    fields = fields_of(event)
    work.cause = event.sequence
    # A clock that runs ahead must not hold an alert back.
    at_us = min(event.time_us, work.now_us)
    for rule, when in ending:
        if all_pass(when.where, fields):
            _end(work, rule, event, fields)
    raised = set()
    for rule, when in raising:
        if rule.name not in raised and all_pass(when.where, fields):
            raised.add(rule.name)
            _raise(work, rule, event, fields, at_us)
    work.cause = None


def labels_of(rule: Rule, bot: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """Give the labels of the alert that a rule makes of an event."""
    labels = {"rule": rule.name, "severity": str(rule.severity)}
    if bot:
        labels["bot"] = label(bot)
    for name, source in rule.labels.items():
        if filled := label(fields.get(source)):
            labels[name] = filled
    return labels


def fire(work: Work, alert: Pending, rule: Rule, at_us: int) -> None:
    """Raise an alert and send it on its way."""
    targets = list(work.policy.targets(alert.labels, at_us))
    level = 0
    if work.policy.settings.escalation and rule.escalates and not rule.once and targets:
        steps = work.policy.steps()
        if not work.policy.delay_us(alert.severity):
            for step in steps:
                targets += work.policy.step_targets(step, alert.labels, at_us)
            level = len(steps)
    work.emit(
        "alert.fired",
        Fired(
            id=alert.id,
            rule=rule.name,
            severity=alert.severity,
            labels=alert.labels,
            facts=alert.facts,
            since_us=alert.at_us,
            at_us=at_us,
            targets=tuple(dict.fromkeys(targets)),
            once=rule.once,
            level=level,
        ),
        bot=alert.labels.get("bot", ""),
    )


def _raise(
    work: Work, rule: Rule, event: JournalEvent, fields: Mapping[str, Any], at_us: int
) -> None:
    labels = labels_of(rule, event.bot, fields)
    name = fingerprint(labels, event.sequence) if rule.once else fingerprint(labels)
    known = work.state.alerts.get(name)
    if known is not None and known.status is Status.FIRING:
        _renew(work, rule, known, facts_of(fields))
        return
    is_waiting = known is not None and known.status is Status.PENDING
    if is_waiting and rule.count is None:
        return
    times = known.times_us if known is not None and is_waiting else ()
    if rule.count is not None:
        earliest_us = at_us - in_us(rule.count.within)
        times = (*(one for one in times if one > earliest_us), at_us)
    pending = Pending(
        id=name,
        rule=rule.name,
        severity=rule.severity,
        labels=labels,
        facts=facts_of(fields),
        at_us=known.since_us if known is not None and is_waiting else at_us,
        times_us=times,
    )
    is_enough = rule.count is None or len(times) >= rule.count.times
    if is_enough and not rule.holds_for:
        fire(work, pending, rule, at_us)
    else:
        work.emit("alert.pending", pending, bot=event.bot)


def _renew(work: Work, rule: Rule, alert: Alert, facts: dict[str, Any]) -> None:
    age_us = work.now_us - alert.seen_us
    is_due = rule.expires is not None and age_us > in_us(rule.expires) // 4
    if is_due or (facts != alert.facts and age_us >= RENEWAL_US):
        work.emit("alert.seen", Seen(id=alert.id, facts=facts, at_us=work.now_us), bot=alert.bot)


def _end(work: Work, rule: Rule, event: JournalEvent, fields: Mapping[str, Any]) -> None:
    # What the event says of the labels must fit; what it does not say fits all.
    said = labels_of(rule, event.bot, fields)
    for alert in _of_rule(work, rule.name, said.get("bot")):
        if any(alert.labels.get(name, value) != value for name, value in said.items()):
            continue
        if alert.status is Status.PENDING:
            if rule.count is None:
                work.emit("alert.dropped", Dropped(ids=(alert.id,), reason=event.kind))
        elif alert.status is Status.FIRING:
            resolved = Resolved(id=alert.id, reason=event.kind, at_us=work.now_us)
            work.emit("alert.resolved", resolved, bot=alert.bot)


def _of_rule(work: Work, rule: str, bot: str | None) -> list[Alert]:
    by_bot = work.state.by_bot
    if bot is not None:
        ids = by_bot.get((rule, bot), frozenset())
    else:
        ids = frozenset(one for (name, _), found in by_bot.items() if name == rule for one in found)
    return [work.state.alerts[one] for one in sorted(ids)]
