"""What is different between the fleet that runs and a fleet file, and what has to be done for it.

    nothing    the supervisor itself goes by the new value from now on
    reload     the bot reads its configuration again; its trades are not touched
    restart    the bot is stopped and started; open trades are taken up again
    start      a bot that is new
    stop       a bot that the file no longer names; its trades stay open in its database

What changes the fleet as a whole (its name, venue, margin mode, accounts of a simulator, containers)
needs a fleet that is taken down, and is refused here. Pure. Called by `renewal`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from automation.core.config import Bot, Fleet, Venue
from automation.core.errors import ConfigError

RELOADED = frozenset(
    {"profile", "capital_usdt", "stake_usdt", "max_open_trades", "pairs", "timeframe"}
)
RESTARTED = frozenset(
    {
        "strategy", "strategy_path", "configs", "mode", "account", "runner", "api_port", "database",
        "telegram", "resources",
    }
)  # fmt: skip
"""Fields in neither are the supervisor's own."""
REHEARSED = frozenset({"strategy", "strategy_path", "configs"})


class Effect(StrEnum):
    """What is done to a bot."""

    NOTHING = "nothing"
    RELOAD = "reload"
    RESTART = "restart"
    START = "start"
    STOP = "stop"


class FieldChange(BaseModel):
    """One field of the fleet file, as text."""

    model_config = ConfigDict(frozen=True)

    field: str
    old: str
    new: str


class Step(BaseModel):
    """What a changed fleet file means for one bot."""

    model_config = ConfigDict(frozen=True)

    bot: str
    effect: Effect
    changes: tuple[FieldChange, ...] = ()
    open_trades: int = 0
    """Known to be open now, where the step stops the bot or restarts it."""

    @property
    def must_be_asked(self) -> bool:
        """Whether it stops a bot that has open trades, for good or for a moment."""
        return self.open_trades > 0 and self.effect in (Effect.STOP, Effect.RESTART)

    @property
    def needs_rehearsal(self) -> bool:
        """Whether code or configurations are new to this bot."""
        return self.effect is Effect.START or any(c.field in REHEARSED for c in self.changes)

    def sentences(self) -> tuple[str, ...]:
        """Tell the step, a sentence a field."""
        if not self.changes:
            words = {Effect.START: "is new and starts", Effect.STOP: "is gone and stops"}
            return (f"{self.bot} {words[self.effect]}",)
        done = "" if self.effect is Effect.NOTHING else f" ({self.effect})"
        return tuple(f"{self.bot}: {c.field} from {c.old} to {c.new}{done}" for c in self.changes)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The fleet as it shall be, and what has to be done for it."""

    fleet: Fleet
    steps: tuple[Step, ...]

    @property
    def questions(self) -> tuple[Step, ...]:
        """The steps that a person has to agree to."""
        return tuple(step for step in self.steps if step.must_be_asked)


def compare(was: Fleet, now: Fleet, open_trades: dict[str, int]) -> Proposal:
    """Tell what a changed file means; the simulator's own settings stay as they run.

    `open_trades`: by bot, of those that run. Raises ConfigError for what needs a fleet that is down.
    """
    _refuse_foundations(was, now)
    simulator = was.exchange.simulator
    now = now.model_copy(
        update={"exchange": now.exchange.model_copy(update={"simulator": simulator})}
    )
    steps = [
        *(_changed(was, old, now, new) for old, new in _both(was, now)),
        *(Step(bot=bot.name, effect=Effect.START) for bot in now.bots if not was.bot(bot.name)),
        *(Step(bot=bot.name, effect=Effect.STOP) for bot in was.bots if not now.bot(bot.name)),
    ]
    known = tuple(
        step.model_copy(update={"open_trades": open_trades.get(step.bot, 0)})
        for step in steps
        if step is not None
    )
    return Proposal(now, known)


def _refuse_foundations(was: Fleet, now: Fleet) -> None:
    simulated = was.exchange.venue is Venue.SIMULATOR
    others: dict[str, tuple[Any, Any]] = {
        "fleet": (was.fleet, now.fleet),
        "exchange.venue": (was.exchange.venue, now.exchange.venue),
        "exchange.margin_mode": (was.exchange.margin_mode, now.exchange.margin_mode),
        "docker": (was.docker, now.docker),
    }
    if simulated:  # it opens its accounts when it starts
        others["exchange.accounts"] = (was.exchange.accounts, now.exchange.accounts)
    changed = [name for name, (old, new) in others.items() if old != new]
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} cannot be changed while the fleet runs",
            where="fleet file",
            cure="take the fleet down and up again",
        )


def _both(was: Fleet, now: Fleet) -> list[tuple[Bot, Bot]]:
    return [(old, new) for old in was.bots if (new := now.bot(old.name)) is not None]


def _changed(was: Fleet, old: Bot, now: Fleet, new: Bot) -> Step | None:
    changes = [
        FieldChange(field=name, old=_text(getattr(old, name)), new=_text(getattr(new, name)))
        for name in Bot.model_fields
        # A value that is said for the first time wins over the bot's own configurations.
        if getattr(old, name) != getattr(new, name)
        or (name in RELOADED and _is_said(old, name) != _is_said(new, name))
    ]
    account = (
        was.exchange.accounts.get(old.account or ""),
        now.exchange.accounts.get(new.account or ""),
    )
    is_rekeyed = old.account == new.account and account[0] != account[1]
    if is_rekeyed:
        changes.append(FieldChange(field="account", old="as it was", new="changed"))
    if not changes:
        return None
    fields = {change.field for change in changes}
    effect = Effect.RELOAD if fields & RELOADED else Effect.NOTHING
    if fields & RESTARTED:
        effect = Effect.RESTART
    return Step(bot=new.name, effect=effect, changes=tuple(changes))


def _is_said(bot: Bot, name: str) -> bool:
    return name in bot.model_fields_set


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or "none"
    return "none" if value is None else str(value)
