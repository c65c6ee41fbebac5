"""The runner whose units are containers of a Docker Engine.

A unit's container has one name, so the engine itself refuses a second one. Deaths are heard from
the engine's events, at once; `look` also asks the engine now and then, for events can be lost. A
container that ended by itself stays until the next start, so that its last words can be read; one
that was stopped on purpose is removed, and the next supervisor finds nothing amiss. Refuses to know
what the units do. Called by the supervisor, like the runner of processes.
"""

import asyncio
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from automation.core.errors import DependencyError, TransientError
from automation.core.model import KILLED_FOR_MEMORY, Identity, ProcessFacts
from automation.core.seams import Launch, Patience, Poster
from automation.fleet.containers.engine import Engine
from automation.fleet.containers.spec import MARK, arguments, container_of, name_of
from automation.fleet.home import make_private, write_json
from automation.fleet.logfile import last_words
from automation.fleet.process import digest_of

POLL_S = 0.1
ASK_AGAIN_S = 5.0
"""How long what the engine said is believed while no event speaks against it."""
KEPT_LINES = 200
OF_ANOTHER = "container:"  # the network of another container, loopback and all
BUILT_IN = frozenset({"host", "none", "bridge"})
_STOPPED = 128  # an exit code beyond it names the signal


@dataclass(slots=True)
class _Held:
    """A container that this runner looks after."""

    launch: Launch
    container: str  # its id
    facts: ProcessFacts
    asked_s: float = 0.0  # when the engine was last asked about it


class DockerRunner:
    """Starts, adopts, watches and stops containers."""

    def __init__(self, engine: Engine | None = None) -> None:
        """Look after nothing yet."""
        self._engine = engine or Engine()
        self._units: dict[str, _Held] = {}
        self._wake: Poster = lambda: None
        self._listener: threading.Thread | None = None
        self._dead: set[str] = set()
        self._is_closed = False

    def when_one_ends(self, wake: Poster) -> None:
        """Have `wake` called as soon as a unit ends."""
        self._wake = wake

    async def adopt(self, launch: Launch) -> ProcessFacts:
        """Find the container that an earlier supervisor left, dead or alive."""
        found = await asyncio.to_thread(self._engine.inspect, name_of(launch))
        if found is None:
            return ProcessFacts()
        facts = _facts(found, is_adopted=True)
        self._units[launch.unit] = held = _Held(launch, str(found["Id"]), facts, time.monotonic())
        if facts.is_alive:
            self._listen()
            return facts
        return await self._bury(held, found)

    async def start(self, launch: Launch) -> ProcessFacts:
        """Start the unit; DependencyError when it cannot be, or already runs."""
        make_private(launch.folder)
        found = await asyncio.to_thread(self._engine.inspect, name_of(launch))
        if found is not None:
            if found["State"]["Running"]:
                raise DependencyError(
                    "it runs already, though not under this supervisor",
                    where=launch.unit,
                    cure="run freqfleet down, then freqfleet up",
                )
            await asyncio.to_thread(self._engine.remove, str(found["Id"]))
        container = await asyncio.to_thread(self._create, launch)
        made = await asyncio.to_thread(self._engine.inspect, container)
        if made is None:
            raise DependencyError("its container vanished", where=launch.unit)
        held = _Held(launch, container, _facts(made, is_adopted=False), time.monotonic())
        self._units[launch.unit] = held
        self._listen()
        document = {"container": container, "argv": digest_of(launch), "came_up": time.time()}
        write_json(launch.folder / "process.json", document)
        return held.facts if held.facts.is_alive else await self._bury(held, made)

    async def look(self, unit: str) -> ProcessFacts:
        """Tell whether the unit lives."""
        held = self._units.get(unit)
        if held is None:
            return ProcessFacts()
        if not held.facts.is_alive:
            return held.facts
        is_believed = time.monotonic() - held.asked_s < ASK_AGAIN_S
        if held.container not in self._dead and is_believed:
            return held.facts
        with suppress(TransientError):  # an engine that restarts says nothing about its containers
            found = await asyncio.to_thread(self._engine.inspect, held.container)
            held.asked_s = time.monotonic()
            if found is None or not found["State"]["Running"]:
                return await self._bury(held, found)
            self._dead.discard(held.container)
        return held.facts

    async def stop(self, unit: str, patience: Patience) -> ProcessFacts:
        """Interrupt, then terminate, then kill, each after its time; the container is removed."""
        held = self._units.get(unit)
        if held is None or not held.facts.is_alive:
            return await self.look(unit)
        await asyncio.to_thread(self._engine.unpause, held.container)
        rungs = (
            (signal.SIGINT, patience.interrupt_s),
            (signal.SIGTERM, patience.terminate_s),
            (signal.SIGKILL, patience.kill_s),
        )
        for number, wait_s in rungs:
            if wait_s <= 0 and number is not signal.SIGKILL:
                continue
            patience.check()
            await asyncio.to_thread(self._engine.signal, held.container, number)
            if await self._ends_within(held, wait_s):
                await asyncio.to_thread(self._engine.remove, held.container)
                (held.launch.folder / "process.json").unlink(missing_ok=True)
                return held.facts
        raise TransientError("its container does not end; the engine holds it", where=unit)

    async def close(self) -> None:
        """Let go of all units without touching them."""
        self._is_closed = True
        self._units.clear()
        await asyncio.to_thread(self._engine.close)

    def _create(self, launch: Launch) -> str:
        networks = container_of(launch).networks
        for network in networks:
            if network not in BUILT_IN and not network.startswith(OF_ANOTHER):
                self._engine.ensure_network(network)
        container = self._engine.create(arguments(launch))
        try:
            for network in networks[1:]:
                self._engine.connect(network, container)
            self._engine.start(container)
        except DependencyError:
            self._engine.remove(container)
            raise
        return container

    async def _ends_within(self, held: _Held, wait_s: float) -> bool:
        deadline = time.monotonic() + wait_s
        while True:
            found = await asyncio.to_thread(self._engine.inspect, held.container)
            if found is None or not found["State"]["Running"]:
                await self._bury(held, found)
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_S)

    async def _bury(self, held: _Held, found: dict[str, Any] | None) -> ProcessFacts:
        self._dead.discard(held.container)
        code, words = None, ""
        if found is not None:
            code = _exit_code(found)
            words = await asyncio.to_thread(self._last_words, held)
            if found["State"].get("OOMKilled"):
                words = KILLED_FOR_MEMORY
        now_s = time.monotonic()
        held.facts = replace(
            held.facts, is_alive=False, since_s=now_s, exit_code=code, last_words=words
        )
        return held.facts

    def _last_words(self, held: _Held) -> str:
        console = held.launch.console
        with suppress(OSError, DependencyError):
            make_private(console.parent)
            console.write_bytes(self._engine.logs(held.container, KEPT_LINES))
        return last_words(console)

    def _listen(self) -> None:
        if self._listener is not None and self._listener.is_alive():
            return
        loop = asyncio.get_running_loop()

        def tell(container: str) -> None:
            self._dead.add(container)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._wake)

        def listen() -> None:
            while not self._is_closed:
                try:
                    self._engine.deaths(MARK, tell)
                except DependencyError as error:
                    structlog.get_logger("docker").warning("events broke off", error=str(error))
                    time.sleep(1.0)

        # A daemon: it waits for the engine's next word, which may never come.
        self._listener = threading.Thread(target=listen, name="docker events", daemon=True)
        self._listener.start()


def _facts(found: dict[str, Any], *, is_adopted: bool) -> ProcessFacts:
    state, now_s = found["State"], time.monotonic()
    # The start makes a container that was started again another one than before.
    identity = Identity(int(state["Pid"]), _start(found), str(found["Id"])[:12])
    age_s = max(0.0, time.time() - _start(found) / 1e6)
    return ProcessFacts(identity, bool(state["Running"]), is_adopted, now_s - age_s, now_s)


def _start(found: dict[str, Any]) -> int:
    """Tell when a container was started, in µs since 1970."""
    text = str(found["State"]["StartedAt"])
    with suppress(ValueError):
        return int(datetime.fromisoformat(text).timestamp() * 1e6)
    return 0


def _exit_code(found: dict[str, Any]) -> int:
    code = int(found["State"]["ExitCode"])
    return _STOPPED - code if code > _STOPPED else code
