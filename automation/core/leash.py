"""Holds a program on a leash: it ends when whoever asked for it is gone, or its time is over.

Runs inside a job's container, where no signal of a dead asker arrives: the asker holds a lock on a
file that both see, and the kernel lets go of it however the asker ends. What the program prints goes
into files beside the lock, its exit code last. Refuses to know what the program is. Started as
`freqfleet --leash FOLDER SECONDS COMMAND…` by `fleet.containers.jobs`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from automation.core.flocks import Flock, probe

LOCK, OUT, ERR, EXIT = "lock", "out", "err", "exit"
TOLD, TOLD_VARIABLE = "told.jsonl", "FREQFLEET_TOLD"
"""The file beside them in which the program says what its asker's journal is to remember."""

LOOK_S = 0.5
GRACE_S = 10.0


def hold(folder: Path, limit_s: float, command: Sequence[str]) -> int:
    """Run a command until it ends, the lock in `folder` is free, or the time is over."""
    deadline = time.monotonic() + limit_s
    with (folder / OUT).open("wb") as out, (folder / ERR).open("wb") as err:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: _pass_on(child, got))
    while True:
        with suppress(subprocess.TimeoutExpired):
            code = child.wait(LOOK_S)
            break
        if time.monotonic() >= deadline or _is_free(folder / LOCK):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
            break
    code = code if code >= 0 else 128 - code
    whole = folder / f"{EXIT}.new"
    whole.write_text(str(code))
    whole.rename(folder / EXIT)
    return code


def _pass_on(child: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError):
        child.send_signal(number)


def _is_free(lock: Path) -> bool:
    """Tell whether nobody holds the lock any more; a file that is gone is held by nobody."""
    return probe(lock) is not Flock.HELD


def main(arguments: Sequence[str]) -> int:
    """Hold `freqfleet` with the words after folder and seconds."""
    folder, limit_s, *words = arguments
    return hold(Path(folder), float(limit_s), [sys.executable, "-m", "automation", *words])
