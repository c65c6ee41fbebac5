"""The protocols through which rooms meet the outside world and one another.

Each has one contract suite in tests/contract that runs over every implementation, the fakes of
`automation.testing` included. `app` builds the implementations and hands them in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from automation.core.model import ProcessFacts

Poster = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the host that a container sees at the same or another place."""

    source: Path
    target: Path
    is_writable: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """What a unit that runs in a container needs beside its command."""

    image: str
    networks: tuple[str, ...] = ()  # made when they are missing; the first carries the ports
    mounts: tuple[Mount, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()  # port inside, port on the host's loopback
    health: tuple[str, ...] = ()  # a command that fails when the unit is ill
    user: str = "1000:1000"
    memory_mb: int = 1024
    cpus: float = 1.0
    pids: int = 256
    tmp_mb: int = 256


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What a unit that is a process of this machine may use; None is no limit."""

    memory_mb: int | None = None
    cpus: float | None = None
    pids: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one unit."""

    unit: str
    folder: Path  # holds its pid file, lock and logs
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    console: Path  # where standard output and error go
    mark: str  # an argument that no other process of the machine has
    nice: int = 0
    limits: ProcessLimits = ProcessLimits()  # for the runner of processes alone
    container: Container | None = None  # for runners of containers alone


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each rung of a stop waits before the next: interrupt, terminate, kill."""

    interrupt_s: float = 20.0
    terminate_s: float = 5.0
    kill_s: float = 5.0
    check: Callable[[], None] = field(default=lambda: None, compare=False)
    """Asked before each rung; raises once whoever stops the unit may do so no more."""


class Runner(Protocol):
    """Starts and stops processes or containers; a unit runs at most once."""

    async def adopt(self, launch: Launch) -> ProcessFacts:
        """Find what an earlier supervisor started for this unit, dead or alive."""
        ...

    async def start(self, launch: Launch) -> ProcessFacts:
        """Start the unit; DependencyError when it cannot be, or already runs."""
        ...

    async def look(self, unit: str) -> ProcessFacts:
        """Tell whether the unit lives."""
        ...

    async def stop(self, unit: str, patience: Patience) -> ProcessFacts:
        """Stop the unit and all it started; TransientError when it will not die."""
        ...

    def when_one_ends(self, wake: Poster) -> None:
        """Have `wake` called as soon as a unit ends; a hint, `look` is the truth."""
        ...

    async def close(self) -> None:
        """Let go of all units without touching them."""
        ...


class BotApi(Protocol):
    """A bot's REST API."""

    async def ping(self) -> None:
        """Return when it answers; TransientError when it does not."""
        ...

    async def get(self, path: str, **params: str | int) -> Any:
        """Read `/api/v1/<path>`; TransientError when silent, LoginRefused when not let in."""
        ...

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Write to `/api/v1/<path>`; errors as `get`."""
        ...
