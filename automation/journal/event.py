"""What an event is, and the bytes that its hash covers.

Decides the canonical form: nine lines (sequence, time, kind, version, actor, address, source, bot,
cause), hashed with the hash before it and the digest of the payload, so that a payload can be
dropped later while its place in the chain stays provable. Refuses to know where events are kept.
Stores call `chain`, everybody else reads `Event`s.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from pathlib import PurePath
from typing import Any, NamedTuple, cast

import orjson
from pydantic import BaseModel

from automation.core.errors import PermanentError
from automation.core.masking import mask

GENESIS = bytes(32)
"""The hash before the first event."""

LONGEST_FIELD = 200
LARGEST_PAYLOAD_BYTES = 1_048_576

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


class Event(NamedTuple):
    """One entry of the journal, as it was written."""

    sequence: int
    time_us: int  # microseconds since 1970, UTC, as the writer's clock said
    kind: str
    version: int  # of the payload's form
    actor: str  # who wanted it: a person, a command, the supervisor
    address: str  # where the actor called from; "" on this machine
    source: str  # which part of the program wrote it
    bot: str  # "" when it is not about one bot
    cause: int | None  # sequence of the event that brought this one about
    payload_json: str  # canonical JSON; "" once the payload was dropped
    digest: bytes  # SHA-256 of the payload's canonical JSON
    previous: bytes  # hash of the event before
    hash: bytes

    @property
    def payload(self) -> dict[str, Any]:
        """The payload as a fresh dictionary; empty once it was dropped."""
        if not self.payload_json:
            return {}
        return cast("dict[str, Any]", orjson.loads(self.payload_json))

    @property
    def time(self) -> datetime:
        """The instant, aware, in UTC."""
        return _EPOCH + self.time_us * _MICROSECOND

    @property
    def is_sealed(self) -> bool:
        """Whether the payload was dropped by retention."""
        return not self.payload_json

    def as_dict(self) -> dict[str, Any]:
        """Give the event as JSON-ready values, hashes in hexadecimal."""
        plain = self._asdict()
        del plain["payload_json"]
        plain.update(
            time=self.time.isoformat(),
            payload=None if self.is_sealed else self.payload,
            digest=self.digest.hex(),
            previous=self.previous.hex(),
            hash=self.hash.hex(),
        )
        return plain


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a place in the chain."""

    kind: str
    actor: str
    source: str
    payload: Mapping[str, Any] | BaseModel | None = None
    bot: str = ""
    cause: int | None = None
    address: str = ""
    version: int = 1


class Entry(NamedTuple):
    """A draft made ready: cleaned, masked, stamped and digested."""

    time_us: int
    kind: str
    version: int
    actor: str
    address: str
    source: str
    bot: str
    cause: int | None
    payload_json: str
    digest: bytes


def prepare(draft: Draft, time_us: int) -> Entry:
    """Clean, mask and encode a draft; PermanentError when it can never be written."""
    if not _is_kind(draft.kind):
        raise PermanentError(
            f"{draft.kind!r} is no kind of event", cure="write it like `bot.started`"
        )
    payload = encode_payload(draft.kind, draft.payload)
    return Entry(
        time_us,
        draft.kind,
        draft.version,
        _one_line(mask(draft.actor)),
        _one_line(mask(draft.address)),
        _one_line(mask(draft.source)),
        _one_line(mask(draft.bot)),
        draft.cause,
        payload.decode(),
        sha256(payload).digest(),
    )


def encode_payload(kind: str, payload: Mapping[str, Any] | BaseModel | None) -> bytes:
    """Encode a payload as canonical JSON: masked, keys sorted, UTF-8, no spaces, NaN as null."""
    plain = _masked(payload) if isinstance(payload, BaseModel) else mask(payload or {})
    try:
        encoded = _dump(plain)
    except TypeError:
        try:
            encoded = _dump(_tamed(plain))
        except TypeError as error:
            raise PermanentError(f"the payload of {kind} has no JSON form: {error}") from error
    if len(encoded) > LARGEST_PAYLOAD_BYTES:
        raise PermanentError(
            f"the payload of {kind} has {len(encoded):,} bytes, more than {LARGEST_PAYLOAD_BYTES:,}",
            cure="write the bulk to a file and journal its path and checksum",
        )
    return encoded


def _masked(payload: BaseModel) -> dict[str, Any]:
    dumped = payload.model_dump(mode="json")
    plain: dict[str, Any] = mask(dumped)
    # What a kind declares public is no secret whatever it is called, as the key of an effect;
    # registered secrets are masked in it all the same.
    for name in getattr(payload, "public", ()):
        plain[name] = mask(dumped[name])
    return plain


def chain(entries: Iterable[Entry], last_sequence: int, last_hash: bytes) -> list[Event]:
    """Give entries their places after the last event, each hashed over the one before."""
    events: list[Event] = []
    sequence, previous = last_sequence, last_hash
    for entry in entries:
        sequence += 1
        digest = entry.digest
        hashed = sha256(previous + digest + head_of(sequence, entry)).digest()
        events.append(Event(sequence, *entry, previous, hashed))
        previous = hashed
    return events


def head_of(sequence: int, entry: Entry | Event) -> bytes:
    """Give the nine lines of an event that its hash covers beside the payload's digest."""
    cause = "" if entry.cause is None else entry.cause
    return (
        f"{sequence}\n{entry.time_us}\n{entry.kind}\n{entry.version}\n{entry.actor}\n"
        f"{entry.address}\n{entry.source}\n{entry.bot}\n{cause}"
    ).encode()


def digest_of(payload_json: str | bytes) -> bytes:
    """Give the SHA-256 of a payload's canonical JSON."""
    raw = payload_json.encode() if isinstance(payload_json, str) else payload_json
    return sha256(raw).digest()


def to_us(instant: datetime) -> int:
    """Convert an aware instant to microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=4096)
def _is_kind(kind: str) -> bool:
    return len(kind) <= LONGEST_FIELD and _KIND.fullmatch(kind) is not None


@lru_cache(maxsize=4096)
def _one_line(text: str) -> str:
    # A line break would make two different events share one canonical form.
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= LONGEST_FIELD else text[: LONGEST_FIELD - 1] + "…"


def _dump(plain: Any) -> bytes:
    return orjson.dumps(plain, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return mask(value.model_dump(mode="json"))
    if isinstance(value, Decimal | PurePath):
        return mask(str(value))
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _tamed(value: Any) -> Any:
    """Make the rare values writable that JSON encoders refuse; an event is worth more than form."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_tamed(k) if isinstance(k, str) else str(k): _tamed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_tamed(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value
