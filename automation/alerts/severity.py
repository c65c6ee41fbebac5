"""How much an alert matters, from low to emergency; everything else about it follows from rules."""

from enum import StrEnum


class Severity(StrEnum):
    """How much an alert matters; compare with `rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """Its place in the order: 0 for low, 4 for emergency."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
