"""Runs a supervisor in the background: `up --detach`.

The process is forked before anything is opened, leaves its terminal and its session, and writes to
`supervisor.log` in the state folder. The one that started it waits until the fleet is in charge, so
that whatever keeps it from starting is said in the terminal, as one sentence.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import orjson

from automation.core.errors import ConfigError, DependencyError, FreqfleetError, PermanentError
from automation.fleet.home import Home, disk_error
from automation.fleet.lock import FleetIsUp, find_supervisor
from automation.fleet.logfile import last_lines, open_console

READY_WITHIN_S = 30.0

Supervise = Callable[[], Coroutine[Any, Any, None]]
"""Makes the supervisor's `run()`: opens the journal, builds the supervisor, runs it, closes."""


def start_detached(home: Path, supervise: Supervise) -> int:
    """Start a supervisor in the background and return its pid once it is in charge.

    `supervise` is called in the new process. Call this before any thread or event loop is there.
    Raises what kept the supervisor from taking charge.
    """
    folder = Home(home)
    running = find_supervisor(folder)
    if running is not None:
        raise FleetIsUp(
            f"this fleet is up already, under supervisor pid {running.pid}",
            where=str(folder.path),
            cure="see freqfleet status, or set FREQFLEET_HOME for a second fleet",
        )
    folder.make()
    try:
        log = open_console(folder.supervisor_log)
    except OSError as error:
        raise disk_error(error, folder.supervisor_log) from None
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become_daemon(log, writing, supervise)
    os.close(writing)
    os.close(log)
    os.waitpid(child, 0)
    return _wait_for_charge(folder, reading)


def _become_daemon(log: int, writing: int, supervise: Supervise) -> NoReturn:
    code = 1
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        try:
            asyncio.run(supervise())
            code = 0
        except FreqfleetError as error:
            sys.stderr.write(f"freqfleet: {error}\n")
            os.write(writing, orjson.dumps({"error": str(error), "exit_code": error.exit_code}))
            code = error.exit_code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait_for_charge(home: Home, reading: int) -> int:
    deadline = time.monotonic() + READY_WITHIN_S
    os.set_blocking(reading, False)
    try:
        while time.monotonic() < deadline:
            try:
                said = os.read(reading, 65536)
            except BlockingIOError:
                said = None
            if said:
                failure = orjson.loads(said)
                kind = ConfigError if failure["exit_code"] == 2 else PermanentError
                raise kind(failure["error"])
            holder = find_supervisor(home)
            if holder is not None:
                return holder.pid
            if said == b"":  # the other end was closed: it is gone
                break
            time.sleep(0.05)
    finally:
        os.close(reading)
    words = " / ".join(last_lines(home.supervisor_log, 3))
    raise DependencyError(f"the supervisor did not start: {words}", where=str(home.supervisor_log))
