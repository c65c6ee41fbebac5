"""Looks for what would keep a fleet from flying, before it has to.

Each check is a sentence and a grade. Refuses to mend anything. Called by the command line.
"""

import importlib.metadata
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
import psutil

from automation.core.config import Bot, Venue
from automation.core.errors import ConfigError, DependencyError, Refusal
from automation.core.secrets import resolve
from automation.fleet.bounds import name_limits
from automation.fleet.cgroup import NOTHING, find_division, missing
from automation.fleet.credentials import read_access
from automation.fleet.identity import is_alive
from automation.fleet.live import live_bots
from automation.fleet.lock import find_supervisor
from automation.fleet.ports import is_free, owner_of
from automation.fleet.preflight import faults, pairs_of, settled
from automation.fleet.process import living
from automation.fleet.render import limits_of
from automation.fleet.site import Site, all_references
from automation.fleet.weight import (
    LIMIT_PER_MINUTE,
    BotLoad,
    minute_weight,
    startup_weight,
    timeframe_s,
)

EXCHANGE_TIME_URL = "https://fapi.binance.com/fapi/v1/time"
LOWEST_FREE_MB = 1024
BOT_MEMORY_MB = 400  # measured: a pack bot on three to five pairs
LARGEST_CLOCK_ERROR_S = 1.0  # Freqtrade warns from 1.5 s on, the exchange refuses from 5 s on
ANSWER_WITHIN_S = 3.0


class Grade(StrEnum):
    """How a check came out."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    grade: Grade
    sentence: str


def doctor(site: Site, exchange_time_url: str = EXCHANGE_TIME_URL) -> list[Check]:
    """Run every check; none raises."""
    checks: tuple[Callable[[], Iterator[Check]], ...] = (
        lambda: _python(site),
        lambda: _disk(site),
        lambda: _memory(site),
        lambda: _configurations(site),
        lambda: _secrets(site),
        lambda: _data(site),
        lambda: _ports(site),
        lambda: _clock(site, exchange_time_url),
        lambda: _weight(site),
        lambda: _environment(site),
        lambda: _limits(site),
        lambda: _docker(site),
    )
    return [found for check in checks for found in check()]


def _python(site: Site) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    grade = Grade.GOOD if sys.version_info >= (3, 11) else Grade.BAD
    yield Check("python", grade, f"Python {version}; 3.11 or newer is needed")
    if site.python != sys.executable:
        return  # Freqtrade runs elsewhere
    if all(bot.runner == "docker" for bot in site.fleet.bots):
        yield Check("freqtrade", Grade.GOOD, "Freqtrade is in the bots' image, for jobs too")
        return
    try:
        freqtrade = importlib.metadata.version("freqtrade")
    except importlib.metadata.PackageNotFoundError:
        yield Check("freqtrade", Grade.BAD, "Freqtrade is not installed here; run make setup")
    else:
        yield Check("freqtrade", Grade.GOOD, f"Freqtrade {freqtrade}")


def _disk(site: Site) -> Iterator[Check]:
    folder = site.home.path
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        yield Check("disk", Grade.BAD, f"{folder} cannot be written; mend its permissions")
        return
    free_mb = shutil.disk_usage(folder).free // 2**20
    grade = Grade.GOOD if free_mb >= LOWEST_FREE_MB else Grade.BAD
    yield Check("disk", grade, f"{free_mb:,} MB free at {folder}; {LOWEST_FREE_MB:,} MB are wanted")


def _memory(site: Site) -> Iterator[Check]:
    bots = sum(bot.starts for bot in site.fleet.bots)
    wanted_mb = bots * BOT_MEMORY_MB
    free_mb = psutil.virtual_memory().available // 2**20
    grade = Grade.GOOD if free_mb >= wanted_mb else Grade.WARNING
    yield Check("memory", grade, f"{free_mb:,} MB free; {bots} bots take about {wanted_mb:,} MB")


def _configurations(site: Site) -> Iterator[Check]:
    found = faults(site)
    for fault in found:
        yield Check("configurations", Grade.BAD, str(fault))
    if not found:
        count = len(site.fleet.bots)
        yield Check("configurations", Grade.GOOD, f"strategies and files of {count} bots are there")


def _secrets(site: Site) -> Iterator[Check]:
    missing = 0
    for reference in sorted(set(all_references(site.fleet))):
        try:
            resolve(reference)
        except ConfigError as error:
            missing += 1
            yield Check("secrets", Grade.BAD, str(error))
        else:
            yield from _open_secret(reference)
    if not missing and live_bots(site.fleet):
        yield Check("secrets", Grade.GOOD, "every secret is there")


def _open_secret(reference: str) -> Iterator[Check]:
    if not reference.startswith("file:"):
        return
    path = Path(reference.removeprefix("file:")).expanduser()
    if path.stat().st_mode & 0o077:
        yield Check("secrets", Grade.WARNING, f"{path} can be read by others; chmod 600 it")


def _data(site: Site) -> Iterator[Check]:
    settings = site.fleet.exchange.simulator
    if site.fleet.exchange.venue is not Venue.SIMULATOR:
        return
    if settings.data is None:
        yield Check(
            "data", Grade.GOOD, f"the simulator's market is synthetic, seed {settings.seed}"
        )
        return
    folder = site.root / settings.data.expanduser() / "futures"
    wanted = {pair for bot in site.fleet.bots for pair in _pairs(site, bot)}
    missing = sorted(p for p in wanted if not any(folder.glob(f"{_file_name(p)}-*-futures.*")))
    if missing:
        yield Check("data", Grade.BAD, f"{folder} has no candles of {', '.join(missing)}")
    else:
        yield Check("data", Grade.GOOD, f"candles of {len(wanted)} pairs at {folder}")


def _file_name(pair: str) -> str:
    return pair.replace("/", "_").replace(":", "_")


def _pairs(site: Site, bot: Bot) -> tuple[str, ...]:
    try:
        return pairs_of(site, bot)
    except ConfigError:
        return ()  # told by the check of configurations


def _ports(site: Site) -> Iterator[Check]:
    if find_supervisor(site.home) is not None:
        yield Check("ports", Grade.GOOD, "the fleet is up and has its ports")
        return
    bad = 0
    for bot in site.fleet.bots:
        folder = site.home.unit(bot.name)
        access = read_access(folder)
        port = bot.api_port or (access.port if access else None)
        identity = living(folder)
        if port is None or is_free(port) or (identity is not None and is_alive(identity)):
            continue
        bad += bot.api_port is not None
        grade = Grade.BAD if bot.api_port else Grade.WARNING
        cure = "free it or change api_port" if bot.api_port else "the bot will move to another"
        sentence = f"port {port} of {bot.name} is taken by {owner_of(port)}; {cure}"
        yield Check("ports", grade, sentence)
    if not bad:
        yield Check("ports", Grade.GOOD, "every bot finds a port")


def _clock(site: Site, url: str) -> Iterator[Check]:
    if site.fleet.exchange.venue is Venue.SIMULATOR:
        yield Check("clock", Grade.GOOD, "the simulator lives by this machine's own clock")
        return
    try:
        before = time.time()
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310  https, or a test's own
            server_s = float(orjson.loads(answer.read())["serverTime"]) / 1000
        after = time.time()
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        yield Check("clock", Grade.BAD, f"the exchange cannot be asked for its time: {error}")
        return
    error_s = (before + after) / 2 - server_s
    grade = Grade.GOOD if abs(error_s) <= LARGEST_CLOCK_ERROR_S else Grade.BAD
    yield Check("clock", grade, f"this clock is {error_s:+.2f} s off the exchange's")


def _weight(site: Site) -> Iterator[Check]:
    loads = [_load(site, bot) for bot in site.fleet.bots if bot.starts]
    startup, minute = sum(map(startup_weight, loads)), sum(map(minute_weight, loads))
    share = max(startup, minute) / LIMIT_PER_MINUTE
    sentence = (
        f"about {minute:.0f} request weight a minute and {startup} at the start, of the "
        f"{LIMIT_PER_MINUTE} that one address has"
    )
    if site.fleet.exchange.venue is Venue.SIMULATOR:
        yield Check("request weight", Grade.GOOD, f"{sentence}; the simulator bans nobody")
    elif share < 0.5:
        yield Check("request weight", Grade.GOOD, sentence)
    else:
        cure = "fewer pairs, longer candles or a second address keep the exchange from banning it"
        grade = Grade.WARNING if share < 1 else Grade.BAD
        yield Check("request weight", grade, f"{sentence}; {cure}")


def _load(site: Site, bot: Bot) -> BotLoad:
    try:
        timeframe = bot.timeframe or str(settled(site, bot).get("timeframe", "5m"))
        seconds = timeframe_s(timeframe)
    except (ConfigError, ValueError):
        seconds = 300
    return BotLoad(len(_pairs(site, bot)), seconds, bot.max_open_trades, startup_candles=1500)


def _environment(site: Site) -> Iterator[Check]:
    del site
    stray = sorted(name for name in os.environ if name.startswith("FREQTRADE__"))
    if stray:
        sentence = f"{', '.join(stray)} would override any configuration; bots do not get them"
        yield Check("environment", Grade.WARNING, sentence)


def _limits(site: Site) -> Iterator[Check]:
    """Tell which limits of plain processes a supervisor that is started as we were could enforce."""
    division = find_division()
    offered = NOTHING if isinstance(division, Refusal) else division
    why = (
        division.reason
        if isinstance(division, Refusal)
        else "the kernel has no such controller in cgroup v2"
    )
    held = 0
    for bot in site.fleet.bots:
        if bot.runner != "process" or not missing(NOTHING, limits_of(bot)):
            continue
        named = name_limits(missing(offered, limits_of(bot)))
        held += not named
        if named:
            sentence = f"{bot.name}: {named} not enforced by a supervisor started from here: {why}"
            yield Check("limits", Grade.WARNING, sentence)
    if held:
        yield Check("limits", Grade.GOOD, f"the kernel enforces the limits of {held} bots")


def _docker(site: Site) -> Iterator[Check]:
    """Look for the engine and the image of contained bots; nothing where there are none."""
    if all(bot.runner != "docker" for bot in site.fleet.bots):
        return
    from automation.fleet.containers.engine import MISSING, Engine  # noqa: PLC0415  only where needed

    engine, image = Engine(site.fleet.docker.engine), site.fleet.docker.image
    try:
        version = engine.ping()
        if engine.has_image(image):
            yield Check("docker", Grade.GOOD, f"engine {version} has the image {image}")
        else:
            said = f"there is no image {image}; {MISSING.format(image=image)}"
            yield Check("docker", Grade.BAD, said)
    except DependencyError as error:
        yield Check("docker", Grade.BAD, str(error))
    finally:
        engine.close()
