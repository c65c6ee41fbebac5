"""The demo fleet as a user starts it: the command line, real Freqtrade bots, a state folder apart."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from automation.fleet import commands


class Freqfleet:
    """The command, with a state folder of its own."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.home = root, folder / "home"
        apart = {"FREQFLEET_HOME": str(self.home), "FREQFLEET_ANCHORS": str(folder / "anchors")}
        self.env = {**os.environ, **apart}
        self.prefix: tuple[str, ...] = ()

    def __call__(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess:
        argv = [*self.prefix, sys.executable, "-m", "automation", *words]
        return subprocess.run(
            argv,
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def status(self) -> dict:
        done = self("status", "--json")
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def until(self, holds, within_s: float = 120.0) -> dict:
        """Ask for the status until it holds; it must within a time that only bounds the test.

        Asked without the command line, whose start would compete with the bots' for the cores.
        """
        deadline = time.monotonic() + within_s
        while True:
            found = commands.status(self.home)
            assert found is not None
            status = found.model_dump(mode="json")
            if holds(status):
                return status
            assert time.monotonic() < deadline, json.dumps(status, indent=1)
            time.sleep(0.3)

    def journal(self, *words: str) -> list[dict]:
        done = self("journal", "search", "--json", *words)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        return document if isinstance(document, list) else document["events"]

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_zombie = process.status() == psutil.STATUS_ZOMBIE
                if not is_zombie and any(str(self.home) in word for word in process.cmdline()):
                    found.append(process)
        return found

    def sweep(self) -> None:
        """Leave nothing behind, however a test ended."""
        with suppress(subprocess.TimeoutExpired):
            self("down", timeout_s=90)
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()


@pytest.fixture(scope="module")
def freqfleet(root, tmp_path_factory):
    made = Freqfleet(root, tmp_path_factory.mktemp("fleet"))
    yield made
    made.sweep()


@pytest.fixture
def apart(root, tmp_path):
    """A fleet for one test alone."""
    made = Freqfleet(root, tmp_path)
    yield made
    made.sweep()
