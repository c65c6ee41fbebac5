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
    Finding,
    Health,
    Hold,
    ProcessFacts,
    RemedyMemory,
    Request,
    RestartMemory,
    UnitSnapshot,
    Verdict,
    Wish,
)
from automation.core.seams import BotApi
from automation.core.vitals import NO_VITALS, Vitals
from automation.fleet.credentials import ApiAccess
from automation.fleet.ladder.senses import Senses
from automation.fleet.ladder.settle import Beliefs
from automation.fleet.probe import BotProbe, SimulatorProbe
from automation.fleet.remedies.account import Ledger
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
    changing: str = ""  # what is under way with a change of its files
    has_candidate: bool = False  # what it shall run next has passed its rehearsal
    verdict: Verdict = NOT_JUDGED
    book: TradeBook | None = None
    senses: Senses | None = None
    vitals: Vitals = NO_VITALS
    beliefs: Beliefs = field(default_factory=dict)  # what is believed of each rung
    findings: tuple[Finding, ...] = ()
    holds: tuple[Hold, ...] = ()
    is_halted: bool = False
    remedy: RemedyMemory = field(default_factory=RemedyMemory)
    quarantine: str = ""
    ledger: Ledger | None = None  # the open trades, as they were last written down
    is_to_be_checked: bool = False  # its trades after a restart against those before
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

    @property
    def start_wish(self) -> Wish:
        """What its next process shall do at first: a held bot starts paused."""
        return Wish.PAUSE if self.holds and self.wish is Wish.RUN else self.wish

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
            changing=self.changing,
            verdict=self.verdict,
            vitals=self.vitals,
            findings=self.findings,
            holds=self.holds,
            is_halted=self.is_halted,
            remedy=self.remedy,
            quarantine=self.quarantine,
            had_trades=self.ledger is not None and bool(self.ledger.trades),
        )

    def answer(self, sentence: str) -> None:
        """Tell everybody who waits for the request how it went."""
        for waiting in self.answers:
            if not waiting.done():
                waiting.set_result(sentence)
        self.answers.clear()
