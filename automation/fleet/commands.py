"""What commands ask of a fleet from outside the supervisor: status, stop, one bot, its login.

Works with a running supervisor through its socket, and without one from the state folder: then
status says so, and stop takes down what a killed supervisor left behind. Plain and synchronous,
printing nothing. Called by the command line through `app`.
"""

import asyncio
import getpass
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from automation.core.config import Fleet
from automation.core.errors import ConfigError, DependencyError, PermanentError
from automation.core.masking import register_secret
from automation.core.model import SIMULATOR, BotState, BotStatus, FleetStatus, Health
from automation.core.seams import Launch
from automation.fleet import kinds, market
from automation.fleet.chronicle import Chronicle, display
from automation.fleet.containers.leftovers import left_in
from automation.fleet.containers.mixed import runner_of
from automation.fleet.control import LONGEST_WAIT_S, ask_supervisor
from automation.fleet.credentials import read_access
from automation.fleet.home import Home, read_json
from automation.fleet.lifecycle.difference import Step
from automation.fleet.lock import Holder, SupervisorLock, find_supervisor
from automation.fleet.memory import forget_failures, forget_stops
from automation.fleet.process import living
from automation.fleet.remedies.memory import forget_quarantine
from automation.fleet.render import forget_secrets, log_path
from automation.fleet.timing import DEFAULT_TIMING
from automation.journal import Journal

STOP_WITHIN_S = 180.0
REHEARSED_WITHIN_S = 1800.0
"""A rehearsal takes under a minute; but others may be ahead of it, and the machine busy."""


@dataclass(frozen=True, slots=True)
class BotLogin:
    """What FreqUI asks for."""

    bot: str
    url: str
    username: str
    password: str = field(repr=False)


def status(home: Path) -> FleetStatus | None:
    """Tell how the fleet of a state folder is; None when there never was one."""
    folder = Home(home)
    holder = find_supervisor(folder)
    if holder is not None:
        return FleetStatus.model_validate(ask_supervisor(holder, {"do": "status"})["status"])
    return _status_from_files(folder)


def stop(
    home: Path,
    tell: Callable[[FleetStatus], None] | None = None,
    journal_of: Callable[[Home], Journal] = lambda folder: Journal.open(folder.journal),
) -> str:
    """Take the fleet down in order and return once nothing of it runs; says what was done.

    `tell` is given the status now and then. `journal_of` opens the journal where no supervisor is
    left to write what is done. Raises DependencyError when something does not end.
    """
    folder = Home(home)
    holder = find_supervisor(folder)
    if holder is None:
        return _stop_leftovers(folder, journal_of)
    ask_supervisor(holder, {"do": "down", "reason": f"freqfleet down by {actor()}"})
    deadline = time.monotonic() + STOP_WITHIN_S
    while find_supervisor(folder) is not None:
        if time.monotonic() > deadline:
            raise PermanentError(
                f"supervisor pid {holder.pid} has not ended after {STOP_WITHIN_S:.0f} s",
                cure="run freqfleet down again to hurry it",
            )
        _tell_status(folder, tell)
        time.sleep(0.2)
    return f"fleet {holder.fleet} is down"


def bot_action(home: Path, bot: str, action: str) -> str:
    """Have the supervisor start, stop, restart, pause, resume, drain or reload a bot.

    Raises ConfigError when that is impossible now, DependencyError when it failed.
    """
    holder = _supervisor(Home(home))
    asked = {"do": action, "bot": bot, "actor": actor()}
    wait_s = REHEARSED_WITHIN_S if action.startswith("reload") else LONGEST_WAIT_S + 5
    answer: dict[str, Any] = ask_supervisor(holder, asked, wait_s)
    return str(answer["said"])


def propose_fleet(home: Path, fleet: Fleet) -> tuple[Step, ...]:
    """Tell what a changed fleet file would mean for the fleet that runs; nothing is touched.

    Raises ConfigError where the file is wrong, or needs a fleet that is down.
    """
    holder = _supervisor(Home(home))
    answer = ask_supervisor(holder, {"do": "propose", "fleet": _document(fleet)})
    return tuple(Step.model_validate(step) for step in answer["steps"])


def apply_fleet(home: Path, fleet: Fleet, *, is_agreed: bool) -> str:
    """Apply a changed fleet file to the fleet that runs: all of it, or nothing.

    `is_agreed`: a person agreed that bots with open trades are stopped. Raises as `propose_fleet`,
    and when a new strategy fails its rehearsal.
    """
    holder = _supervisor(Home(home))
    asked = {"do": "apply", "fleet": _document(fleet), "agreed": is_agreed, "actor": actor()}
    return str(ask_supervisor(holder, asked, REHEARSED_WITHIN_S)["said"])


def bot_status(home: Path, bot: str) -> BotStatus:
    """Tell how one bot is, its health ladder included; ConfigError for unknown bots."""
    found = status(home)
    for known in found.bots if found is not None else ():
        if known.name == bot:
            return known
    raise _unknown(Home(home), bot)


def bot_login(home: Path, bot: str) -> BotLogin:
    """Tell address and credentials of a bot's API, for FreqUI; ConfigError for unknown bots."""
    folder = Home(home)
    access = read_access(folder.unit(bot)) if bot in folder.known_bots() else None
    if access is None:
        raise _unknown(folder, bot)
    return BotLogin(bot, access.url, access.username, access.password)


def bot_log(home: Path, bot: str) -> Path:
    """Tell a bot's log; its console when Freqtrade did not get as far as logging.

    The credentials of its API are secrets to this process from then on, so that a mask finds them.
    """
    folder = Home(home)
    if bot not in folder.known_bots():
        raise _unknown(folder, bot)
    access = read_access(folder.unit(bot))
    for secret in (access.password, access.jwt_secret_key, access.ws_token) if access else ():
        register_secret(secret)
    log = log_path(folder, bot)
    return log if log.exists() else log.with_name("console.log")


def actor() -> str:
    """Name who runs this command, for the journal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _document(fleet: Fleet) -> dict[str, Any]:
    """What the file says, and no default: a value that is said wins over a bot's configurations."""
    return fleet.model_dump(mode="json", exclude_unset=True)


def _supervisor(home: Home) -> Holder:
    holder = find_supervisor(home)
    if holder is None:
        raise ConfigError("no supervisor runs", where=str(home.path), cure="run freqfleet up")
    return holder


def _unknown(home: Home, bot: str) -> ConfigError:
    known = ", ".join(home.known_bots()) or "none yet"
    return ConfigError(f"there is no bot {bot}", where=str(home.path), cure=f"known are: {known}")


def _tell_status(home: Home, tell: Callable[[FleetStatus], None] | None) -> None:
    holder = find_supervisor(home)
    if tell is None or holder is None:
        return
    with suppress(DependencyError):  # it may end between the two
        tell(FleetStatus.model_validate(ask_supervisor(holder, {"do": "status"}, 2.0)["status"]))


def _stop_leftovers(home: Home, journal_of: Callable[[Home], Journal]) -> str:
    summary = read_json(home.path / "fleet.json")
    alive = [name for name in (*home.known_bots(), SIMULATOR) if _is_left(home, name)]
    if not alive:
        return f"fleet {summary['fleet']} is down already" if summary else "there is no fleet here"
    with SupervisorLock(home), journal_of(home) as journal:
        asyncio.run(_stop_units(home, alive, str(summary.get("fleet", "")), Chronicle(journal)))
    names = ", ".join(display(name) for name in alive)
    return f"no supervisor ran; stopped what one had left: {names}"


async def _stop_units(home: Home, names: list[str], fleet: str, chronicle: Chronicle) -> None:
    """Stop the bots together, then the simulator."""
    runner = runner_of(read_json(home.path / "fleet.json").get("engine"))
    reason = "freqfleet down, while no supervisor ran"
    said = kinds.FleetDown(fleet=fleet, reason=reason)
    chronicle.tell("fleet.going_down", said, actor=actor())

    async def stop_one(name: str) -> None:
        facts = await runner.adopt(_bare_launch(home, name))
        if facts.is_alive:
            facts = await runner.stop(name, DEFAULT_TIMING.patience)
            pid = facts.identity.pid if facts.identity else 0
            ended = kinds.Ended(
                unit=display(name),
                pid=pid,
                exit_code=facts.exit_code,
                reason=f"stopped, for {reason}",
                is_expected=True,
            )
            chronicle.tell_unit("exited", name, ended)
        forget_failures(home, name)
        forget_quarantine(home, name)
        forget_secrets(home, name)

    try:
        await asyncio.gather(*(stop_one(name) for name in names if name != SIMULATOR))
        await stop_one(SIMULATOR)
    finally:
        await runner.close()
    market.forget(home)
    forget_stops(home)
    chronicle.tell("fleet.down", said, actor=actor())


def _bare_launch(home: Home, name: str) -> Launch:
    folder = home.unit(name)
    mark = str(market.client_config(home) if name == SIMULATOR else folder / "config.json")
    console = folder / "logs" / "console.log"
    return Launch(name, folder, (), {}, home.path, console, mark, container=left_in(folder))


def _is_left(home: Home, name: str) -> bool:
    folder = home.unit(name)
    return living(folder) is not None or left_in(folder) is not None


def _status_from_files(home: Home) -> FleetStatus | None:
    summary = read_json(home.path / "fleet.json")
    if not summary:
        return None
    bots = tuple(_bot_from_files(home, bot) for bot in summary.get("bots", []))
    simulator = None
    if home.unit(SIMULATOR).is_dir():
        simulator = _bot_from_files(home, {"name": SIMULATOR})
    return FleetStatus(
        fleet=str(summary.get("fleet", "")),
        healthy=False,
        bots=bots,
        simulator=simulator,
        taken_at=datetime.now(UTC),
    )


def _bot_from_files(home: Home, known: dict[str, Any]) -> BotStatus:
    name = str(known["name"])
    identity = living(home.unit(name))
    access = read_access(home.unit(name))
    runs = _is_left(home, name)
    lives = "runs, but no supervisor watches it; freqfleet up adopts it"
    return BotStatus(
        name="simulator" if name == SIMULATOR else name,
        strategy=str(known.get("strategy", "")),
        mode=str(known.get("mode", "")),
        state=BotState.RUNNING if runs else BotState.STOPPED,
        health=Health.UNKNOWN,
        reason=lives if runs else "is stopped; the fleet is down",
        pid=identity.pid if identity else None,
        api_url=access.url if access else "",
    )
