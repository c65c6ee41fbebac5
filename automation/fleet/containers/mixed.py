"""One runner for a fleet whose bots are processes and containers, side by side.

A launch that names a container goes to the Docker runner, any other to that of processes. The
Docker runner is made when the first such launch comes, so that a fleet of processes needs neither
an engine nor its SDK. Called by the supervisor, like the runners themselves.
"""

import os
from collections.abc import Callable

from automation.core.model import ProcessFacts
from automation.core.seams import Launch, Patience, Poster, Runner
from automation.fleet.home import make_private
from automation.fleet.process import ProcessRunner


class MixedRunner:
    """Hands each unit to the runner that it asks for."""

    def __init__(self, processes: Runner, make_docker: Callable[[], Runner]) -> None:
        """Use `processes`, and `make_docker` when it is needed."""
        self._processes, self._make_docker = processes, make_docker
        self._docker: Runner | None = None
        self._contained: set[str] = set()
        self._wake: Poster = lambda: None

    def when_one_ends(self, wake: Poster) -> None:
        """Have `wake` called as soon as a unit ends."""
        self._wake = wake
        self._processes.when_one_ends(wake)
        if self._docker is not None:
            self._docker.when_one_ends(wake)

    async def adopt(self, launch: Launch) -> ProcessFacts:
        """Find what an earlier supervisor started for this unit, dead or alive."""
        return await self._for(launch).adopt(launch)

    async def start(self, launch: Launch) -> ProcessFacts:
        """Start the unit; DependencyError when it cannot be, or already runs."""
        runner = self._for(launch)
        if launch.container is not None:
            make_private(launch.folder)
            _give(launch)
        return await runner.start(launch)

    async def look(self, unit: str) -> ProcessFacts:
        """Tell whether the unit lives."""
        return await self._of(unit).look(unit)

    async def stop(self, unit: str, patience: Patience) -> ProcessFacts:
        """Stop the unit and all it started; TransientError when it will not die."""
        return await self._of(unit).stop(unit, patience)

    async def close(self) -> None:
        """Let go of all units without touching them."""
        await self._processes.close()
        if self._docker is not None:
            await self._docker.close()

    def _for(self, launch: Launch) -> Runner:
        if launch.container is None:
            self._contained.discard(launch.unit)
            return self._processes
        self._contained.add(launch.unit)
        return self._of(launch.unit)

    def _of(self, unit: str) -> Runner:
        if unit not in self._contained:
            return self._processes
        if self._docker is None:
            self._docker = self._make_docker()
            self._docker.when_one_ends(self._wake)
        return self._docker


def runner_of(engine: str | None) -> MixedRunner:
    """Make the runner of a fleet; `engine` is the address of its Docker Engine."""

    def make_docker() -> Runner:
        from automation.fleet.containers.engine import Engine  # noqa: PLC0415  only where needed
        from automation.fleet.containers.runner import DockerRunner  # noqa: PLC0415

        return DockerRunner(Engine(engine))

    return MixedRunner(ProcessRunner(), make_docker)


def _give(launch: Launch) -> None:
    """Hand a bot's own folder to the user inside; only root can, and only root has to."""
    if os.getuid() != 0 or launch.container is None:
        return
    uid, gid = (int(number) for number in launch.container.user.split(":"))
    for folder, _, files in os.walk(launch.folder):
        os.chown(folder, uid, gid)
        for name in files:
            os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)  # noqa: PTH118
