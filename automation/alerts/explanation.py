"""Why an alert went where it went, or why nobody heard of it: an account from the journal.

Answers for an alert's id, a message's name, or the number of an event that raised nothing. Read
only. Called by `cli` and `web`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from automation.alerts.calendars import instant_of
from automation.alerts.facts import fields_of
from automation.alerts.fold import restore
from automation.alerts.matching import MISSING
from automation.alerts.mutes import Mutes
from automation.alerts.policy import ESCALATION, Policy
from automation.alerts.rendering import local_time
from automation.alerts.settings import When
from automation.alerts.state import Alert, Status
from automation.core.errors import Refusal
from automation.journal import Event, Journal
from automation.journal.kinds import sentence


@dataclass(frozen=True, slots=True)
class Explanation:
    """An account, one sentence a line, in the order in which things happened."""

    subject: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole account."""
        return "\n".join((self.subject, *(f"  {line}" for line in self.lines)))


def explain(
    journal: Journal, policy: Policy, target: str, *, now_us: int, zone: str = "UTC"
) -> Explanation | Refusal:
    """Give the account of an alert (id or its beginning), a message, or an event (its number)."""
    if target.isdigit() and len(target) < 16:
        return _explain_event(journal, policy, int(target))
    events = journal.search(kind="alert.*", text=target, limit=2000)
    own = [event for event in events if _names(event, target)]
    if not own:
        return Refusal(f"the journal knows no alert or message {target}")
    messages = {event.payload["message"] for event in own if event.kind == "alert.told"}
    for message in sorted(messages):
        for event in journal.search(kind=("alert.delivered", "alert.undelivered"), text=message):
            named = {name.partition(">")[0] for name in event.payload["messages"]}
            if message in named and event not in own:
                own.append(event)
    own.sort(key=lambda event: event.sequence)
    lines = [
        f"{local_time(event.time_us, zone)}  {said}"
        for event in own
        for said in _said(journal, policy, event, target)
    ]
    alert = next(
        (a for i, a in restore(journal).state.alerts.items() if i.startswith(target)), None
    )
    if alert is not None:
        lines += _now(journal, policy, alert, now_us)
    return Explanation(_subject(own, target), tuple(lines))


def _names(event: Event, target: str) -> bool:
    payload = event.payload
    ids = [payload.get("id", ""), payload.get("message", ""), *payload.get("ids", ())]
    ids += list(payload.get("targets", ())) if isinstance(payload.get("targets"), dict) else []
    ids += [name.partition(">")[0] for name in payload.get("messages", ())]
    for portion in (payload.get("groups") or {}).values():
        ids += [*portion["told"], *portion["ended"]]
    return any(
        str(one) == target or (len(target) >= 4 and str(one).startswith(target)) for one in ids
    )


def _subject(own: Iterable[Event], target: str) -> str:
    for event in own:
        if event.kind in {"alert.fired", "alert.pending"}:
            labels = ", ".join(f"{k}={v}" for k, v in event.payload["labels"].items())
            return f"Alert {event.payload['id']}: {labels}"
    return f"Message {target}"


def _said(journal: Journal, policy: Policy, event: Event, target: str) -> Iterator[str]:
    payload = event.payload
    if event.kind in {"alert.fired", "alert.pending"}:
        raised = journal.read(event.cause - 1, 1) if event.cause else []
        cause = f" by event {event.cause}: {sentence(raised[0])}" if raised else ""
        verb = (
            "raised" if event.kind == "alert.fired" else "noticed, but it must last or happen again"
        )
        yield f"rule {payload['rule']} ({payload['severity']}): {verb}{cause}"
        if event.kind == "alert.fired":
            yield from _routes(policy, payload["targets"])
    elif event.kind == "alert.told":
        portions = payload["groups"].items()
        groups = [
            k.split("|", 2)[2]
            for k, p in portions
            if payload["message"] == target
            or any(one.startswith(target) for one in (*p["told"], *p["ended"]))
        ]
        about = f" in the group {', '.join(groups)}" if groups else ""
        digest = (
            ", in a digest since the channel's limit was reached" if payload["is_digest"] else ""
        )
        yield f"told to {payload['channel']} as {payload['message']}{about} ({payload['reason']}){digest}"
    elif event.kind == "alert.muted":
        _, channel, common = payload["group"].split("|", 2)
        reason = payload["reason"]
        yield (
            f"not told to {channel} ({common}): {reason}" if reason else f"free again for {channel}"
        )
    else:
        yield sentence(event)


def _routes(policy: Policy, targets: Iterable[str]) -> Iterator[str]:
    listed = list(targets)
    if not listed:
        yield "no route leads to a channel, so nobody hears of it"
    for key in listed:
        route, channel, common = key.split("|", 2)
        timing = policy.timing(route)
        if route.startswith(ESCALATION):
            yield f"goes to {channel} by escalation step {route.removeprefix(ESCALATION)}"
        else:
            yield (
                f"goes to {channel} by route {route}, grouped by {common or 'nothing'}, "
                f"first after {timing.wait_us / 1e6:g} s, then every {timing.interval_us / 1e6:g} s"
            )


def _now(journal: Journal, policy: Policy, alert: Alert, now_us: int) -> Iterator[str]:
    state = restore(journal).state
    yield f"now: {alert.status}" + (
        f", {alert.acked_by} takes care of it" if alert.acked_by else ""
    )
    if alert.status is not Status.FIRING:
        return
    mutes = Mutes(policy, state, now_us)
    for key in alert.targets:
        _, channel, common = key.split("|", 2)
        mute, group = mutes.of(alert, channel), state.groups.get(key)
        if mute is not None:
            until = (
                f" (until {instant_of(mute.until_us):%Y-%m-%d %H:%M} UTC)" if mute.until_us else ""
            )
            yield f"{channel}: held back, {mute.reason}{until}"
        elif group is not None and alert.id in group.told:
            yield f"{channel}: told"
        else:
            yield f"{channel}: waits for its group ({common})"


def _explain_event(journal: Journal, policy: Policy, sequence: int) -> Explanation | Refusal:
    found = journal.read(sequence - 1, 1)
    if not found or found[0].sequence != sequence:
        return Refusal(f"the journal has no event {sequence}")
    event = found[0]
    lines = []
    raising = policy.raising(event.kind)
    if not raising:
        lines.append(f"no rule is raised by events of the kind {event.kind}")
    for rule, when in raising:
        why = list(_misses(when, event))
        verdict = "does not fit: " + "; ".join(why) if why else "fits"
        lines.append(f"rule {rule.name} {verdict}")
    lines += [
        f"event {consequence.sequence}: {sentence(consequence)}"
        for consequence in journal.search(cause=sequence)
        if consequence.kind.startswith("alert.")
    ]
    return Explanation(f"Event {sequence}: {sentence(event)}", tuple(lines))


def _misses(when: When, event: Event) -> Iterator[str]:
    fields = fields_of(event)
    for name, test in when.where.items():
        value = fields.get(name, MISSING)
        if not test.passes(value):
            shown = "missing" if value is MISSING else f"{value}"
            yield f"{name} is {shown}, but {test.sentence} is wanted"
