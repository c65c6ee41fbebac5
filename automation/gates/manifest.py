"""What a bundle says of itself: its range, pairs, versions, and a hash of everything in it.

The address of a bundle is the hash of its content (rows, rules, tiers, range), not of its bytes:
two bundles of equal content have one address, whichever library compressed them. Called by
`bundle`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from automation.core.errors import ConfigError

FORMAT = 1
KIND = "freqfleet-bundle"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle; `content` is the hash of its rows, equal to `sha256` for JSON."""

    name: str
    sha256: str
    size: int
    content: str
    rows: int = 0
    first_ms: int = 0
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's table of contents. `timerange` is Freqtrade's text form; the lead lies before it."""

    timerange: str
    lead_days: int
    pairs: tuple[str, ...]
    timeframes: tuple[str, ...]
    versions: Mapping[str, str]
    members: tuple[Member, ...]
    address: str = ""
    format: int = FORMAT
    kind: str = field(default=KIND)

    def addressed(self) -> "Manifest":
        """Give it the address that its content has."""
        return replace(self, address=_address(self))


def write_manifest(manifest: Manifest) -> bytes:
    """Write a manifest; equal manifests give equal bytes."""
    return orjson.dumps(asdict(manifest), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def read_manifest(content: bytes, where: str) -> Manifest:
    """Read a manifest; ConfigError for another kind of file, another format, or a false address."""
    try:
        raw: dict[str, Any] = orjson.loads(content)
        _check_kind(raw["kind"], raw["format"], where)
        members = tuple(Member(**member) for member in raw.pop("members"))
        pairs, timeframes = tuple(raw.pop("pairs")), tuple(raw.pop("timeframes"))
        manifest = Manifest(**raw, members=members, pairs=pairs, timeframes=timeframes)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise ConfigError("holds no manifest of a bundle", where=where, cure=_RENEW) from None
    if manifest.address != _address(manifest):
        raise ConfigError("its manifest does not fit its address", where=where, cure=_RENEW)
    return manifest


_RENEW = "make it anew with freqfleet gate bundle"


def _check_kind(kind: Any, found: Any, where: str) -> None:
    if kind != KIND:
        raise ConfigError(f"is a {kind}, no bundle", where=where, cure=_RENEW)
    if found != FORMAT:
        sentence = f"is a bundle of format {found}; this version reads format {FORMAT}"
        raise ConfigError(sentence, where=where, cure=_RENEW)


def _address(manifest: Manifest) -> str:
    content = {
        "format": manifest.format,
        "timerange": manifest.timerange,
        "lead_days": manifest.lead_days,
        "pairs": manifest.pairs,
        "timeframes": manifest.timeframes,
        "versions": dict(manifest.versions),
        "members": [(member.name, member.content) for member in manifest.members],
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
