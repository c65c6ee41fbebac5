"""What is different between the fleet that runs and a fleet file, and what has to be done for it.

    nothing    the supervisor itself goes by the new value from now on
    reload     the bot reads its configuration again; its trades are not touched
    restart    the bot is stopped and started; open trades are taken up again
    start      a bot that is new
    stop       a bot that the file no longer names; its trades stay open in its database

The schedule, the fleet's own guards and keys that may only read are nobody's: the step of the fleet
itself. What changes the fleet as a whole (its name, venue, margin mode, accounts of a simulator, containers)
needs a fleet that is taken down, and is refused here. Pure. Called by `renewal`.
"""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from automation.core.config import Account, Bot, Fleet, ScheduledCommand, Venue
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
    """What a changed fleet file means for one bot, or for the fleet itself."""

    model_config = ConfigDict(frozen=True)

    bot: str
    """"" for the fleet itself."""
    effect: Effect
    changes: tuple[FieldChange, ...] = ()
    open_trades: int = 0
    """Known to be open now, where the step stops the bot or restarts it."""

    @property
    def who(self) -> str:
        """Name whom the step is about."""
        return self.bot or "the fleet"

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
        return tuple(f"{self.who}: {c.field} from {c.old} to {c.new}{done}" for c in self.changes)


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
        _of_fleet(was, now),
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


def _of_fleet(was: Fleet, now: Fleet) -> Step | None:
    pairs = {
        "guards": (_said_of(was.guards), _said_of(now.guards)),
        "exchange.accounts": (_read_keys(was), _read_keys(now)),
    }
    olds = {entry.name: entry for entry in was.schedule}
    news = {entry.name: entry for entry in now.schedule}
    for name in dict.fromkeys((*olds, *news)):
        pairs[f"schedule.{name}"] = (_said_of(olds.get(name)), _said_of(news.get(name)))
    changes = tuple(
        FieldChange(field=field, old=old, new=new)
        for field, (old, new) in pairs.items()
        if old != new
    )
    return Step(bot="", effect=Effect.NOTHING, changes=changes) if changes else None


def _said_of(model: BaseModel | None) -> str:
    """Tell what a part of the file says beside its defaults, on one line; the name goes before it."""
    if model is None:
        return "none"
    said = model.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    if isinstance(model, ScheduledCommand):
        said["command"] = shlex.join(model.command)
    return ", ".join(f"{field} {value}" for field, value in said.items()) or "none"


def _read_keys(fleet: Fleet) -> str:
    names = [name for name, account in fleet.exchange.accounts.items() if account.read_key]
    references = [fleet.exchange.accounts[name].read_key for name in names]
    told = [f"{name} is read with {key}" for name, key in zip(names, references, strict=True)]
    return ", ".join(told) or "none"


def _trading(account: Account | None) -> Account | None:
    """Take an account as its bots see it: they never get the keys that may only read."""
    bare = {"read_key": None, "read_secret": None}
    return None if account is None else account.model_copy(update=bare)


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
        _trading(was.exchange.accounts.get(old.account or "")),
        _trading(now.exchange.accounts.get(new.account or "")),
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
