"""The fleet as a user commands it: up, down, status, one bot, doctor, init.

Builds the supervisor from its parts and opens the journal it writes to. Called by the command line.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from automation.alerts.settings import Settings
from automation.app.alerting import read_alerts, serve
from automation.app.journals import anchor_of
from automation.app.limits import note_limits
from automation.app.rehearsal_job import Rehearsals
from automation.app.storage import forward, forwarders, has_journal, open_journal
from automation.core.config import Fleet, Venue
from automation.core.configfile import load_fleet
from automation.core.errors import ConfigError, DependencyError, FreqfleetError
from automation.core.files import write_whole
from automation.core.model import FleetStatus
from automation.core.paths import configs, home, root
from automation.fleet.chronicle import Chronicle
from automation.fleet.commands import actor, stop
from automation.fleet.daemon import start_detached
from automation.fleet.doctor import Check, doctor
from automation.fleet.home import Home
from automation.fleet.lease import Lease, Terms
from automation.fleet.live import LiveQuestion, check_live, confirm_live
from automation.fleet.schedule.planning import refuse_wrong_times
from automation.fleet.schedule.scheduler import Place, Scheduler
from automation.fleet.site import Site
from automation.fleet.supervisor import Supervisor, Surroundings
from automation.journal import Event, Journal, sentence
from automation.journal.checkpoints import Notary, SigningKey

Tell = Callable[[FleetStatus, Sequence[str]], None]
"""Given the status each second, with what happened since the last time, as sentences."""

SIGN_EVERY_S = 60.0


def read_fleet(
    path: Path | None,
    *,
    data: Path | None = None,
    at: datetime | None = None,
    speed: float | None = None,
) -> Fleet:
    """Read a fleet file (the demo's without one), with another market laid over it if asked.

    Raises ConfigError for all that is wrong with it.
    """
    fleet = load_fleet(path or configs() / "fleet.yaml")
    if data is None and at is None and speed is None:
        return fleet
    if fleet.exchange.venue is not Venue.SIMULATOR:
        cure = "leave --data, --at and --speed out, or set venue: simulator"
        raise ConfigError("this fleet trades at Binance, not on a simulator", cure=cure)
    settings = fleet.exchange.simulator
    changed = settings.model_copy(
        update={
            "data": data.resolve() if data else settings.data,
            "at": at or settings.at,
            "speed": settings.speed if speed is None else speed,
        }
    )
    exchange = fleet.exchange.model_copy(update={"simulator": changed})
    return fleet.model_copy(update={"exchange": exchange})


def take_down(tell: Callable[[FleetStatus], None] | None = None) -> str:
    """Take the fleet down in order, with or without its supervisor; errors as `commands.stop`."""
    return stop(home(), tell, open_journal)


def question_before_live(fleet: Fleet, *, has_live_option: bool) -> LiveQuestion | None:
    """Tell what a person has to confirm before this fleet may start; None when nothing."""
    return check_live(fleet, Home(home()), has_live_option=has_live_option)


def confirm(fleet: Fleet, typed: str) -> None:
    """Record the typed confirmation; ConfigError when it is another phrase."""
    confirm_live(fleet, Home(home()), typed, has_live_option=True, at=datetime.now(UTC))


async def supervise(
    fleet: Fleet,
    tell: Tell | None = None,
    alerts: Path | None = None,
    terms: Terms | None = None,
) -> None:
    """Run the fleet until it was taken down, sign its journal and serve its alerts meanwhile.

    With `terms` that say so it first waits for the supervisor there is. Raises ConfigError for what
    is wrong with fleet or alerts, before anything starts.
    """
    settings = read_alerts(alerts, fleet)
    refuse_wrong_times(fleet)
    folder = Home(home())
    folder.make()
    with open_journal(folder) as journal:
        forwarders(journal)  # what is wrong with an address is told before anything starts
        async with Lease(folder, journal.store, fleet.fleet, terms) as lease:
            await _fly(fleet, journal, settings, lease, tell)


async def _fly(
    fleet: Fleet, journal: Journal, settings: Settings, lease: Lease, tell: Tell | None
) -> None:
    folder, newest = Home(home()), journal.last()
    told = _Told(journal, newest.sequence if newest else 0)
    note_limits(journal, fleet)
    rehearsals = Rehearsals()
    scheduler = Scheduler(fleet, Place(folder, root()), Chronicle(journal))
    around = Surroundings(
        actor=actor(),
        lease=lease,
        rehearse=rehearsals.hold,
        applied=lambda changed, who: _applied(journal, scheduler, changed, who),
    )
    supervisor = Supervisor(fleet, folder.path, journal, around)
    beside = [
        asyncio.create_task(_sign(journal, folder), name="notary"),
        asyncio.create_task(_serve_alerts(journal, settings, folder), name="alerts"),
        asyncio.create_task(forward(journal), name="forwarding"),
        asyncio.create_task(scheduler.run(), name="schedule"),
    ]
    try:
        await supervisor.run(None if tell is None else lambda s: tell(s, told.news()))
    finally:
        await _end([*beside, *rehearsals.under_way])


def _applied(journal: Journal, scheduler: Scheduler, fleet: Fleet, who: str) -> None:
    """Have a changed fleet file followed by whatever runs beside the supervisor."""
    note_limits(journal, fleet, who)
    scheduler.renew(fleet)


async def _end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """Cancel until all have ended: a library may swallow one cancellation, not all."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _done, pending = await asyncio.wait(pending, timeout=1.0)


def detach(fleet: Fleet, alerts: Path | None = None, terms: Terms | None = None) -> int:
    """Run the fleet in the background; returns the supervisor's pid once it is in charge."""
    return start_detached(home(), lambda: supervise(fleet, alerts=alerts, terms=terms))


def examine(fleet: Fleet) -> list[Check]:
    """Check this machine and the fleet's files."""
    return doctor(Site(fleet, Home(home()), root(), sys.executable))


def recent(limit: int) -> list[str]:
    """Tell the last things that happened, as sentences, the oldest first."""
    folder = Home(home())
    if not has_journal(folder):
        return []
    with open_journal(folder, read_only=True) as journal:
        return _lines(journal.tail(5 * limit))[-limit:]


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
        return _lines(events)


async def _serve_alerts(journal: Journal, settings: Settings, folder: Home) -> None:
    """The alerts' guard: when they fail the journal says so, and supervision goes on."""
    try:
        await serve(journal, settings, folder.path)
    except* FreqfleetError as failures:
        structlog.get_logger("alerts").error("alerts ended", reason=str(failures.exceptions[0]))


async def _sign(journal: Journal, folder: Home) -> None:
    """Sign the chain every minute; the anchor lies outside the state folder."""
    key = SigningKey.load_or_create(folder.path / "keys" / "journal.key")
    await Notary(journal, key, anchor_of(folder.path)).run(SIGN_EVERY_S)


def _lines(events: Sequence[Event]) -> list[str]:
    """Tell events as sentences; low alerts repeat what the events before them said."""
    return [
        f"{event.time:%H:%M:%S} {sentence(event)}"
        for event in events
        if not (event.kind.startswith("alert.") and event.payload.get("severity") == "low")
    ]
