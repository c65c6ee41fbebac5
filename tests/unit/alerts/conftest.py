"""Drives the pure core with moved time: what happened in, messages out."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from automation.alerts import core
from automation.alerts.notification import Notification
from automation.alerts.policy import Policy
from automation.alerts.settings import Settings
from automation.alerts.state import State

S = 1_000_000
START_US = 1_735_689_600 * S  # 2025-01-01T00:00Z, a Wednesday


@dataclass(frozen=True)
class Happening:
    """An event as the journal would give it."""

    sequence: int
    time_us: int
    kind: str
    bot: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    actor: str = "supervisor"
    address: str = ""
    source: str = "fleet"
    cause: int | None = None


class Desk:
    """The core with a clock; every step is also folded, and the fold must agree."""

    def __init__(self, settings: Settings) -> None:
        self.policy = Policy(settings)
        self.now_us = START_US
        self.state = State()
        self.records = []
        self.folded = State()
        self.said: list[tuple[float, Notification]] = []
        self.sequence = 0
        self.is_checked = True
        self._take(core.adopt(self.policy, self.state, now_us=self.now_us))

    @property
    def now_s(self) -> float:
        return (self.now_us - START_US) / S

    def happens(self, *events: Happening, **one: Any) -> None:
        """Take events that happen now."""
        self._take(
            core.advance(self.policy, self.state, events or [self.event(**one)], now_us=self.now_us)
        )

    def event(self, kind: str, bot: str = "", **rest: Any) -> Happening:
        self.sequence += 1
        fields = {name: rest.pop(name) for name in ("actor", "source") if name in rest}
        return Happening(self.sequence, self.now_us, kind, bot, rest, **fields)

    def operator(self, kind: str, payload: dict[str, Any], actor: str = "ann") -> None:
        self.sequence += 1
        event = Happening(self.sequence, self.now_us, kind, "", payload, actor, source="cli")
        core.fold_event(self.folded, event)
        self._take(core.advance(self.policy, self.state, [event], now_us=self.now_us))

    def passes(self, seconds: float) -> None:
        """Let time pass; the core is woken when it asked to be."""
        end_us = self.now_us + round(seconds * S)
        while True:
            due_us = core.next_us(self.policy, self.state, now_us=self.now_us)
            if due_us > end_us:
                break
            self.now_us = max(due_us, self.now_us + 1)
            self._take(core.advance(self.policy, self.state, now_us=self.now_us))
        self.now_us = end_us

    def dies(self, settings: Settings | None = None) -> None:
        """Forget everything but the records, and start again from them."""
        if settings is not None:
            self.policy = Policy(settings)
        self.state = self.folded.copy()
        self._take(core.adopt(self.policy, self.state, now_us=self.now_us))

    def heard(self, channel: str = "") -> list[tuple[float, str, int, int]]:
        """List messages: when, why, how many fire, how many ended."""
        return [
            (round(at_s, 3), str(said.why), said.firing_count, said.ended_count)
            for at_s, said in self.said
            if channel in ("", said.channel)
        ]

    def _take(self, step: core.Step) -> None:
        for record in step.records:
            self.sequence += 1
            happening = Happening(
                self.sequence, self.now_us, record.kind, record.bot, record.payload,
                source="alerts", cause=record.cause,
            )  # fmt: skip
            core.fold_event(self.folded, happening)
            self.records.append(record)
        self.state = step.state
        self.said += [(self.now_s, said) for said in step.notifications]
        if self.is_checked:
            self.agrees()

    def agrees(self) -> None:
        """Check that the records tell the whole state."""
        self.folded.time_us = self.state.time_us
        assert self.folded == self.state


def channel(**rest: Any) -> dict[str, Any]:
    return {"type": "slack", "webhook": "env:SLACK", **rest}


DOWN = {
    "name": "down",
    "when": {"kind": "bot.exited", "where": {"is_expected": {"not": True}}},
    "until": "bot.healthy",
    "severity": "high",
    "title": "{{ bot }} is down",
}
LIQUIDATED = {
    "name": "liquidated",
    "when": "bot.liquidated",
    "until": "bot.healthy",
    "severity": "emergency",
    "title": "{{ bot }} was liquidated",
}
TRADE = {
    "name": "trade",
    "when": "trade.opened",
    "severity": "low",
    "once": True,
    "title": "{{ bot }} opened {{ pair }}",
}


def settings(**changes: Any) -> Settings:
    given = {
        "rules": [DOWN, LIQUIDATED, TRADE],
        "channels": {"ops": channel()},
        "route": {"routes": [{"match": {"severity": "emergency"}, "group_wait": "0"}]},
        **changes,
    }
    return Settings.model_validate(given)


@pytest.fixture
def make():
    """Make a desk from changed settings."""
    return lambda **changes: Desk(settings(**changes))


@pytest.fixture
def make_settings():
    """Make settings from changes to the usual ones."""
    return settings


@pytest.fixture
def rules():
    """The usual rules by name, to be changed."""
    return {rule["name"]: rule for rule in (DOWN, LIQUIDATED, TRADE)}


@pytest.fixture
def channel_of():
    """Describe a channel."""
    return channel
