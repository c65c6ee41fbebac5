"""How busy the machine is, so that a new bot waits rather than slowing down those that trade.

CPU counts over a minute, for a bot that starts takes a whole core for some seconds; memory counts as
it is. What has become scarce stays so until it has eased by a little more. Decides what is scarce;
refuses to decide who waits (`decide`). Looked at by the supervisor's loop.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from automation.core.model import HostLoad
from automation.fleet import sightings
from automation.fleet.chronicle import Chronicle

EVERY_S = 5.0
WINDOW_S = 60.0
LEAST_S = 30.0
"""A shorter past says nothing of the CPU yet."""

CPU_FRAC = 0.80
MEMORY_FRAC = 0.85
EASED_BY = 0.05


@dataclass(frozen=True, slots=True)
class Reading:
    """The machine's counters at one moment."""

    busy_s: float  # of all cores together, since some fixed point
    total_s: float
    memory_frac: float


Measure = Callable[[], Reading]


def measure() -> Reading:
    """Read the machine's own counters."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0)
    # Guests are counted in user already.
    total_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return Reading(total_s - idle_s, total_s, psutil.virtual_memory().percent / 100)


@dataclass(slots=True)
class HostWatch:
    """Looks at the machine now and then."""

    chronicle: Chronicle
    measure: Measure = measure
    load: HostLoad = field(default_factory=HostLoad)
    _due_s: float = 0.0
    _readings: deque[tuple[float, Reading]] = field(default_factory=deque)

    def look(self, now_s: float) -> None:
        """Measure if it is time, and tell when something becomes scarce or eases."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        self._readings.append((now_s, self.measure()))
        while now_s - self._readings[0][0] > WINDOW_S:
            self._readings.popleft()
        was, cpu, memory = self.load, self._cpu_frac(), self._readings[-1][1].memory_frac
        self.load = HostLoad(
            cpu_frac=cpu,
            memory_frac=round(memory, 3),
            is_cpu_scarce=_is_scarce(cpu, CPU_FRAC, was=was.is_cpu_scarce),
            is_memory_scarce=_is_scarce(memory, MEMORY_FRAC, was=was.is_memory_scarce),
        )
        if (was.is_cpu_scarce, was.is_memory_scarce) != (
            self.load.is_cpu_scarce,
            self.load.is_memory_scarce,
        ):
            self._tell()

    def _cpu_frac(self) -> float | None:
        (began_s, first), (ended_s, last) = self._readings[0], self._readings[-1]
        if ended_s - began_s < LEAST_S or last.total_s <= first.total_s:
            return None
        return round((last.busy_s - first.busy_s) / (last.total_s - first.total_s), 3)

    def _tell(self) -> None:
        facts = sightings.HostBusy(
            cpu_frac=self.load.cpu_frac, memory_frac=self.load.memory_frac or 0.0
        )
        is_scarce = self.load.is_cpu_scarce or self.load.is_memory_scarce
        self.chronicle.tell("host.busy" if is_scarce else "host.eased", facts)


def _is_scarce(frac: float | None, limit: float, *, was: bool) -> bool:
    return frac is not None and frac > (limit - EASED_BY if was else limit)
