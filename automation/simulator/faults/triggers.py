"""Whether a fault holds now, and whether it hits this case.

Decides by the market's time, a generator of its own per fault, and a count, so the same seed and the
same requests give the same hits whatever other faults there are. Refuses to know what a fault
does. Called by `engine`.
"""

import zlib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random

from automation.core.clock import to_ms
from automation.simulator.faults.kinds import Distribution, Match, Trigger

FOR_EVER_MS = 1 << 62


@dataclass(slots=True)
class Armed:
    """A fault with what has become of it so far."""

    fault: Trigger
    name: str
    begin_ms: int
    end_ms: int
    random: Random
    hits: int = 0
    is_lifted: bool = False
    was_on: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    def holds(self, at_ms: int) -> bool:
        """Tell whether it can hit anything at an instant of the market."""
        if self.is_lifted or not self.begin_ms <= at_ms < self.end_ms:
            return False
        return self.fault.times is None or self.hits < self.fault.times

    def hits_now(self, at_ms: int) -> bool:
        """Draw whether it hits a matching case, and count the hit."""
        if not self.holds(at_ms):
            return False
        if self.fault.probability < 1 and self.random.random() >= self.fault.probability:
            return False
        self.hits += 1
        return True

    def draw_s(self, delay: Distribution) -> float:
        """Draw a duration."""
        mean, spread = delay.mean, delay.spread
        if delay.shape == "uniform":
            drawn = self.random.uniform(mean - spread, mean + spread)
        elif delay.shape == "normal":
            drawn = self.random.gauss(mean, spread)
        elif delay.shape == "lognormal":
            drawn = mean * self.random.lognormvariate(0.0, delay.sigma)
        elif delay.shape == "exponential":
            drawn = self.random.expovariate(1 / mean) if mean else 0.0
        else:
            drawn = mean
        return min(max(drawn, 0.0), delay.most)


def arm(fault: Trigger, number: int, seed: int, now_ms: int) -> Armed:
    """Make a fault ready; `now_ms` is the market's time that `after` counts from."""
    name = fault.name or f"{getattr(fault, 'kind', 'fault')}-{number}"
    begin_ms = now_ms if fault.at is None else to_ms(fault.at)
    if fault.after is not None:
        begin_ms = now_ms + round(fault.after * 1000)
    end_ms = FOR_EVER_MS if fault.lasts is None else begin_ms + round(fault.lasts * 1000)
    return Armed(fault, name, begin_ms, end_ms, Random(zlib.crc32(f"{seed}/{name}".encode())))


@dataclass(frozen=True, slots=True)
class Case:
    """A request or a message, as far as a match can tell it from others."""

    method: str = ""
    path: str = ""
    symbol: str = ""
    account: str = ""
    stream: str = ""


def matches(match: Match, case: Case) -> bool:
    """Tell whether a case is meant."""
    exact = (
        (match.method, case.method),
        (match.symbol, case.symbol),
        (match.account, case.account),
    )
    if any(wanted is not None and wanted != given for wanted, given in exact):
        return False
    patterns = ((match.path, case.path), (match.stream, case.stream))
    return all(wanted is None or fnmatchcase(given, wanted) for wanted, given in patterns)
