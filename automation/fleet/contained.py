"""How a bot of the fleet file becomes a container: image, limits, network, what it may read.

Everything is mounted at the place it has on this machine, so that a bot's command and its rendered
files are the same in both runners: its own folder to write, strategies and configurations to read.
A container gets none of our environment. Its API listens inside its network and is published on
this machine's loopback alone. Pure but for the user's number; called by `render`.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from automation.core.config import Bot, Venue
from automation.core.seams import Container, Mount
from automation.fleet.credentials import read_access
from automation.fleet.ports import LOOPBACK
from automation.fleet.site import Site

HOST = "host"
OF_ANOTHER = "container:"
NETWORK = "freqfleet"
EVERYWHERE = "0.0.0.0"  # noqa: S104  inside the container's own network
UNPRIVILEGED = "1000:1000"  # the user of Freqtrade's image
USER_BASE = "/home/ftuser/.local"
"""Where Freqtrade's image keeps its packages, whoever runs."""

MEMORY_MB = 2048  # what Freqtrade asks for
PIDS = 256
_PING = (
    "import sys, urllib.request as r; "
    "sys.exit(b'pong' not in r.urlopen(sys.argv[1], timeout=4).read())"
)


def container_of(site: Site, bot: Bot, readable: Iterable[Path]) -> Container:
    """Tell the container of a bot; its port is the one it was given, inside and outside."""
    settings, limits = site.fleet.docker, bot.resources
    access = read_access(site.home.unit(bot.name))
    port = access.port if access is not None else 0
    network = network_of(site)
    return Container(
        image=settings.image,
        networks=(network,),
        mounts=tuple(_mounts(site, bot, readable)),
        ports=() if has_our_loopback(network) else ((port, port),),
        health=(settings.python, "-c", _PING, f"http://{LOOPBACK}:{port}/api/v1/ping"),
        user=settings.user or user_of_ours(),
        memory_mb=limits.memory_mb or MEMORY_MB,
        cpus=limits.cpus or 1.0,
        pids=limits.pids or PIDS,
    )


def contained_environment(site: Site) -> dict[str, str]:
    """Make the environment of a contained bot: nothing of ours, so that nothing of it leaks."""
    return {
        "PYTHONPATH": str(site.strategies),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "10000",  # else Freqtrade wraps what it says
        "HOME": "/tmp",  # noqa: S108  the container's own
        "PYTHONUSERBASE": USER_BASE,
    }


def listen_address(site: Site, bot: Bot) -> str:
    """Tell where a bot's API listens: on the loopback, or inside its container's network."""
    if bot.runner != "docker" or has_our_loopback(network_of(site)):
        return LOOPBACK
    return EVERYWHERE


def network_of(site: Site) -> str:
    """Name the network of contained bots; the simulator listens on the host's loopback alone."""
    settings, venue = site.fleet.docker, site.fleet.exchange.venue
    return settings.network or (HOST if venue is Venue.SIMULATOR else NETWORK)


def has_our_loopback(network: str) -> bool:
    """Tell whether containers of this network have the supervisor's own loopback."""
    return network == HOST or network.startswith(OF_ANOTHER)


def user_of_ours() -> str:
    """Name the user and group of a container: never root."""
    return UNPRIVILEGED if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"


def _mounts(site: Site, bot: Bot, readable: Iterable[Path]) -> Iterable[Mount]:
    folder = site.home.unit(bot.name)
    wanted = dict.fromkeys((*site.fleet.docker.mounts, *readable))
    yield from (Mount(p, p) for p in (path.absolute() for path in wanted) if p.exists())
    yield Mount(folder, folder, is_writable=True)
    if bot.database is not None:
        place = (site.root / bot.database.expanduser()).parent
        yield Mount(place, place, is_writable=True)
