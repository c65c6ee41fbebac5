"""The bundle: everything a hermetic backtest reads, in one archive that is checked at every use.

A tar file, compressed with zstandard: `manifest.json`, `rules.json` (market rules), `tiers.json`
(leverage tiers) and `futures/*.feather` as in a Freqtrade data folder. Equal input gives equal
bytes. Refuses to know what a backtest is. Called by `app`.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from automation.core.clock import to_ms
from automation.core.errors import ConfigError
from automation.core.files import write_whole
from automation.core.timerange import parse_timerange
from automation.gates.cut import content_hash, cut
from automation.gates.manifest import Manifest, Member, read_manifest, write_manifest

RULES, TIERS, MANIFEST = "rules.json", "tiers.json", "manifest.json"
_LEVEL = 9  # 12 and above: a few percent smaller, several times slower
_NAMES = re.compile(
    r"manifest\.json|rules\.json|tiers\.json|"
    r"futures/[A-Z0-9]+_[A-Z0-9]+_[A-Z0-9]+-\d+(?:m|h|d|w|Mo)-(?:futures|mark|funding_rate)\.feather"
)
_RENEW = "make it anew with freqfleet gate bundle"


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a bundle.

    `files` are feather files by their name in a Freqtrade data folder; `rules` and `tiers` are
    JSON documents by pair; `lead_days` of candles before the range serve start-up periods.
    """

    timerange: str
    pairs: tuple[str, ...]
    timeframes: tuple[str, ...]
    files: Sequence[Path]
    rules: Mapping[str, Any]
    tiers: Mapping[str, Any]
    versions: Mapping[str, str]
    lead_days: int = 30


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, unpacked: a data folder with its rules and tiers."""

    manifest: Manifest
    data: Path
    rules: Mapping[str, Any]
    tiers: Mapping[str, Any]

    @property
    def address(self) -> str:
        """The hash of its content."""
        return self.manifest.address


def write_bundle(contents: Contents, target: Path) -> Manifest:
    """Write a bundle to `target`, whole or not at all.

    Raises ConfigError where a file has no rows in the range, DependencyError if the disk refuses.
    """
    span = parse_timerange(contents.timerange)
    if span.start is None or span.end is None:
        cure = "write it like 20250101-20250701"
        raise ConfigError("a bundle needs both ends of its range", where="--timerange", cure=cure)
    start_ms = to_ms(span.start - timedelta(days=contents.lead_days))
    end_ms = to_ms(span.end)
    payloads: dict[str, bytes] = {}
    members: list[Member] = []
    for path in sorted(contents.files, key=lambda path: path.name):
        piece = cut(path, start_ms, end_ms)
        name = f"futures/{path.name}"
        payloads[name] = piece.payload
        members.append(
            Member(
                name=name,
                sha256=_sha256(piece.payload),
                size=len(piece.payload),
                content=piece.content,
                rows=piece.rows,
                first_ms=piece.first_ms,
                last_ms=piece.last_ms,
            )
        )
    for name, document in ((RULES, contents.rules), (TIERS, contents.tiers)):
        payload = orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        payloads[name] = payload
        members.append(Member(name, _sha256(payload), len(payload), _sha256(payload)))
    manifest = Manifest(
        timerange=contents.timerange,
        lead_days=contents.lead_days,
        pairs=contents.pairs,
        timeframes=contents.timeframes,
        versions=dict(contents.versions),
        members=tuple(members),
    ).addressed()
    ordered = {MANIFEST: write_manifest(manifest), **payloads}
    write_whole(target, _compress(_pack(ordered)))
    return manifest


def open_bundle(path: Path, folder: Path) -> Bundle:
    """Unpack a bundle into `folder`, checking every byte and row against the manifest.

    Raises ConfigError if it is not a bundle, is damaged or incomplete, or has another format.
    """
    where = str(path)
    found: dict[str, bytes] = {}
    for name, payload in _members(path):
        if name in found or not _NAMES.fullmatch(name):
            raise ConfigError(f"holds {name!r}, which no bundle does", where=where, cure=_RENEW)
        found[name] = payload
    if MANIFEST not in found:
        raise ConfigError("holds no manifest of a bundle", where=where, cure=_RENEW)
    manifest = read_manifest(found.pop(MANIFEST), where)
    _verify(manifest, found, where)
    for name, payload in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(payload)
    return Bundle(manifest, folder, orjson.loads(found[RULES]), orjson.loads(found[TIERS]))


def _verify(manifest: Manifest, found: Mapping[str, bytes], where: str) -> None:
    listed = {member.name: member for member in manifest.members}
    for name in sorted(listed.keys() ^ found.keys()):
        fault = "is missing" if name in listed else "is not in its manifest"
        raise ConfigError(f"{name} {fault}", where=where, cure=_RENEW)
    for name in (RULES, TIERS):
        if name not in listed:
            raise ConfigError(f"{name} is missing", where=where, cure=_RENEW)
    for name, member in listed.items():
        payload = found[name]
        if _sha256(payload) != member.sha256 or len(payload) != member.size:
            raise ConfigError(f"{name} is not what its manifest says", where=where, cure=_RENEW)
        content = content_hash(payload) if name.endswith(".feather") else member.sha256
        if content != member.content:
            raise ConfigError(
                f"the rows of {name} are not the manifest's", where=where, cure=_RENEW
            )


def _pack(payloads: Mapping[str, bytes]) -> bytes:
    """Write a tar file without clock, owner or mode of this machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, payload in payloads.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(payload), 0o644, 0
            archive.addfile(info, io.BytesIO(payload))
    return buffer.getvalue()


def _compress(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd", compression_level=_LEVEL).compress(content, asbytes=True))


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    where = str(path)
    try:
        with (
            pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream,
            tarfile.open(fileobj=io.BytesIO(stream.read()), mode="r:") as archive,
        ):
            for info in archive:
                file = archive.extractfile(info)
                if file is None:
                    raise ConfigError(f"holds {info.name!r}, no file", where=where, cure=_RENEW)
                yield info.name, file.read()
    except FileNotFoundError:
        cure = "make it with freqfleet gate bundle"
        raise ConfigError("there is no such bundle", where=where, cure=cure) from None
    except (pa.ArrowException, tarfile.TarError, OSError, EOFError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"is damaged, cut short or no bundle ({first})", where=where, cure=_RENEW
        ) from None


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
