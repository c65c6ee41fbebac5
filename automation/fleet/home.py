"""The state folder: where everything of one fleet is, readable by its owner alone.

    journal.sqlite     what happened
    supervisor.lock    held by the one supervisor; supervisor.json says who that is
    wishes.json        what the operator wants of each bot
    live.json          which live bots were confirmed
    bots/<name>/       api.json config.json secrets.json process.json memory.json, logs/, databases
    simulator/         the same for the simulator

Folders are 0700, files 0600. A file is written under another name, flushed and renamed, so a
reader sees the old or the new one. Refuses to know what is in them. Used by all of `fleet`.
"""

from pathlib import Path
from typing import Any

import orjson

from automation.core.errors import DependencyError
from automation.core.files import write_whole
from automation.core.model import SIMULATOR


class Home:
    """The paths of one state folder."""

    def __init__(self, path: Path) -> None:
        """Name the folder; `make` creates it."""
        self.path = path.absolute()
        self.journal = self.path / "journal.sqlite"
        self.lock = self.path / "supervisor.lock"
        self.supervisor = self.path / "supervisor.json"
        self.supervisor_log = self.path / "supervisor.log"
        self.wishes = self.path / "wishes.json"
        self.live = self.path / "live.json"

    def make(self) -> None:
        """Create the folder, closed to others."""
        make_private(self.path)

    def unit(self, name: str) -> Path:
        """Tell the folder of one unit."""
        return self.path / "simulator" if name == SIMULATOR else self.path / "bots" / name

    def known_bots(self) -> tuple[str, ...]:
        """Name the bots that have a folder here."""
        folder = self.path / "bots"
        return (
            tuple(sorted(f.name for f in folder.iterdir() if f.is_dir())) if folder.is_dir() else ()
        )


def make_private(folder: Path) -> None:
    """Create a folder and its parents, and close it to others."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise disk_error(error, folder) from None


def write_private(path: Path, text: str | bytes) -> None:
    """Replace a file in one step, readable by its owner alone.

    Raises DependencyError when the disk does not take it; the old file then still stands.
    """
    make_private(path.parent)
    write_whole(path, text.encode() if isinstance(text, str) else text, mode=0o600)


def write_json(path: Path, document: Any) -> None:
    """Replace a JSON file in one step, readable by its owner alone."""
    write_private(path, orjson.dumps(document, option=orjson.OPT_INDENT_2))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of ours; empty when it is missing or broken, for it can be made anew."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return document if isinstance(document, dict) else {}


def disk_error(error: OSError, path: Path) -> DependencyError:
    """Say in one sentence what the disk refused."""
    message = f"cannot be written: {error.strerror or error}"
    return DependencyError(message, where=str(path), cure="free some space or mend the permissions")
