"""Whether the chain is whole, and if not, which event is the first bad one.

Recomputes every hash from what is stored, compares it with the signed checkpoints, and asks of every
dropped payload which seal allowed it. Refuses to know where the links come from: a store or an
exported file. `Journal.verify` and `verify_export` call it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import orjson

from automation.core.errors import PermanentError
from automation.journal.event import GENESIS
from automation.journal.store import Link

_SEALED = b"\njournal.sealed\n"


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
    broken: Break | None = None
    signed_until: int = 0
    """The newest event that a valid checkpoint vouches for; 0 when none does."""
    sealed_events: int = 0
    notices: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every event holds."""
        return self.broken is None

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        if self.broken is not None:
            return f"event {self.broken.sequence} is the first bad one: {self.broken.reason}"
        signed = f"signed up to {self.signed_until}" if self.signed_until else "not signed"
        return f"{self.events} events verified, up to number {self.last_sequence}, {signed}"


class ChainCheck:
    """Checks a stretch of the chain piece by piece."""

    def __init__(
        self,
        *,
        after: int = 0,
        previous: bytes = GENESIS,
        marks: Mapping[int, bytes] | None = None,
    ) -> None:
        """Start after event `after`, whose hash is `previous`; `marks` are signed hashes."""
        self._after, self._expected, self._previous = after, after + 1, previous
        ahead = {n: mark for n, mark in (marks or {}).items() if n > after}
        self._marks = [(n, ahead[n]) for n in sorted(ahead, reverse=True)]
        self._signed_until = max((n for n in (marks or {}) if n <= after), default=0)
        self._bare: list[tuple[int, int]] = []
        self._seals: list[tuple[int, int]] = []
        self.broken: Break | None = None

    def feed(self, links: Iterable[Link]) -> bool:
        """Check more links; False when one does not hold, and nothing more is checked then."""
        if self.broken is None:
            try:
                self._feed(links)
            except PermanentError as error:
                self.broken = Break(self._expected, f"it cannot be read: {error}")
        return self.broken is None

    def _feed(self, links: Iterable[Link]) -> None:
        previous, expected = self._previous, self._expected
        mark = self._marks[-1][0] if self._marks else 0
        try:
            for link in links:
                sequence, head, payload, digest, hashed = link
                if payload is not None:
                    digest = sha256(payload).digest()
                if (
                    sequence != expected
                    or head is None
                    or digest is None
                    or sha256(previous + digest + head).digest() != hashed
                ):
                    self.broken = _explain(sequence, expected)
                    return
                if payload is None:
                    self._note_bare(sequence)
                elif _SEALED in head:
                    self._note_seal(head, payload)
                previous = hashed
                expected += 1
                if sequence == mark:
                    if not self._passes(sequence, hashed):
                        return
                    mark = self._marks[-1][0] if self._marks else 0
        finally:
            self._previous, self._expected = previous, expected

    def finish(self) -> Verification:
        """Say what was found."""
        if self.broken is None and self._marks:
            self.broken = Break(
                self._expected, f"it is missing; a checkpoint knows event {self._marks[0][0]}"
            )
        bare = self._first_unsealed()
        if bare and (self.broken is None or bare < self.broken.sequence):
            self.broken = Break(bare, "its payload is gone and no seal says why")
        return Verification(
            self._expected - 1 - self._after,
            self._expected - 1,
            self._previous,
            self.broken,
            self._signed_until,
            sum(last - first + 1 for first, last in self._bare),
        )

    def _passes(self, sequence: int, hashed: bytes) -> bool:
        _, signed = self._marks.pop()
        if signed != hashed:
            first = self._signed_until + 1
            self.broken = Break(
                first,
                f"the chain was rewritten between events {first} and {sequence}:"
                f" event {sequence} has another hash than the signed checkpoint says",
            )
            return False
        self._signed_until = sequence
        return True

    def _note_bare(self, sequence: int) -> None:
        if self._bare and self._bare[-1][1] == sequence - 1:
            self._bare[-1] = (self._bare[-1][0], sequence)
        else:
            self._bare.append((sequence, sequence))

    def _note_seal(self, head: bytes, payload: bytes) -> None:
        if head.split(b"\n", 3)[2] != _SEALED.strip():
            return  # somebody has a strange name
        sealed = orjson.loads(payload)
        self._seals.append((int(sealed["first"]), int(sealed["last"])))

    def _first_unsealed(self) -> int:
        for first, last in self._bare:
            here = first
            for seal_first, seal_last in sorted(self._seals):
                if seal_first <= here <= seal_last:
                    here = seal_last + 1
            if here <= last:
                return here
        return 0


def verify_links(
    links: Iterable[Link],
    *,
    after: int = 0,
    previous: bytes = GENESIS,
    marks: Mapping[int, bytes] | None = None,
) -> Verification:
    """Check a stretch of the chain that follows event `after`, whose hash is `previous`."""
    check = ChainCheck(after=after, previous=previous, marks=marks)
    check.feed(links)
    return check.finish()


def _explain(sequence: int, expected: int) -> Break:
    if sequence > expected:
        return Break(expected, "it is missing")
    if sequence < expected:
        return Break(sequence, "it stands there twice or out of order")
    return Break(expected, "it does not fit its hash: the event or the one before was changed")
