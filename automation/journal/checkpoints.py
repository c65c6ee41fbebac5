"""Signed statements about the chain: at event n its hash was h.

Decides what is signed (Ed25519) and where the newest statement also goes (the anchor file, meant
for another disk or host). The key stays outside the store: who can rewrite the store still cannot
sign. Refuses to know how the chain is checked. The supervisor calls `Notary.run`.
"""

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from automation.core.errors import ConfigError, DependencyError, PermanentError, TransientError
from automation.core.files import write_whole
from automation.journal.catalogue import Broken, CheckpointFailed
from automation.journal.event import GENESIS
from automation.journal.store import Link
from automation.journal.verification import Break, Verification, verify_links

if TYPE_CHECKING:
    from automation.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a signature vouches for."""

    sequence: int
    hash: bytes
    time_us: int
    key_id: str
    signature: bytes = b""

    @property
    def statement(self) -> bytes:
        """The bytes that are signed."""
        text = f"{self.sequence}\n{self.hash.hex()}\n{self.time_us}\n{self.key_id}"
        return f"freqfleet journal checkpoint\n{text}".encode()

    def to_json(self) -> str:
        """Write the checkpoint as one line of JSON."""
        fields = {
            "hash": self.hash.hex(),
            "key_id": self.key_id,
            "sequence": self.sequence,
            "signature": self.signature.hex(),
            "time_us": self.time_us,
        }
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Checkpoint":
        """Read a checkpoint; ValueError when it is none."""
        try:
            fields = orjson.loads(text)
            return cls(
                int(fields["sequence"]),
                bytes.fromhex(fields["hash"]),
                int(fields["time_us"]),
                str(fields["key_id"]),
                bytes.fromhex(fields["signature"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no checkpoint: {error}") from error


class PublicKey:
    """Checks signatures."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        """Wrap a key."""
        self._key = key
        self.key_id = sha256(key.public_bytes_raw()).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> "PublicKey":
        """Read a public key (PEM); ConfigError when the file holds none."""
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"no public key can be read ({error})", where=str(path)) from error
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigError("this is no Ed25519 key", where=str(path))
        return cls(key)

    def vouches_for(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the checkpoint bears this key's signature."""
        try:
            self._key.verify(checkpoint.signature, checkpoint.statement)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """Signs checkpoints."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Wrap a key."""
        self._key = key
        self.public = PublicKey(key.public_key())

    @classmethod
    def create(cls, path: Path) -> "SigningKey":
        """Make a key, readable by its owner only, and its public half beside it (`.pub`)."""
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigError(
                "a key is there already", where=str(path), cure="name another file"
            ) from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        public_path(path).write_bytes(public)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """Read a key; ConfigError when there is none or others may read it."""
        try:
            mode = path.stat().st_mode
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"no signing key can be read ({error})", where=str(path)) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError("this is no Ed25519 key", where=str(path))
        if mode & 0o077:
            raise ConfigError(
                "others may read the signing key", where=str(path), cure=f"run `chmod 600 {path}`"
            )
        return cls(key)

    @classmethod
    def load_or_create(cls, path: Path) -> "SigningKey":
        """Read the key, or make it when the file is missing."""
        return cls.load(path) if path.exists() else cls.create(path)

    def sign(self, sequence: int, hashed: bytes, time_us: int) -> Checkpoint:
        """Vouch for the hash of an event."""
        plain = Checkpoint(sequence, hashed, time_us, self.public.key_id)
        signature = self._key.sign(plain.statement)
        return Checkpoint(sequence, hashed, time_us, plain.key_id, signature)


class Notary:
    """Verifies what is new, signs it, and keeps the newest checkpoint in the anchor file too."""

    def __init__(self, journal: "Journal", key: SigningKey, anchor: Path) -> None:
        """Sign with `key`; `anchor` belongs on another disk or host than the journal."""
        self._journal, self._key, self._anchor = journal, key, anchor
        self._verified = (0, bytes(32))
        self._has_said_broken = False

    def checkpoint(self) -> Checkpoint | None:
        """Verify and sign everything up to the newest event; None when nothing is new or sound.

        A broken chain is never signed over; `journal.broken` says so, once.
        """
        after, previous = self._verified
        found = self._journal.verify_from(after, previous)
        if found.broken is not None:
            self._say_broken(found.broken)
            return None
        if found.last_sequence == after:
            return None
        checkpoint = self._key.sign(found.last_sequence, found.last_hash, self._journal.now_us())
        self._journal.store.add_checkpoint(checkpoint.sequence, checkpoint.to_json())
        write_anchor(self._anchor, checkpoint)
        self._verified = (found.last_sequence, found.last_hash)
        return checkpoint

    async def run(self, every_s: float = 60.0) -> None:
        """Sign every so often, and once more when cancelled."""
        try:
            while True:
                await asyncio.to_thread(self._try)
                await asyncio.sleep(every_s)
        finally:
            self._try()

    def _try(self) -> None:
        try:
            self.checkpoint()
        except TransientError:
            return  # the store is down: the journal itself says so
        except (DependencyError, OSError) as error:
            said = CheckpointFailed(reason=str(error))
            with suppress(PermanentError):  # closed meanwhile
                self._journal.post(
                    "journal.checkpoint_failed", actor="journal", source="journal", payload=said
                )

    def _say_broken(self, broken: Break) -> None:
        if not self._has_said_broken:
            self._has_said_broken = True
            said = Broken(sequence=broken.sequence, reason=broken.reason)
            self._journal.post("journal.broken", actor="journal", source="journal", payload=said)


def public_path(key: Path) -> Path:
    """Name the file with the public half of a key."""
    return key.with_name(key.name + ".pub")


def write_anchor(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the anchor file at once and durably."""
    write_whole(path, checkpoint.to_json().encode() + b"\n")


def read_anchor(path: Path) -> Checkpoint:
    """Read an anchor file; ConfigError when it holds none."""
    try:
        return Checkpoint.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"no anchor can be read ({error})", where=str(path)) from error


def marks_of(
    records: Iterable[str], public: PublicKey | None, anchor: Checkpoint | None
) -> tuple[dict[int, bytes], Break | None]:
    """Give the hashes that checkpoints vouch for, and the first checkpoint that does not hold.

    Without a public key the checkpoints are compared but prove nothing against a forger.
    """
    marks: dict[int, bytes] = {}
    bad: list[Break] = []
    for record in records:
        try:
            checkpoint = Checkpoint.from_json(record)
        except ValueError as error:
            bad.append(Break(0, f"a checkpoint cannot be read: {error}"))
            continue
        _add(marks, bad, checkpoint, public, "checkpoint")
    if anchor is not None:
        _add(marks, bad, anchor, public, "anchor")
    return marks, min(bad, key=lambda found: found.sequence, default=None)


def judge(
    links: Iterable[Link],
    records: Iterable[str],
    public: PublicKey | None = None,
    anchor: Checkpoint | None = None,
    *,
    after: int = 0,
    previous: bytes = GENESIS,
) -> Verification:
    """Check a stretch of the chain against its checkpoints and the anchor."""
    marks, bad = marks_of(records, public, anchor)
    found = verify_links(links, after=after, previous=previous, marks=marks)
    notices = found.notices
    if public is None and marks:
        notices = (*notices, "no public key was given: the signatures were not checked")
    if bad is not None and (found.broken is None or bad.sequence < found.broken.sequence):
        return replace(found, broken=bad, notices=notices)
    return replace(found, notices=notices)


def _add(
    marks: dict[int, bytes],
    bad: list[Break],
    checkpoint: Checkpoint,
    public: PublicKey | None,
    name: str,
) -> None:
    sequence = checkpoint.sequence
    if public is not None and not public.vouches_for(checkpoint):
        bad.append(Break(sequence, f"the signature of its {name} is not that of the key"))
    elif marks.setdefault(sequence, checkpoint.hash) != checkpoint.hash:
        bad.append(Break(sequence, f"its {name} says another hash than its checkpoint"))
