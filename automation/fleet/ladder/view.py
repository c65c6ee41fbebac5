"""What a rung is judged by, and the three things that it can come to.

Pure; shared by the rungs in `climb`, `account` and `machine`.
"""

from dataclasses import dataclass

from automation.core.model import Finding, Health, UnitSnapshot
from automation.core.vitals import Mention, Rung, Topic
from automation.fleet.timing import Timing


@dataclass(frozen=True, slots=True)
class View:
    """One bot at one moment."""

    unit: UnitSnapshot
    timing: Timing
    now_s: float
    now_epoch_s: float

    def since(self, epoch_s: float) -> float:
        """Tell the seconds since an instant."""
        return self.now_epoch_s - epoch_s

    @property
    def age_s(self) -> float:
        """For how long this supervisor has watched the process."""
        return self.now_s - self.unit.process.seen_s

    @property
    def is_warming(self) -> bool:
        """Whether it is too early to judge what takes time to come."""
        return self.age_s < self.timing.limits.warmup_s

    @property
    def fell(self) -> Mention | None:
        """Tell Freqtrade's own words, when it stopped its trader after an error."""
        return self.unit.vitals.mention(Topic.FELL)

    def mention(self, topic: Topic) -> Mention | None:
        """Find what the log said of a topic within the window."""
        found = self.unit.vitals.mention(topic)
        if found is None or self.now_s - found.last_s > self.timing.limits.log_window_s:
            return None
        return found


def fine(rung: Rung, evidence: str) -> Finding:
    """Tell that a rung holds."""
    return Finding(rung, Health.HEALTHY, evidence)


def bad(rung: Rung, health: Health, evidence: str, *, is_due: bool = False) -> Finding:
    """Tell that a rung does not hold."""
    return Finding(rung, health, evidence, is_due)


def unjudged(rung: Rung, evidence: str = "cannot be judged now") -> Finding:
    """Tell that nothing can be said of a rung."""
    return Finding(rung, Health.UNKNOWN, evidence)
