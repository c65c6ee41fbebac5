"""Why an alert is not told for now: silenced, inhibited by another, or quiet hours.

Pure. `Mutes` looks through the firing alerts once and then answers for many.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from automation.alerts.calendars import channel_quiet_until_us, instant_of
from automation.alerts.matching import all_pass
from automation.alerts.policy import Policy
from automation.alerts.settings import Inhibition
from automation.alerts.state import Alert, Silence, State, Status


@dataclass(frozen=True, slots=True)
class Mute:
    """Why, and until when where that is known."""

    reason: str
    until_us: int | None = None
    is_silence: bool = False


class Mutes:
    """Answers for the alerts of one state at one instant."""

    def __init__(self, policy: Policy, state: State, now_us: int) -> None:
        """Look at the silences that hold and at the alerts that mute others."""
        self._policy, self._now_us = policy, now_us
        self._silences = [s for s in state.silences.values() if s.until_us > now_us]
        self._sources = [
            (inhibition, _sources(inhibition, state)) for inhibition in policy.settings.inhibit
        ]
        self._quiet: dict[tuple[str, int], int | None] = {}

    def of(self, alert: Alert, channel: str = "") -> Mute | None:
        """Find what mutes an alert, on a channel or at all; None when nothing does."""
        silence = self._silence(alert)
        if silence is not None:
            reason = f"silenced by {silence.author} ({silence.id}): {silence.reason}"
            return Mute(reason, silence.until_us, is_silence=True)
        for source in self._inhibitors(alert):
            return Mute(f"inhibited by {source}")
        until_us = self._quiet_until_us(alert, channel) if channel else None
        if until_us is not None:
            return Mute(f"quiet hours until {instant_of(until_us):%Y-%m-%d %H:%M} UTC", until_us)
        return None

    def _silence(self, alert: Alert) -> Silence | None:
        for silence in self._silences:
            if all_pass(silence.tests, alert.labels):
                return silence
        return None

    def _inhibitors(self, alert: Alert) -> Iterator[str]:
        for inhibition, sources in self._sources:
            if not sources or not all_pass(inhibition.mutes, alert.labels):
                continue
            found = sources.get(tuple(alert.labels.get(name, "") for name in inhibition.equal))
            # What is on both sides never mutes its like, or a pair would mute each other.
            if found and not all_pass(inhibition.when, alert.labels):
                yield found

    def _quiet_until_us(self, alert: Alert, channel: str) -> int | None:
        asked = channel, alert.severity.rank
        if asked not in self._quiet:
            self._quiet[asked] = channel_quiet_until_us(
                self._policy.settings.quiet_hours, channel, alert.severity.rank, self._now_us
            )
        return self._quiet[asked]


def _sources(inhibition: Inhibition, state: State) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for alert in state.alerts.values():
        if alert.status is Status.FIRING and all_pass(inhibition.when, alert.labels):
            values = tuple(alert.labels.get(name, "") for name in inhibition.equal)
            found.setdefault(values, f"{alert.rule} ({alert.id})")
    return found
