"""The fleet as a user commands it: up, down, status, one bot, doctor, init.

Builds the supervisor from its parts and opens the journal it writes to. Called by the command line.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from automation.core.config import Fleet, Venue
from automation.core.configfile import load_fleet
from automation.core.errors import ConfigError, DependencyError
from automation.core.files import write_whole
from automation.core.model import FleetStatus
from automation.core.paths import configs, home, root
from automation.fleet.commands import actor
from automation.fleet.daemon import start_detached
from automation.fleet.doctor import Check, doctor
from automation.fleet.home import Home
from automation.fleet.live import LiveQuestion, check_live, confirm_live
from automation.fleet.site import Site
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.journal import Journal, sentence
from automation.journal.checkpoints import Notary, SigningKey

Tell = Callable[[FleetStatus, Sequence[str]], None]
"""Given the status each second, with what happened since the last time, as sentences."""

SIGN_EVERY_S = 60.0


def read_fleet(path: Path | None, *, data: Path | None = None, at: datetime | None = None) -> Fleet:
    """Read a fleet file (the demo's without one), with another market laid over it if asked.

    Raises ConfigError for all that is wrong with it.
    """
    fleet = load_fleet(path or configs() / "fleet.yaml")
    if data is None and at is None:
        return fleet
    if fleet.exchange.venue is not Venue.SIMULATOR:
        cure = "leave --data and --at out, or set venue: simulator"
        raise ConfigError("this fleet trades at Binance, not on a simulator", cure=cure)
    settings = fleet.exchange.simulator
    changed = settings.model_copy(
        update={"data": data.resolve() if data else settings.data, "at": at or settings.at}
    )
    exchange = fleet.exchange.model_copy(update={"simulator": changed})
    return fleet.model_copy(update={"exchange": exchange})


def question_before_live(fleet: Fleet, *, has_live_option: bool) -> LiveQuestion | None:
    """Tell what a person has to confirm before this fleet may start; None when nothing."""
    return check_live(fleet, Home(home()), has_live_option=has_live_option)


def confirm(fleet: Fleet, typed: str) -> None:
    """Record the typed confirmation; ConfigError when it is another phrase."""
    confirm_live(fleet, Home(home()), typed, has_live_option=True, at=datetime.now(UTC))


async def supervise(fleet: Fleet, tell: Tell | None = None) -> None:
    """Run the fleet until it was taken down, signing its journal meanwhile."""
    folder = Home(home())
    folder.make()
    with Journal.open(folder.journal) as journal:
        newest = journal.last()
        told = _Told(journal, newest.sequence if newest else 0)
        supervisor = Supervisor(fleet, folder.path, journal, Surroundings(actor=actor()))
        notary = asyncio.create_task(_sign(journal, folder), name="notary")
        try:
            await supervisor.run(None if tell is None else lambda s: tell(s, told.news()))
        finally:
            notary.cancel()
            with suppress(asyncio.CancelledError):
                await notary


def detach(fleet: Fleet) -> int:
    """Run the fleet in the background; returns the supervisor's pid once it is in charge."""
    return start_detached(home(), lambda: supervise(fleet))


def examine(fleet: Fleet) -> list[Check]:
    """Check this machine and the fleet's files."""
    return doctor(Site(fleet, Home(home()), root(), sys.executable))


def recent(limit: int) -> list[str]:
    """Tell the last things that happened, as sentences, the oldest first."""
    path = Home(home()).journal
    if not path.exists():
        return []
    with Journal.open(path, read_only=True) as journal:
        return [_line(event.time, sentence(event)) for event in journal.tail(limit)]


def write_fleet_file(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a new fleet file; ConfigError if one is there already."""
    if path.exists() and not overwrite:
        cure = "name another with --output, or add --force"
        raise ConfigError("there is a file already", where=str(path), cure=cure)
    write_whole(path, text.encode())


class _Told:
    """Reads what is new in the journal, to be shown once."""

    def __init__(self, journal: Journal, after: int) -> None:
        self._journal, self._after = journal, after

    def news(self) -> list[str]:
        try:
            events = self._journal.read(self._after)
        except DependencyError:
            return []  # a store that is down delays the news, never the supervision
        if events:
            self._after = events[-1].sequence
        return [_line(event.time, sentence(event)) for event in events]


async def _sign(journal: Journal, folder: Home) -> None:
    """Sign the chain every minute; the anchor lies outside the state folder."""
    key = SigningKey.load_or_create(folder.path / "keys" / "journal.key")
    await Notary(journal, key, anchor_of(folder.path)).run(SIGN_EVERY_S)


def anchor_of(folder: Path) -> Path:
    """Tell where the newest checkpoint is kept apart from the journal.

    `FREQFLEET_ANCHORS` names the folder, best on another disk; else the user's own state folder.
    """
    default = Path.home() / ".local" / "state" / "freqfleet"
    anchors = Path(os.environ.get("FREQFLEET_ANCHORS", default))
    return anchors / f"{sha256(str(folder).encode()).hexdigest()[:16]}.anchor"


def _line(time: datetime, said: str) -> str:
    return f"{time:%H:%M:%S} {said}"
