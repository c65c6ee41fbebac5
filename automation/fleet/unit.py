"""One supervised unit, the mutable side: what is known of it and what is under way.

Everything here changes on the event loop only. `snapshot` freezes it. Refuses to decide. Used by
supervisor, act and control.
"""

import asyncio
from dataclasses import dataclass, field

from automation.core.config import Bot
from automation.core.model import (
    SIMULATOR,
    ActionKind,
    ApiFacts,
    BotState,
    Health,
    ProcessFacts,
    Request,
    RestartMemory,
    UnitSnapshot,
    Verdict,
    Wish,
)
from automation.core.seams import BotApi
from automation.fleet.credentials import ApiAccess
from automation.fleet.probe import BotProbe, SimulatorProbe
from automation.fleet.tradebook import TradeBook

NOT_JUDGED = Verdict(BotState.QUEUED, Health.UNKNOWN, "")

Answer = asyncio.Future[str]


@dataclass(slots=True)
class Unit:
    """The simulator or a bot, as the supervisor holds it."""

    name: str
    access: ApiAccess
    bot: Bot | None = None  # None for the simulator, and for a bot that the fleet no longer names
    wish: Wish = Wish.RUN
    request: Request | None = None
    answers: list[Answer] = field(default_factory=list)  # who waits for the outcome of the request
    process: ProcessFacts = field(default_factory=ProcessFacts)
    client: BotApi | None = None
    probe: BotProbe | SimulatorProbe | None = None
    memory: RestartMemory = field(default_factory=RestartMemory)
    busy: ActionKind | None = None
    blocked: str = ""
    is_outdated: bool = False
    verdict: Verdict = NOT_JUDGED
    book: TradeBook | None = None
    task: asyncio.Task[None] | None = None  # the action under way
    watcher: asyncio.Task[None] | None = None  # the poll of its API

    @property
    def is_simulator(self) -> bool:
        """Whether this is the simulator."""
        return self.name == SIMULATOR

    @property
    def api(self) -> ApiFacts:
        """What its API last said."""
        return self.probe.facts if self.probe is not None else ApiFacts()

    def snapshot(self) -> UnitSnapshot:
        """Freeze what is known."""
        return UnitSnapshot(
            name=self.name,
            process=self.process,
            api=self.api,
            memory=self.memory,
            busy=self.busy,
            blocked=self.blocked,
            is_outdated=self.is_outdated,
            verdict=self.verdict,
        )

    def answer(self, sentence: str) -> None:
        """Tell everybody who waits for the request how it went."""
        for waiting in self.answers:
            if not waiting.done():
                waiting.set_result(sentence)
        self.answers.clear()
