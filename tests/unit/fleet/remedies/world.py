"""A fleet in a table: bots whose facts follow a random history, and that obey what is decided.

The real ladder, breakers and decisions run over it; only the bots are made up.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from automation.core.model import (
    Action,
    ActionKind,
    ApiFacts,
    Breaker,
    DesiredFleet,
    DesiredUnit,
    FleetSnapshot,
    Hold,
    Identity,
    ProcessFacts,
    RemedyMemory,
    RestartMemory,
    UnitSnapshot,
    Wish,
)
from automation.core.vitals import Mention, OpenOrder, OpenTrade, Remedy, Topic, Vitals
from automation.fleet.assess import assess
from automation.fleet.decide import decide, is_failure
from automation.fleet.ladder.climb import climb
from automation.fleet.ladder.settle import ladder_of, settle
from automation.fleet.remedies import breakers
from automation.fleet.restarts import is_forgiven, remember_failure, remember_health
from automation.fleet.timing import Timing

AT = datetime(2025, 1, 1, tzinfo=UTC)
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
STEP_S = 15.0
ILLS = (
    "well", "silent", "dies", "stale", "exchange", "banned", "database", "naked", "stuck",
    "fallen", "loopless", "ordering",
)  # fmt: skip


@dataclass
class Bot:
    """One bot: how it is, and how long it stays so."""

    name: str
    ill: str = "well"
    until_s: float = 0.0
    alive: bool = False
    came_s: float = 0.0
    ended_s: float = 0.0
    answered_s: float | None = None
    silent_since_s: float | None = None
    ill_since_s: float = 0.0
    trader: str = "running"
    memory: RestartMemory = field(default_factory=RestartMemory)
    remedy: RemedyMemory = field(default_factory=RemedyMemory)
    holds: tuple[Hold, ...] = ()
    is_halted: bool = False
    quarantine: str = ""
    beliefs: dict = field(default_factory=dict)
    snapshot: UnitSnapshot | None = None


@dataclass
class World:
    """The fleet, its time, and all that was decided."""

    seed: int
    bots: list[Bot]
    timing: Timing = field(default_factory=Timing)
    now_s: float = 10_000.0
    breakers: tuple[Breaker, ...] = ()
    restarts_s: tuple[float, ...] = ()
    decided: list = field(default_factory=list)  # (now_s, action, bot's snapshot, breakers)

    @property
    def epoch_s(self) -> float:
        return AT.timestamp() + self.now_s

    def live(self, steps: int, ills=ILLS) -> None:
        chance = random.Random(self.seed)
        for _ in range(steps):
            self.step(chance, ills)

    def step(self, chance: random.Random, ills) -> None:
        self.now_s += STEP_S
        for bot in self.bots:
            self.suffer(bot, chance, ills)
            self.look(bot)
        snapshot = self.snapshot()
        self.breakers = breakers.step(self.breakers, snapshot, "", self.timing.limits)
        snapshot = self.snapshot()
        wanted = DesiredFleet(tuple(DesiredUnit(bot.name) for bot in self.bots))
        for action in decide(wanted, snapshot, self.timing, self.now_s):
            bot = next(bot for bot in self.bots if bot.name == action.unit)
            self.decided.append((self.now_s, action, bot.snapshot, self.breakers))
            self.obey(bot, action)

    def suffer(self, bot: Bot, chance: random.Random, ills) -> None:
        if self.now_s >= bot.until_s:
            bot.ill = chance.choice(ills) if chance.random() < 0.5 else "well"
            bot.until_s = self.now_s + chance.choice((15, 45, 150, 600, 1500))
            bot.ill_since_s = self.now_s
            if bot.ill == "fallen":
                bot.trader = "stopped"
        if bot.alive and bot.ill == "dies":
            self.end(bot)
            bot.memory = remember_failure(bot.memory, self.timing, self.now_s)
        if bot.alive:
            if bot.ill == "silent":
                bot.silent_since_s = bot.silent_since_s or self.now_s
            else:
                bot.answered_s, bot.silent_since_s = self.now_s, None

    def end(self, bot: Bot) -> None:
        bot.alive, bot.ended_s, bot.answered_s = False, self.now_s, None
        bot.silent_since_s, bot.beliefs = None, {}

    def look(self, bot: Bot) -> None:
        raw = self.facts(bot)
        if bot.alive:
            epoch_s = self.epoch_s
            seen = climb(raw, self.timing, now_s=self.now_s, now_epoch_s=epoch_s)
            bot.beliefs = settle(bot.beliefs, seen, self.timing.limits, self.now_s)
            raw = replace(raw, findings=ladder_of(bot.beliefs))
        verdict = assess(
            raw, Wish.RUN, self.timing, now_s=self.now_s, now_epoch_s=self.epoch_s,
            findings=raw.findings if bot.alive else None,
        )  # fmt: skip
        is_healthy = verdict.health == "healthy"
        bot.memory = remember_health(bot.memory, is_healthy, self.now_s)
        if is_forgiven(bot.memory, self.timing, self.now_s):
            bot.remedy = RemedyMemory()
        bot.snapshot = replace(raw, verdict=verdict, memory=bot.memory, remedy=bot.remedy)

    def facts(self, bot: Bot) -> UnitSnapshot:
        ended = bot.ended_s if not bot.alive else bot.came_s
        process = ProcessFacts(Identity(7, 1, "b"), bot.alive, False, ended, bot.came_s)
        looped_s = self.epoch_s - (700 if bot.ill == "loopless" else 2)
        api = ApiFacts(
            answered_s=bot.answered_s, failing_since_s=bot.silent_since_s, trader=bot.trader,
            looped_epoch_s=None if bot.answered_s is None else looped_s, timeframe_s=300,
        )  # fmt: skip
        return UnitSnapshot(
            bot.name, process, api if bot.alive else ApiFacts(), bot.memory,
            vitals=self.vitals(bot) if bot.alive else Vitals(), holds=bot.holds,
            is_halted=bot.is_halted, remedy=bot.remedy, quarantine=bot.quarantine,
            had_trades=bot.name.endswith("0"),
        )  # fmt: skip

    def vitals(self, bot: Bot) -> Vitals:
        age_s = 3000 if bot.ill == "stale" else 60
        seen = tuple((pair, self.epoch_s - age_s) for pair in PAIRS)
        topics = {"exchange": Topic.EXCHANGE, "banned": Topic.BAN, "database": Topic.DATABASE}
        topics["fallen"] = Topic.FELL
        log = ()
        if bot.ill in topics and (bot.ill != "fallen" or bot.trader == "stopped"):
            log = (Mention(topics[bot.ill], 5, bot.ill_since_s, self.now_s, "words"),)
        placed_s = {"ordering": 5.0, "stuck": 5000.0}.get(bot.ill)
        orders = ()
        if placed_s is not None:
            orders = (OpenOrder(1, PAIRS[0], True, self.epoch_s - placed_s),)
        is_naked = bot.ill == "naked"
        trade = OpenTrade(1, 5, PAIRS[0], False, 1.0, not is_naked, self.epoch_s - 500)
        return Vitals(
            needs_stops=True, trades=(trade,), orders=orders, candles=seen, analyzed=seen,
            log=log, seen_s=self.now_s,
        )  # fmt: skip

    def obey(self, bot: Bot, action: Action) -> None:  # noqa: C901  one branch a kind
        if action.remedy is not None and action.rung is not None:
            tried = bot.remedy.tried if bot.remedy.rung is action.rung else ()
            bot.remedy = RemedyMemory(action.rung, (*tried, action.remedy), self.now_s)
        if action.kind is ActionKind.START:
            if is_failure(bot.snapshot):
                self.restarts_s = (*self.restarts_s, self.now_s)
            bot.alive, bot.came_s, bot.answered_s = True, self.now_s, None
            bot.trader = "paused" if bot.holds else "running"
            bot.is_halted = bool(bot.holds)
        elif action.kind is ActionKind.STOP:
            self.end(bot)
            if action.is_remedy:
                bot.memory = remember_failure(bot.memory, self.timing, self.now_s)
        elif action.kind is ActionKind.QUARANTINE:
            bot.quarantine = action.reason
            bot.holds = (Hold("quarantine", action.reason, True),)
        elif action.kind is ActionKind.HALT:
            if action.rung is not None:
                bot.holds = (*bot.holds, Hold(str(action.rung), action.reason, False))
            bot.trader, bot.is_halted = "paused", True
        elif action.kind is ActionKind.RELEASE:
            bot.holds, bot.is_halted, bot.trader = (), False, "running"
        elif action.kind is ActionKind.RELOAD:
            bot.trader = "paused" if bot.holds else "running"

    def snapshot(self) -> FleetSnapshot:
        units = tuple(bot.snapshot for bot in self.bots)
        taken_at = AT + timedelta(seconds=self.now_s)
        return FleetSnapshot(
            "f", taken_at, self.now_s, units, False, self.breakers, self.restarts_s
        )


def restarts_of(world: World) -> list[float]:
    """Tell when bots were restarted for failures."""
    return [
        at_s
        for at_s, action, bot, _ in world.decided
        if action.kind is ActionKind.START and bot.memory.streak
    ]


DISTURBING = (Remedy.RELOAD, Remedy.RESTART, Remedy.REPLACE)
