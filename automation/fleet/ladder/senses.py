"""What is seen of one bot from outside its API: its log and what its process uses.

The log is read at every look, usage less often. Refuses to judge. One pair of eyes for one process;
called by the observer after it asked the bot.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from automation.core.clock import Clock
from automation.core.vitals import Topic, Usage, Vitals
from automation.fleet.ladder.logwatch import LogWatch


@dataclass(slots=True)
class Senses:
    """Looks at one process of one bot."""

    log: LogWatch
    pid: int
    folder: Path
    clock: Clock
    every_s: float = 15.0
    memory_limit_bytes: int | None = None
    _usage: Usage = field(default_factory=Usage)
    _due_s: float = 0.0
    _process: psutil.Process | None = field(default=None)

    def look(self, told: Vitals, trader: str) -> Vitals:
        """Add what the log says and the process uses to what the bot told."""
        now_s = self.clock.monotonic()
        if trader == "running":
            self.log.forget(Topic.FELL)  # it stands again
        if now_s >= self._due_s:
            self._due_s = now_s + self.every_s
            self._usage = self._measure()
        return replace(told, log=self.log.read(now_s), usage=self._usage)

    def _measure(self) -> Usage:
        disk_free = None
        with suppress(OSError):
            disk_free = shutil.disk_usage(self.folder).free
        limit = self.memory_limit_bytes
        try:
            if self._process is None:
                self._process = psutil.Process(self.pid)
            process = self._process
            with process.oneshot():
                memory = process.memory_info().rss
                cores = process.cpu_percent() / 100
                files, files_limit = process.num_fds(), process.rlimit(psutil.RLIMIT_NOFILE)[0]
        except (psutil.Error, OSError):
            return Usage(memory_limit_bytes=limit, disk_free_bytes=disk_free)
        return Usage(memory, limit, cores, files, files_limit, disk_free)
