"""Makes the units of a fleet: their ports, their commands, what an earlier supervisor left running.

Refuses to decide when anything happens. Called by the supervisor.
"""

from collections.abc import Iterator
from dataclasses import replace

from automation.core.clock import Clock
from automation.core.config import Bot, Fleet, Venue
from automation.core.errors import ConfigError, DependencyError
from automation.core.model import SIMULATOR, Wish
from automation.core.seams import Launch
from automation.fleet.containers.leftovers import left_in
from automation.fleet.credentials import (
    ApiAccess,
    ensure_access,
    move,
    read_access,
    rendered_access,
)
from automation.fleet.home import Home, read_json
from automation.fleet.ladder.logwatch import LogWatch
from automation.fleet.ladder.senses import Senses
from automation.fleet.lifecycle.kept import CHANGE, difference
from automation.fleet.market import render_simulator
from automation.fleet.memory import read_memory, read_wishes
from automation.fleet.ports import find_free, is_free, owner_of
from automation.fleet.process import digest_of
from automation.fleet.remedies.memory import read_holds
from automation.fleet.render import launch_of, log_path, overlay, render_bot
from automation.fleet.site import Site
from automation.fleet.timing import Timing
from automation.fleet.unit import Unit


def make_units(fleet: Fleet, home: Home, timing: Timing, now_s: float) -> dict[str, Unit]:
    """Make every unit of the fleet, and one for each bot that the state folder alone knows."""
    units = dict(_of_fleet(fleet, home))
    for name in home.known_bots():
        if name not in units:
            access = read_access(home.unit(name)) or ApiAccess(0)
            units[name] = Unit(name, access, wish=Wish.STOP)
    for unit in units.values():
        unit.memory = read_memory(home, unit.name, now_s, timing.restart_cap_s)
        if not unit.is_simulator:
            unit.holds, unit.quarantine = read_holds(home, unit.name)
            unit.is_halted = bool(unit.holds)
            # A change that waited was forgotten with the supervisor that let it wait.
            unit.holds = tuple(hold for hold in unit.holds if hold.cause != CHANGE)
    return units


def new_unit(fleet: Fleet, home: Home, bot: Bot, others: dict[str, Unit]) -> Unit:
    """Make the unit of a bot that joins a fleet which runs."""
    taken = frozenset(
        {*(b.api_port for b in fleet.bots if b.api_port), *(u.access.port for u in others.values())}
    )
    access = ensure_access(home.unit(bot.name), bot.api_port, taken)
    if access.port in taken and bot.api_port is None:
        access = move(home.unit(bot.name), access, find_free(taken))
    unit = Unit(bot.name, access, bot, read_wishes(home, fleet)[bot.name])
    unit.holds, unit.quarantine = read_holds(home, bot.name)
    unit.is_halted = bool(unit.holds)
    return unit


def site_with_ports(site: Site, units: dict[str, Unit]) -> Site:
    """Tell the site where everybody listens."""
    simulator = units.get(SIMULATOR)
    return replace(
        site,
        simulator_url=simulator.access.url if simulator else "",
        ports=tuple(unit.access.port for unit in units.values() if unit.bot is not None),
    )


def access_in_use(home: Home, unit: Unit) -> ApiAccess:
    """Tell how an adopted bot's API is reached: as it was rendered when it started."""
    return rendered_access(home.unit(unit.name)) or unit.access


def wanted_access(site: Site, unit: Unit) -> ApiAccess:
    """Tell how the unit's API shall be reached from its next start on."""
    if unit.bot is not None:
        return ensure_access(site.home.unit(unit.name), unit.bot.api_port)
    return ensure_access(site.home.unit(unit.name), site.fleet.exchange.simulator.port)


def render(site: Site, unit: Unit, clock: Clock) -> Launch:
    """Write what the unit needs and tell how to start it."""
    if unit.bot is None:
        return render_simulator(site, unit.access.port, clock)
    return render_bot(site, unit.bot, unit.access, unit.start_wish)


def senses_of(site: Site, unit: Unit, clock: Clock, timing: Timing) -> Senses:
    """Make the eyes for a bot's present process: its log from now on, what it uses."""
    log = LogWatch(log_path(site.home, unit.name), timing.limits.log_window_s)
    log.skip()
    pid = unit.process.identity.pid if unit.process.identity else 0
    memory_mb = unit.bot.resources.memory_mb if unit.bot else None
    limit = memory_mb * 1_000_000 if memory_mb else None
    folder = site.home.unit(unit.name)
    return Senses(log, pid, folder, clock, timing.detail_s, limit)


def launch_to_adopt(site: Site, unit: Unit) -> Launch:
    """Tell how a unit would have been started, without writing anything."""
    folder = site.home.unit(unit.name)
    if unit.bot is not None:
        return _as_it_was_started(launch_of(site, unit.bot))
    mark = str(folder / ("exchange.json" if unit.is_simulator else "config.json"))
    console = folder / "logs" / "console.log"
    return Launch(unit.name, folder, (), {}, site.root, console, mark, container=left_in(folder))


def _as_it_was_started(launch: Launch) -> Launch:
    """Look for a unit where it was started, though the fleet file now names the other runner."""
    left = left_in(launch.folder)
    if left is None and "pid" in read_json(launch.folder / "process.json"):
        return replace(launch, container=None)
    if left is not None and launch.container is None:
        return replace(launch, container=left)
    return launch


def is_outdated(site: Site, unit: Unit) -> bool:
    """Tell whether an adopted bot runs by another configuration than the fleet file's of today."""
    if unit.bot is None:
        return False
    folder = site.home.unit(unit.name)
    if read_json(folder / "process.json").get("argv") != digest_of(launch_of(site, unit.bot)):
        return True
    said, unsaid = overlay(site, unit.bot, unit.access, unit.wish)
    written = read_json(folder / "config.json")
    exchange = written.pop("exchange", {})
    # Who else listens where is no reason to restart anybody.
    for document in (said, written):
        document.pop("initial_state", None)
        document.get("api_server", {}).pop("CORS_origins", None)
    try:
        if difference(site, unit.bot):
            return True
    except ConfigError:
        return True
    is_changed = written != said or read_json(folder / "defaults.json") != unsaid
    return is_changed or exchange.get("pair_whitelist", []) != list(unit.bot.pairs)


def ready_port(home: Home, unit: Unit, *, may_move: bool) -> str:
    """Have the unit's port free; tells who took the old one when it had to move.

    Raises DependencyError when the port is taken and the unit must keep it.
    """
    port = unit.access.port
    if is_free(port):
        return ""
    owner = owner_of(port)
    if not may_move:
        cure = "end that, or give it another port in the fleet file"
        raise DependencyError(f"port {port} is taken by {owner}", cure=cure)
    unit.access = move(home.unit(unit.name), unit.access, find_free(frozenset({port})))
    return owner


def _of_fleet(fleet: Fleet, home: Home) -> Iterator[tuple[str, Unit]]:
    taken = frozenset(bot.api_port for bot in fleet.bots if bot.api_port)
    if fleet.exchange.venue is Venue.SIMULATOR:
        access = ensure_access(home.unit(SIMULATOR), fleet.exchange.simulator.port, taken)
        taken |= {access.port}
        yield SIMULATOR, Unit(SIMULATOR, access)
    wishes = read_wishes(home, fleet)
    for bot in fleet.bots:
        access = ensure_access(home.unit(bot.name), bot.api_port, taken)
        if access.port in taken and bot.api_port is None:
            access = move(home.unit(bot.name), access, find_free(taken))
        taken |= {access.port}
        yield bot.name, Unit(bot.name, access, bot, wishes[bot.name])
