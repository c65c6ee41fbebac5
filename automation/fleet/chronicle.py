"""Writes what the fleet does into the journal, without ever waiting for the disk.

Events are posted: a store that is down (a full disk) delays them, and never the supervision.
Called by supervisor, act and control.
"""

from concurrent.futures import Future

from pydantic import BaseModel

from automation.core.model import SIMULATOR, Health, UnitSnapshot, Verdict
from automation.fleet import kinds
from automation.journal import Event, Journal

SOURCE = "fleet"
SUPERVISOR = "supervisor"

Posted = Future[list[Event]]


class Chronicle:
    """The fleet's hand in the journal."""

    def __init__(self, journal: Journal) -> None:
        """Write to `journal`, which the caller opens and closes."""
        self.journal = journal

    def tell(
        self,
        kind: str,
        facts: BaseModel,
        *,
        bot: str = "",
        actor: str = SUPERVISOR,
        cause: Posted | None = None,
    ) -> Posted:
        """Post one event."""
        return self.journal.post(
            kind, actor=actor, source=SOURCE, bot=bot, payload=facts, cause=cause
        )

    def tell_unit(
        self, what: str, unit: str, facts: BaseModel, *, cause: Posted | None = None
    ) -> Posted:
        """Post `bot.<what>`, or `simulator.<what>`."""
        prefix = "simulator" if unit == SIMULATOR else "bot"
        return self.tell(f"{prefix}.{what}", facts, bot=bot_of(unit), cause=cause)

    def judge(self, unit: UnitSnapshot, was: Verdict) -> None:
        """Post a change of state or health; a change of the reason alone is none."""
        now = unit.verdict
        is_told_by_health = now.health is not was.health and now.health is not Health.UNKNOWN
        if now.state is was.state and not is_told_by_health:
            return
        facts = kinds.Judged(
            unit=display(unit.name),
            state=now.state,
            health=now.health,
            was_state=was.state,
            was_health=was.health,
            reason=now.reason,
        )
        self.tell_unit(str(now.health) if is_told_by_health else "state", unit.name, facts)


def bot_of(unit: str) -> str:
    """Tell the bot that a unit is; "" for the simulator."""
    return "" if unit == SIMULATOR else unit


def display(unit: str) -> str:
    """Name a unit for people."""
    return "the simulator" if unit == SIMULATOR else unit
