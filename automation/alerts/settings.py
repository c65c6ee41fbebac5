"""What `alerts.yaml` may say: rules, routes, inhibitions, quiet hours, escalation, on-call.

Frozen pydantic models, unknown keys refused, every field described. What a single section cannot
see (a route to a channel that is not there) is checked in `lint`; channels stand in
`channel_settings`. Read by `settingsfile`, compiled by `policy`.
"""

from datetime import datetime, time
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from automation.alerts.channel_settings import Channel, Commands, Heartbeat, Zone
from automation.alerts.duration import Duration, parse_duration
from automation.alerts.matching import Tests
from automation.alerts.severity import Severity

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
ON_CALL = "on-call"
"""In place of a channel's name: the channels of whoever is on call."""


def _read_time(given: Any) -> Any:
    # YAML 1.1 reads 22:00 without quotes as the number 1320.
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 24 * 60:
        return time(given // 60, given % 60)
    return given


TimeOfDay = Annotated[time, BeforeValidator(_read_time)]
Texts = Annotated[
    dict[str, str],
    BeforeValidator(lambda given: {"en": given} if isinstance(given, str) else given),
]


class Strict(BaseModel):
    """Frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class When(Strict):
    """Which events of the journal are meant."""

    kind: tuple[str, ...] = Field(
        description="Kind of event, or several; `bot.*` means every kind that starts with `bot.`."
    )
    where: Tests = Field(
        {}, description="Tests on the event's fields and on bot, actor, address and source."
    )

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"kind": (given,)}
        if isinstance(given, dict) and isinstance(given.get("kind"), str):
            return {**given, "kind": (given["kind"],)}
        return given


def _listed(given: Any) -> Any:
    return given if isinstance(given, list | tuple) else (given,)


Whens = Annotated[tuple[When, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Count(Strict):
    """How often something must happen before it is an alert."""

    times: int = Field(ge=2, le=1000, description="So many times …")
    within: Duration = Field(description="… within this duration.")


class Rule(Strict):
    """One thing to be told of."""

    name: Name = Field(description="The rule's name: a-z, 0-9 and dashes.")
    when: Whens = Field(min_length=1, description="What raises the alert.")
    until: Whens = Field((), description="What ends it; a bot's event ends that bot's alert alone.")
    severity: Severity = Field(description="How much it matters.")
    labels: dict[Label, str] = Field(
        {}, description="Further labels, each with the event's field that fills it."
    )
    holds_for: Duration = Field(
        parse_duration("0"), alias="for", description="How long it must last before it is told."
    )
    count: Count | None = Field(None, description="How often it must happen to be an alert.")
    expires: Duration | None = Field(
        None, description="It ends by itself when nothing raised it again for so long."
    )
    once: bool = Field(
        False, description="A notice: told once, never repeated, escalated or resolved."
    )
    escalates: bool = Field(True, description="Whether it escalates when nobody acknowledges it.")
    title: Texts = Field(description="Template of the headline, one or by language.")
    text: Texts = Field({}, description="Template of the text, one or by language.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        taken = {"rule", "severity", "bot"} & set(self.labels)
        if taken:
            raise ValueError(f"the label {min(taken)} is given already; choose another name")
        if self.once and (self.until or self.expires or self.holds_for or self.count):
            raise ValueError("a notice (once) has no until, for, count or expires; drop them")
        if self.count and self.holds_for:
            raise ValueError("count and for exclude each other; drop one of them")
        return self


class Route(Strict):
    """Where alerts go, and in which portions; what is left out comes from the route above."""

    match: Tests = Field({}, description="Tests on labels: rule, severity, bot and the rule's own.")
    channels: Names | None = Field(
        None, description="Channels, or `on-call`; the topmost route means all without it."
    )
    group_by: Names | None = Field(None, description="Labels that put alerts into one message.")
    group_wait: Duration | None = Field(
        None, description="How long a new group gathers before its first message."
    )
    group_interval: Duration | None = Field(
        None, description="How long a group waits before it tells what came since."
    )
    repeat_interval: Duration | None = Field(
        None, description="When what nobody acknowledged is told again."
    )
    goes_on: bool = Field(
        False, alias="continue", description="Whether the routes after this one are tried as well."
    )
    routes: tuple["Route", ...] = Field((), description="Routes below; the first that fits wins.")


class Inhibition(Strict):
    """An alert that makes others not worth telling."""

    when: Tests = Field(min_length=1, description="Labels of the alert that mutes others.")
    mutes: Tests = Field(min_length=1, description="Labels of those that are muted by it.")
    equal: Names = Field((), description="Labels that must be the same in both.")


class QuietHours(Strict):
    """When a channel keeps still. An emergency is always told."""

    channels: Names = Field(min_length=1, description="Channels that keep still.")
    zone: Zone = Field("UTC", description="Time zone of the hours.")
    start: TimeOfDay = Field(description='From this time on, like "22:00".')
    end: TimeOfDay = Field(description="Up to this time; an earlier one is on the next day.")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), description="Days on which they begin."
    )
    lets_through: Severity = Field(
        Severity.CRITICAL, description="This severity and above are told all the same."
    )

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same; quiet hours need a length")
        if not self.days:
            raise ValueError("no day is listed, so these quiet hours never begin")
        return self


class Step(Strict):
    """One level of escalation."""

    channels: Names = Field(min_length=1, description="Channels, or `on-call`, that hear of it.")
    then: str | None = Field(None, description="The step after this one.")


_DELAYS = {"low": "2h", "medium": "1h", "high": "15m", "critical": "5m", "emergency": "0"}


class Escalation(Strict):
    """Who hears of an alert that nobody acknowledges."""

    first: str = Field(description="The step taken first.")
    steps: dict[Name, Step] = Field(min_length=1, description="The steps by name.")
    delays: dict[Severity, Duration] = Field(
        {}, description="How long each step waits; emergencies never wait."
    )

    @model_validator(mode="after")
    def _at_once(self) -> Self:
        if self.delays.get(Severity.EMERGENCY):
            raise ValueError("an emergency escalates at once; drop its delay")
        return self

    def delay(self, severity: Severity) -> Duration:
        """Tell how long a step waits for an acknowledgement."""
        return self.delays.get(severity, parse_duration(_DELAYS[severity]))


class Person(Strict):
    """Somebody who takes shifts."""

    name: str = Field(min_length=1, max_length=60, description="The person's name.")
    channels: Names = Field(min_length=1, description="Channels that reach the person.")


class OnCall(Strict):
    """Who is on call, in turns."""

    people: tuple[Person, ...] = Field(min_length=1, description="In the order of their shifts.")
    since: datetime = Field(
        description="Local time at which the first shift of the first person began."
    )
    days: int = Field(7, ge=1, le=366, description="Length of a shift, in days.")
    zone: Zone = Field("UTC", description="Time zone of the hand-over.")

    @model_validator(mode="after")
    def _is_local(self) -> Self:
        if self.since.tzinfo is not None:
            raise ValueError("since is a local time; write it without an offset and set zone")
        return self


class Settings(Strict):
    """The whole of alerts.yaml, laid over the defaults."""

    rules: tuple[Rule, ...] = Field((), description="Rules; one named like a default replaces it.")
    without: Names = Field((), description="Default rules that are not wanted.")
    inhibit: tuple[Inhibition, ...] = Field((), description="Inhibitions beside the defaults.")
    channels: dict[Name, Channel] = Field({}, description="Channels by name.")
    route: Route = Field(Route.model_validate({}), description="The topmost route.")
    quiet_hours: tuple[QuietHours, ...] = Field((), description="When channels keep still.")
    escalation: Escalation | None = Field(None, description="Who hears of it next.")
    on_call: OnCall | None = Field(None, description="Who is on call.")
    commands: Commands | None = Field(None, description="Commands by Telegram.")
    heartbeat: Heartbeat | None = Field(None, description="A sign of life to somebody else.")
