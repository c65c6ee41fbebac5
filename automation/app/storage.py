"""Where the fleet's journal is, and who else is told of it: from the environment.

    FREQFLEET_JOURNAL    postgresql://… instead of the file in the state folder; `?schema=NAME`
    FREQFLEET_FORWARD    redis://… and amqp://… addresses, with commas between them; off without

Both may be `env:NAME` or `file:PATH`, for they can hold passwords. Called by the other modules of
`app`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from automation.core.errors import ConfigError
from automation.core.masking import register_secret
from automation.core.secrets import resolve
from automation.fleet.home import Home
from automation.journal import Journal

JOURNAL = "FREQFLEET_JOURNAL"
FORWARD = "FREQFLEET_FORWARD"


def journal_address(folder: Home) -> Path | str:
    """Tell where the journal is; ConfigError when what is named cannot be fetched."""
    return _fetched(JOURNAL) or folder.journal


def has_journal(folder: Home) -> bool:
    """Tell whether a journal was begun; one in a database begins when it is first opened."""
    address = journal_address(folder)
    return not isinstance(address, Path) or address.exists()


def open_journal(folder: Home, *, read_only: bool = False) -> Journal:
    """Open the fleet's journal; errors as `Journal.open`."""
    return Journal.open(journal_address(folder), read_only=read_only)


def forwarders(journal: Journal) -> list[Callable[[], Awaitable[None]]]:
    """Make what forwards the journal; ConfigError for an address that nobody forwards to."""
    addresses = [one.strip() for one in _fetched(FORWARD).split(",") if one.strip()]
    return [_forwarder(journal, address) for address in addresses]


async def forward(journal: Journal) -> None:
    """Forward until cancelled."""
    async with asyncio.TaskGroup() as group:
        for run in forwarders(journal):
            group.create_task(_run(run), name="forward")


async def _run(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _forwarder(journal: Journal, address: str) -> Callable[[], Awaitable[None]]:
    register_secret(address)
    if address.startswith(("redis://", "rediss://", "unix://")):
        from automation.journal.forward.redis import RedisForwarder  # noqa: PLC0415  optional

        return RedisForwarder(journal, address).run
    if address.startswith(("amqp://", "amqps://")):
        from automation.journal.forward.rabbitmq import RabbitForwarder  # noqa: PLC0415  optional

        return RabbitForwarder(journal, address).run
    scheme = address.partition("://")[0] if "://" in address else "such an address"
    cure = "name redis://… or amqp://…"
    raise ConfigError(f"nothing forwards the journal to {scheme}", where=FORWARD, cure=cure)


def _fetched(variable: str) -> str:
    value = os.environ.get(variable, "")
    if value.startswith(("env:", "file:")):
        return resolve(value, where=variable).reveal()
    return value
