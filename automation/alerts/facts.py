"""What an alert keeps of the event that raised it: fields for tests, facts for messages.

Facts are bounded, since they are stored, and plain, since templates show them.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Protocol

LONGEST_FACT = 300
MOST_FACTS = 24
LONGEST_LABEL = 120


class JournalEvent(Protocol):
    """What the alerts need of an event."""

    @property
    def sequence(self) -> int:
        """Its place in the journal."""
        ...

    @property
    def time_us(self) -> int:
        """When it was written, in microseconds since 1970."""
        ...

    @property
    def kind(self) -> str:
        """What happened."""
        ...

    @property
    def actor(self) -> str:
        """Who wanted it."""
        ...

    @property
    def address(self) -> str:
        """Where the actor called from."""
        ...

    @property
    def source(self) -> str:
        """Which part of the program wrote it."""
        ...

    @property
    def bot(self) -> str:
        """Which bot it is about."""
        ...

    @property
    def cause(self) -> int | None:
        """Which event brought it about."""
        ...

    @property
    def payload(self) -> dict[str, Any]:
        """What else is to be known."""
        ...


def fields_of(event: JournalEvent) -> dict[str, Any]:
    """Give an event's fields by name, nested ones as `a.b`; the event's own win."""
    fields: dict[str, Any] = {}
    _flatten(event.payload, "", fields)
    fields.update(
        kind=event.kind,
        bot=event.bot,
        actor=event.actor,
        address=event.address,
        source=event.source,
    )
    return fields


def facts_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of the fields what a message can tell."""
    facts: dict[str, Any] = {}
    for name, value in fields.items():
        if value in (None, "") or name in {"kind", "bot", "source", "address"}:
            continue
        facts[name] = value[:LONGEST_FACT] if isinstance(value, str) else value
        if len(facts) == MOST_FACTS:
            break
    return facts


def label(value: Any) -> str:
    """Turn a field's value into a label's; one line, bounded."""
    text = "" if value is None else str(value)
    return " ".join(text.split())[:LONGEST_LABEL].replace("|", "/")


def fingerprint(labels: Mapping[str, str], *more: int) -> str:
    """Give the name of the alert that these labels make."""
    parts = [f"{name}={labels[name]}" for name in sorted(labels)]
    return sha256("\0".join((*parts, *map(str, more))).encode()).hexdigest()[:16]


def _flatten(payload: Mapping[str, Any], prefix: str, fields: dict[str, Any]) -> None:
    for name, value in payload.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{prefix}{name}.", fields)
        elif isinstance(value, list | tuple):
            fields[f"{prefix}{name}"] = ", ".join(map(str, value[:20]))
        else:
            fields[f"{prefix}{name}"] = value
