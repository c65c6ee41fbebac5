"""What people do with alerts from the command line, a page or a chat: list, acknowledge, silence.

Everything goes through the journal, so it works from any process, whether the alerts run or not,
and stays on record with its author. Called by `cli`, `web` and `commander`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from automation.alerts.calendars import instant_of, us_of
from automation.alerts.channels import Channel
from automation.alerts.delivery import style_of
from automation.alerts.fold import restore
from automation.alerts.kinds import Acknowledged, Silenced, Unsilenced
from automation.alerts.matching import Test, Tests
from automation.alerts.notification import Line, Notification, Why
from automation.alerts.rendering import render
from automation.alerts.settings import Settings
from automation.alerts.severity import Severity
from automation.alerts.state import Alert, Silence, State, Status
from automation.alerts.step import portions
from automation.core.clock import Clock, SystemClock
from automation.core.errors import DependencyError, Refusal
from automation.journal import Journal

SOURCE = "alerts-desk"
SHORTEST_PREFIX = 4
LONGEST_SILENCE = timedelta(days=366)
_TESTS: TypeAdapter[dict[str, Test]] = TypeAdapter(Tests)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, as `alerts list` shows it."""

    id: str
    rule: str
    severity: str
    status: str
    bot: str
    labels: dict[str, str]
    facts: dict[str, Any]
    since: datetime
    acked_by: str
    silenced_by: str
    level: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """One silence that holds."""

    id: str
    match: dict[str, str]
    author: str
    reason: str
    until: datetime


def list_alerts(
    journal: Journal, *, clock: Clock | None = None, pending: bool = False
) -> list[AlertRow]:
    """List what fires, the worst first; with `pending` also what may become an alert."""
    state, now_us = restore(journal).state, us_of((clock or SystemClock()).now())
    wanted = {Status.FIRING, Status.PENDING} if pending else {Status.FIRING}
    alerts = [alert for alert in state.alerts.values() if alert.status in wanted]
    alerts.sort(key=lambda one: (-one.severity.rank, one.since_us, one.id))
    return [_row(state, alert, now_us) for alert in alerts]


def list_silences(journal: Journal, *, clock: Clock | None = None) -> list[SilenceRow]:
    """List the silences that hold."""
    now_us = us_of((clock or SystemClock()).now())
    return [
        SilenceRow(
            one.id,
            {name: test.sentence for name, test in one.tests.items()},
            one.author,
            one.reason,
            instant_of(one.until_us),
        )
        for one in restore(journal).state.silences.values()
        if one.until_us > now_us
    ]


def acknowledge(
    journal: Journal, target: str, *, by: str, note: str = "", address: str = ""
) -> tuple[str, ...] | Refusal:
    """Take care of alerts: neither repeated nor escalated from now on; gives their ids.

    `target` is an alert's id or its beginning, a message's name like `telegram-12`, or `all`.
    """
    state = restore(journal).state
    found = targets_of(journal, state, target)
    if isinstance(found, Refusal):
        return found
    ids = tuple(alert.id for alert in found if alert.is_open)
    if not ids:
        taken = sorted({alert.acked_by for alert in found if alert.acked_by})
        done = f"taken care of by {', '.join(taken)}" if taken else "over"
        return Refusal(f"{target} is {done} already")
    for portion in portions(ids):
        journal.append(
            "alert.acknowledged",
            actor=by,
            source=SOURCE,
            address=address,
            payload=Acknowledged(ids=tuple(portion), note=note),
        )
    return ids


def silence(
    journal: Journal,
    match: Mapping[str, Any],
    *,
    by: str,
    reason: str,
    until: datetime,
    clock: Clock | None = None,
    address: str = "",
) -> str | Refusal:
    """Keep alerts with these labels quiet until an instant; gives the silence's id.

    `match` maps labels (rule, severity, bot …) to a value, a list, or a mapping like
    `{"matches": "trend-.*"}`.
    """
    now = (clock or SystemClock()).now()
    if not match:
        return Refusal("a silence needs a label to match; an empty one would hide everything")
    if not now < until <= now + LONGEST_SILENCE:
        return Refusal("a silence ends in the future and within a year")
    try:
        tests = _TESTS.validate_python(dict(match))
    except ValidationError as error:
        first = error.errors()[0]
        return Refusal(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}")
    name = secrets.token_hex(4)
    said = Silenced(
        id=name,
        match={k: t.model_dump(mode="json", by_alias=True, exclude_none=True)
               for k, t in tests.items()},
        reason=reason,
        until_us=us_of(until),
    )  # fmt: skip
    journal.append("alert.silenced", actor=by, source=SOURCE, address=address, payload=said)
    return name


def unsilence(journal: Journal, silence_id: str, *, by: str, address: str = "") -> Refusal | None:
    """End a silence before its time."""
    if silence_id not in restore(journal).state.silences:
        return Refusal(f"there is no silence {silence_id}")
    journal.append(
        "alert.unsilenced",
        actor=by,
        source=SOURCE,
        address=address,
        payload=Unsilenced(id=silence_id),
    )
    return None


async def send_test(
    settings: Settings, channels: Mapping[str, Channel], names: tuple[str, ...] = ()
) -> dict[str, str]:
    """Send a test message through channels, all by default; "" where it went, else why not."""
    outcomes: dict[str, str] = {}
    for name in names or tuple(channels):
        if name not in channels:
            outcomes[name] = f"there is no channel {name}; there are {', '.join(channels)}"
            continue
        now_us = us_of(SystemClock().now())
        line = Line("test", "test", Severity.LOW, "", {}, {}, now_us)
        test = Notification(f"{name}-test", name, Severity.LOW, Why.TEST, now_us, (), (), (line,))
        try:
            message = render(test, {}, style_of(settings.channels[name]))
            await channels[name].send(message)
            outcomes[name] = ""
        except DependencyError as error:
            outcomes[name] = str(error)
    return outcomes


def targets_of(journal: Journal, state: State, target: str) -> list[Alert] | Refusal:
    """Find the alerts that somebody means."""
    firing = [alert for alert in state.alerts.values() if alert.status is Status.FIRING]
    if target == "all":
        return firing or Refusal("nothing fires")
    if target in state.alerts:
        return [state.alerts[target]]
    told = [
        event
        for event in journal.search(kind="alert.told", text=target)
        if event.payload["message"] == target
    ]
    if told:
        groups = {key for event in told for key in event.payload["groups"]}
        ids = {
            one for e in told for portion in e.payload["groups"].values() for one in portion["told"]
        }
        for key in groups & set(state.groups):
            ids |= state.groups[key].told
        found = [alert for alert in firing if alert.id in ids]
        return found or Refusal(f"what {target} told of is over")
    begun = [alert for alert in state.alerts.values() if alert.id.startswith(target)]
    if len(target) >= SHORTEST_PREFIX and len(begun) == 1:
        return begun
    if len(begun) > 1:
        return Refusal(f"{target} is the beginning of {len(begun)} alerts; say more of it")
    return Refusal(f"no alert or message is called {target}; freqfleet alerts list shows them")


def _row(state: State, alert: Alert, now_us: int) -> AlertRow:
    silenced: Silence | None = state.silence_of(alert, now_us)
    return AlertRow(
        id=alert.id,
        rule=alert.rule,
        severity=str(alert.severity),
        status=str(alert.status),
        bot=alert.bot,
        labels=dict(alert.labels),
        facts=dict(alert.facts),
        since=instant_of(alert.since_us),
        acked_by=alert.acked_by,
        silenced_by=silenced.author if silenced else "",
        level=alert.level,
        channels=tuple(dict.fromkeys(key.split("|")[1] for key in alert.targets)),
    )
