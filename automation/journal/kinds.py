"""What kinds of events there are: form, version and one plain sentence each.

Decides how a payload is checked when written, brought up to date when read, and told to a person.
Rooms define their kinds at import with `define`; events of unknown kinds are still written, read
and told, only less well. The reference page of all kinds is made from here.
"""

import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from automation.core.errors import PermanentError
from automation.journal.event import Draft, Event

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
Sentence = str | Callable[[Event, Any], str]

LONGEST_SENTENCE = 400
_EVENT_FIELDS = frozenset({"bot", "actor", "address", "source", "sequence"})


class Facts(BaseModel):
    """Base of all payload models: frozen, and nothing unknown gets in."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    public: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no secrets although they are called so: `key`, `token`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    name: str
    model: type[BaseModel]
    sentence: Sentence
    """A template over the payload's fields and bot, actor, address; or a function."""
    version: int = 1
    upcasts: Mapping[int, Upcast] = field(default_factory=dict)
    """From version n: what makes the payload one of version n + 1."""
    topics: frozenset[str] = frozenset()
    """What the report files it under: `refused login`, `risk limit` …"""

    def __post_init__(self) -> None:
        """Refuse templates and upcasts that could only fail later."""
        missing = set(range(1, self.version)) - set(self.upcasts)
        if missing:
            raise ValueError(f"{self.name}: no upcast from version {sorted(missing)}")
        if isinstance(self.sentence, str):
            names = {name for _, name, _, _ in string.Formatter().parse(self.sentence) if name}
            unknown = names - set(self.model.model_fields) - _EVENT_FIELDS
            if unknown:
                raise ValueError(f"{self.name}: the sentence names unknown {sorted(unknown)}")


class Kinds:
    """The kinds that are known."""

    def __init__(self) -> None:
        """Start with none."""
        self._kinds: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[Kind]:
        """Go through the kinds by name."""
        return iter(sorted(self._kinds.values(), key=lambda kind: kind.name))

    def get(self, name: str) -> Kind | None:
        """Look up a kind."""
        return self._kinds.get(name)

    def define(
        self,
        name: str,
        model: type[BaseModel],
        sentence: Sentence,
        *,
        version: int = 1,
        upcasts: Mapping[int, Upcast] | None = None,
        topics: Iterable[str] = (),
    ) -> Kind:
        """Make a kind known; ValueError when the name is taken or the parts do not fit."""
        kind = Kind(name, model, sentence, version, upcasts or {}, frozenset(topics))
        taken = self._kinds.get(name)
        if taken is not None and taken.model.__qualname__ != model.__qualname__:
            raise ValueError(f"{name} is defined twice")
        self._kinds[name] = kind
        return kind

    def shape(self, draft: Draft) -> Draft:
        """Check a draft's payload against its kind; PermanentError names the field."""
        kind = self._kinds.get(draft.kind)
        if kind is None:
            return draft
        payload = draft.payload
        if not isinstance(payload, kind.model):
            if isinstance(payload, BaseModel):
                payload = payload.model_dump()
            try:
                payload = kind.model.model_validate(payload or {})
            except ValidationError as error:
                raise PermanentError(
                    f"this is no payload of {draft.kind}: {_first(error)}"
                ) from error
        return replace(draft, payload=payload, version=kind.version)

    def current(self, event: Event) -> dict[str, Any]:
        """Give the payload in the newest form of its kind; PermanentError when it is newer still."""
        kind, payload, version = self._kinds.get(event.kind), event.payload, event.version
        if kind is None:
            return payload
        if version > kind.version:
            raise PermanentError(
                f"event {event.sequence} ({event.kind}) has version {version}, newer than"
                f" {kind.version}",
                cure="update Freqfleet",
            )
        while version < kind.version:
            payload = kind.upcasts[version](payload)
            version += 1
        return payload

    def typed(self, event: Event) -> BaseModel:
        """Give the payload as its kind's model; PermanentError when it has none or does not fit."""
        kind = self._kinds.get(event.kind)
        if kind is None:
            raise PermanentError(f"nothing is known of the kind {event.kind}")
        try:
            return kind.model.model_validate(self.current(event))
        except ValidationError as error:
            raise PermanentError(
                f"event {event.sequence} is no {event.kind}: {_first(error)}"
            ) from error

    def sentence(self, event: Event) -> str:
        """Tell an event in one plain sentence, on one line; never fails."""
        kind = self._kinds.get(event.kind)
        told = _plainly(event)
        if kind is not None and not event.is_sealed:
            try:
                model = self.typed(event)
                told = (
                    kind.sentence.format_map({**_of_event(event), **dict(model)})
                    if isinstance(kind.sentence, str)
                    else kind.sentence(event, model)
                )
            except (PermanentError, ValueError, TypeError, LookupError, AttributeError):
                # A payload that its template cannot tell is still told plainly.
                told = _plainly(event)
        line = " ".join("".join(c if c.isprintable() else " " for c in told).split())
        return line if len(line) <= LONGEST_SENTENCE else line[: LONGEST_SENTENCE - 1] + "…"


KINDS = Kinds()
"""The kinds of this process."""

define = KINDS.define
sentence = KINDS.sentence


def _of_event(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _EVENT_FIELDS}


def _plainly(event: Event) -> str:
    about = f" of {event.bot}" if event.bot else ""
    if event.is_sealed:
        return f"{event.kind}{about} by {event.actor} (its details were dropped by retention)"
    details = ", ".join(f"{name}={value}" for name, value in event.payload.items())
    return f"{event.kind}{about} by {event.actor}" + (f": {details}" if details else "")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "payload"
    return f"{where}: {first['msg']}"
