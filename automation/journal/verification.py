"""Whether the chain is whole, and if not, which event is the first bad one.

Recomputes every hash from what is stored. Refuses to know where the links come from: a store or an
exported file. `Journal.verify` and `verify_export` call it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from automation.journal.event import GENESIS
from automation.journal.store import Link


@dataclass(frozen=True, slots=True)
class Break:
    """The first event that does not hold."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found."""

    events: int
    last_sequence: int
    last_hash: bytes
    broken: Break | None

    @property
    def is_whole(self) -> bool:
        """Whether every event holds."""
        return self.broken is None

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        if self.broken is None:
            return f"{self.events} events verified, up to number {self.last_sequence}"
        return f"event {self.broken.sequence} is the first bad one: {self.broken.reason}"


def verify_links(
    links: Iterable[Link], *, after: int = 0, previous: bytes = GENESIS
) -> Verification:
    """Check a stretch of the chain that follows event `after`, whose hash is `previous`."""
    expected = first = after + 1
    broken = None
    for sequence, head, payload, digest, hashed in links:
        if payload is not None:
            computed = sha256(payload).digest()
        elif digest is not None:
            computed = digest
        else:
            computed = b""
        if (
            sequence != expected
            or head is None
            or sha256(previous + computed + head).digest() != hashed
        ):
            broken = _explain(Link(sequence, head, payload, digest, hashed), expected)
            break
        previous = hashed
        expected += 1
    return Verification(expected - first, expected - 1, previous, broken)


def _explain(link: Link, expected: int) -> Break:
    if link.sequence > expected:
        return Break(expected, "it is missing")
    if link.sequence < expected:
        return Break(link.sequence, "it stands there twice or out of order")
    return Break(expected, "it does not fit its hash: the event or the one before was changed")
