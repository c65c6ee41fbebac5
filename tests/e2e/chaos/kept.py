"""What flights came to, kept for a run that goes on, and only for the code that flew.

A result lies in a folder named after a fingerprint of the product, its configurations, this suite,
Freqtrade, ccxt and Python: what other code came to is not found.
"""

import json
import platform
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from tests.e2e.chaos.flight import Course, Seen

RESULTS = "user_data/chaos"
FLOWN = ("automation", "configs", "tests/e2e/chaos")
NOT_FLOWN = ("seeds.json", ".pyc")
"""The seeds that failed grow while a count runs; each flight's own course is kept with it."""


def code(root: Path) -> str:
    """Fingerprint whatever flies."""
    flown = [f"{name} {version(name)}" for name in ("freqtrade", "ccxt")]
    digest = sha256(repr([platform.python_version(), *flown]).encode())
    for folder in FLOWN:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not path.name.endswith(NOT_FLOWN):
                digest.update(f"\0{path.relative_to(root)}\0".encode())
                digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def folder(root: Path) -> Path:
    """Tell where the results of the present code lie."""
    return root / RESULTS / code(root)


def holds(root: Path, course: Course) -> bool:
    """Tell whether this very code has flown a course, and everything held."""
    path = folder(root) / f"{course.seed}.json"
    return path.exists() and json.loads(path.read_text())["course"] == _told(course)


def write(place: Path, course: Course, seen: list[Seen]) -> None:
    """Keep what a flight came to in a folder that was asked for before it."""
    place.mkdir(parents=True, exist_ok=True)
    document = {"course": _told(course), "seen": [asdict(one) for one in seen]}
    (place / f"{course.seed}.json").write_text(json.dumps(document))


def _told(course: Course) -> dict[str, object]:
    return {"faults": list(course.faults), "speed": course.speed}
