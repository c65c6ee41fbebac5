"""Engines in processes of their own: one host that loads the job, and its forks that evaluate.

The host (`python -m automation.worker.tuning`) loads strategy, candles and columns once and then forks
a process for each slot, so that all share one copy of the data. Each slot has a socket that keeps
messages whole; a slot that dies is forked anew by the host and gets the task that it had begun again.
A host that dies is started anew. Implements `core.tunings.Engines`; built by `app`.
"""

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import orjson

from automation.core.errors import ConfigError, DependencyError
from automation.core.paths import root, strategies
from automation.core.processes import dies_with_parent
from automation.core.tunings import Answer, Chosen, Dimension, EngineFacts, Task, TuneJob

_WORKER = "automation.worker.tuning"
_DEPTH = 3  # tasks that a slot may have, the running one included
_MOST_DEATHS = 3  # processes that a task may take with it
_MOST_HOSTS = 20
_MESSAGE = 1 << 18
_BYE_S = 5.0

Notice = Callable[[str], None]


class EnginePool:
    """Evaluates tasks of one job in `workers` processes, for as long as its context is open."""

    def __init__(
        self, job: TuneJob, workers: int, notice: Notice, *, looks_ahead_test: bool = True
    ) -> None:
        """Take the job; nothing starts yet. `notice` is told what the start is at."""
        self._job, self._workers, self._notice = job, workers, notice
        self._tests = looks_ahead_test
        self._folder = tempfile.TemporaryDirectory(prefix="freqfleet-tune-")
        self._selector = selectors.DefaultSelector()
        self._control: socket.socket | None = None
        self._slots: list[socket.socket] = []
        self._outstanding: list[deque[Task]] = [deque() for _ in range(workers)]
        self._deaths: dict[int, int] = {}
        self._host: subprocess.Popen[bytes] | None = None
        self._hosts = 0
        self._facts: EngineFacts | None = None
        self._answers: list[Answer] = []
        self._chosen: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Start the host and wait for its facts; raises ConfigError where it refuses the job."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self.close()

    @property
    def facts(self) -> EngineFacts:
        """What the job turned out to be."""
        assert self._facts is not None
        return self._facts

    @property
    def processes(self) -> tuple[int, ...]:
        """The host's process id."""
        return () if self._host is None else (self._host.pid,)

    def room(self) -> int:
        """Return how many more tasks keep every slot busy."""
        return sum(max(0, _DEPTH - len(held)) for held in self._outstanding)

    def send(self, tasks: Sequence[Task]) -> None:
        """Hand each task to the slot that has the fewest."""
        for task in tasks:
            slot = min(range(self._workers), key=lambda each: len(self._outstanding[each]))
            self._outstanding[slot].append(task)
            self._post(slot, task)

    def collect(self, timeout_s: float) -> list[Answer]:
        """Return what was answered meanwhile."""
        if not self._answers:
            for key, _ in self._selector.select(timeout_s):
                if key.fileobj is self._control:
                    self._hear()
                else:
                    self._read(key.data)
        answers, self._answers = self._answers, []
        return answers

    def choose(
        self, values: Mapping[str, Any] | None, file: Path, timeout_s: float = 600
    ) -> Chosen:
        """Evaluate one parameter set in full and keep its trades in `file`."""
        assert not any(self._outstanding)
        self._slots[0].send(orjson.dumps({"values": values, "file": os.fspath(file)}))
        deadline = time.monotonic() + timeout_s
        while not self._chosen:
            if time.monotonic() > deadline:
                raise DependencyError("the engine did not answer", where=self._job.strategy)
            self.collect(1.0)
        found = self._chosen.pop()
        return Chosen(found["sections"], file, found["engine"])

    def close(self) -> None:
        """End all processes and remove what they left."""
        for each in (*self._slots, *([self._control] if self._control else [])):
            with suppress(KeyError):
                self._selector.unregister(each)
            each.close()
        self._slots, self._control = [], None
        if self._host is not None:
            try:  # its sockets are closed: it ends by itself
                self._host.wait(_BYE_S)
            except subprocess.TimeoutExpired:
                self._host.kill()
                self._host.wait()
            self._host = None
        self._folder.cleanup()

    def _start(self) -> None:
        self._hosts += 1
        if self._hosts > _MOST_HOSTS:
            raise DependencyError(
                "the engine died too often", where=self._job.strategy, cure=self._last_words()
            )
        folder = Path(self._folder.name)
        folder.mkdir(exist_ok=True)
        request = folder / "request.json"
        tests = self._tests and self._facts is None
        request.write_bytes(orjson.dumps({**asdict(self._job), "tests": tests}, default=str))
        pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for _ in range(self._workers + 1)
        ]
        theirs = [pair[1] for pair in pairs]
        with (folder / "log").open("ab") as log:
            self._host = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    _WORKER,
                    str(request),
                    *(str(each.fileno()) for each in theirs),
                ],
                pass_fds=[each.fileno() for each in theirs],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=root(),
                env=_environment(self._job),
                preexec_fn=dies_with_parent(),  # noqa: PLW1509 - started before any thread
            )
        for each in theirs:
            each.close()
        self._control, self._slots = pairs[0][0], [pair[0] for pair in pairs[1:]]
        self._selector.register(self._control, selectors.EVENT_READ)
        for slot, each in enumerate(self._slots):
            self._selector.register(each, selectors.EVENT_READ, slot)
        self._await_ready()

    def _await_ready(self) -> None:
        assert self._control is not None
        while True:
            message = _receive(self._control)
            if message is None:
                raise DependencyError(
                    "the engine died while it loaded",
                    where=self._job.strategy,
                    cure=self._last_words(),
                )
            if "stage" in message:
                self._notice(message["stage"])
            elif "refused" in message:
                raise _refusal(message)
            else:
                self._facts = _facts(message["ready"])
                return

    def _hear(self) -> None:
        """Take the host's news: a slot was forked anew, or the host is gone."""
        assert self._control is not None
        message = _receive(self._control)
        if message is None:
            self._restart()
        elif "lost" in message:
            slot = int(message["lost"])
            self._drain(slot)
            self._again(slot)

    def _again(self, slot: int) -> None:
        """Send a slot's tasks again; which of them the dead process had taken nobody knows.

        A task that is then evaluated twice is answered once: later answers find it gone.
        """
        held = self._outstanding[slot]
        if held:
            first = held[0]
            deaths = self._deaths[first.number] = self._deaths.get(first.number, 0) + 1
            if deaths >= _MOST_DEATHS:
                held.popleft()
                fault = f"its process died: {self._last_words()}"
                self._answers.append(Answer(first.number, fault=fault))
        for task in held:
            self._post(slot, task)

    def _restart(self) -> None:
        for slot, each in enumerate(self._slots):
            self._drain(slot)
            self._selector.unregister(each)
            each.close()
        assert self._control is not None
        self._selector.unregister(self._control)
        self._control.close()
        if self._host is not None:
            self._host.wait()
        self._notice("the engine died; it is started anew")
        self._start()
        for slot, held in enumerate(self._outstanding):
            for task in held:
                self._post(slot, task)

    def _post(self, slot: int, task: Task) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # heard of on the control socket
            self._slots[slot].send(
                orjson.dumps({"n": task.number, "v": task.values, "b": task.bars})
            )

    def _drain(self, slot: int) -> None:
        self._slots[slot].setblocking(False)
        with suppress(BlockingIOError):
            while self._read(slot):
                pass
        self._slots[slot].setblocking(True)

    def _read(self, slot: int) -> bool:
        message = _receive(self._slots[slot])
        if message is None:
            return False
        if "sections" in message:
            self._chosen.append(message)
            return True
        held = self._outstanding[slot]
        number = int(message["n"])
        task = next((each for each in held if each.number == number), None)
        if task is not None:  # else it was answered before
            held.remove(task)
            self._answers.append(_answer(message))
        return True

    def _last_words(self) -> str:
        """Return the last line that the engine wrote."""
        with suppress(OSError):
            lines = (
                (Path(self._folder.name) / "log").read_text(errors="replace").strip().splitlines()
            )
            if lines:
                return lines[-1].strip()
        return "it left no word"


def _receive(channel: socket.socket) -> dict[str, Any] | None:
    """Return the next message; None if the other side is gone."""
    try:
        raw = channel.recv(_MESSAGE)
    except ConnectionResetError:
        return None
    found: dict[str, Any] | None = orjson.loads(raw) if raw else None
    return found


def _answer(message: dict[str, Any]) -> Answer:
    return Answer(
        number=int(message["n"]),
        losses=tuple(message["l"]),
        head_losses=tuple(message["h"]),
        figures={k: float("nan") if v is None else v for k, v in message["f"].items()},
        is_stopped=bool(message["s"]),
        fault=message["e"],
        seconds=float(message["t"]),
    )


def _facts(raw: dict[str, Any]) -> EngineFacts:
    dimensions = tuple(
        Dimension(**{**each, "choices": tuple(each["choices"])}) for each in raw.pop("dimensions")
    )
    return EngineFacts(dimensions=dimensions, **{**raw, "reasons": tuple(raw["reasons"])})


def _refusal(message: dict[str, Any]) -> Exception:
    kind = ConfigError if message["mendable"] else DependencyError
    return kind(message["refused"], where=message["where"], cure=message["cure"])


def _environment(job: TuneJob) -> dict[str, str]:
    """The caller's environment, Freqtrade's variables left out, modules beside the strategy first."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FREQTRADE__")}
    beside = [str(job.strategy_path)] if job.strategy_path is not None else []
    paths = [*beside, str(strategies()), *filter(None, [os.environ.get("PYTHONPATH")])]
    # One thread a process: the slots share the cores among them.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(paths), "TZ": "UTC"}
