"""What an operator asks of one bot by hand: which of it is possible now, and what it changes.

Start and stop are lasting wishes, restart and reload are done once, pause and resume are both.
The loop does the work; here the wish is noted and the outcome waited for. Called by `control`.
"""

import asyncio
from collections.abc import Callable

from automation.core.errors import PermanentError, Refusal
from automation.core.model import RemedyMemory, Request, Wish
from automation.fleet import custody, kinds
from automation.fleet.chronicle import Chronicle, Posted
from automation.fleet.control import LONGEST_WAIT_S
from automation.fleet.home import Home
from automation.fleet.lifecycle.changes import Changes
from automation.fleet.memory import pardoned
from automation.fleet.unit import Unit

ACTIONS = ("start", "stop", "restart", "pause", "resume", "drain", "reload", "reload-now")
_RELOADS = ("reload", "reload-now")


_LATER = {
    "pause": (Wish.PAUSE, Request.PAUSE, "it will start paused"),
    "drain": (Wish.DRAIN, Request.DRAIN, "it will start paused, and stop once no trade is open"),
    "resume": (Wish.RUN, Request.RESUME, "it will trade when it starts"),
}


class Operator:
    """Takes what operators ask, for the loop to do."""

    def __init__(  # noqa: PLR0917  the supervisor's own parts
        self,
        units: dict[str, Unit],
        chronicle: Chronicle,
        wake: Callable[[], None],
        save: Callable[[], None],
        home: Home,
        changes: Changes | None = None,
    ) -> None:
        """Work on the supervisor's own units; without `changes` nothing is rehearsed."""
        self._changes = changes
        self._units, self._chronicle, self._wake, self._save = units, chronicle, wake, save
        self._home = home

    async def ask(self, bot: str, action: str, actor: str) -> str | Refusal:
        """Do an action and tell what came of it; a Refusal when it is impossible now."""
        unit = self._units.get(bot)
        if unit is None or unit.bot is None:
            known = ", ".join(name for name, u in self._units.items() if u.bot is not None)
            return Refusal(f"there is no bot {bot}; this fleet has {known}")
        if action not in ACTIONS:
            return Refusal(f"a bot cannot be asked to {action}; it can {', '.join(ACTIONS)}")
        refusal = _impossible(unit, action)
        if refusal is not None:
            return refusal
        wish, request, said = _meaning(unit, action)
        cause = self._note(unit, wish, action, actor)
        if request is Request.RELOAD and self._changes is not None:
            at_once = action == "reload-now"
            brought = await self._changes.bring(unit, at_once=at_once, cause=cause)
            if not isinstance(brought, Request):
                return brought
            request = brought
        unit.request = request
        if action in ("start", "restart"):
            unit.memory, unit.blocked = pardoned(unit.memory), ""
            unit.remedy = RemedyMemory()
            custody.pardon(self._home, self._chronicle, unit, actor or "operator")
        if action == "resume":
            unit.remedy = RemedyMemory()
            who = actor or "operator"
            custody.lift(self._home, self._chronicle, unit, "it was resumed", who)
        waiting = self._outcome(unit) if request is not None or _must_stop(unit, wish) else None
        self._wake()
        return said if waiting is None else await _wait_for(waiting, bot)

    def _note(self, unit: Unit, wish: Wish, action: str, actor: str) -> Posted:
        unit.wish = wish
        self._save()
        facts = kinds.Wished(wish=wish, asked=action)
        return self._chronicle.tell("bot.wished", facts, bot=unit.name, actor=actor or "operator")

    def _outcome(self, unit: Unit) -> "asyncio.Future[str]":
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        unit.answers.append(waiting)
        return waiting


def _impossible(unit: Unit, action: str) -> Refusal | None:
    name, lives = unit.name, unit.process.is_alive
    if unit.request is not None:
        return Refusal(f"{name} is still busy with a {unit.request}; ask again in a moment")
    if action == "start" and unit.wish is not Wish.STOP and lives:
        return Refusal(f"{name} runs already")
    if action == "stop" and unit.wish is Wish.STOP and not lives:
        return Refusal(f"{name} is stopped already")
    if action in ("restart", "pause", "resume", "drain", *_RELOADS) and unit.wish is Wish.STOP:
        return Refusal(f"{name} is stopped; start it first with freqfleet bot start {name}")
    if action in _RELOADS and not lives:
        return Refusal(f"{name} does not run now; it reads its configuration when it starts")
    return None


def _meaning(unit: Unit, action: str) -> tuple[Wish, Request | None, str]:
    """Tell the wish and the request that an action stands for, and what to say if none is left."""
    name, lives = unit.name, unit.process.is_alive
    if action == "start":
        return Wish.RUN, None, f"{name} starts"
    if action == "stop":
        return Wish.STOP, None, f"{name} is stopped"
    if action == "restart":
        return unit.wish, Request.RESTART if lives else None, f"{name} starts"
    if action in _LATER:
        wish, request, later = _LATER[action]
        return wish, request if lives else None, f"{name} does not run now; {later}"
    return unit.wish, Request.RELOAD, ""


def _must_stop(unit: Unit, wish: Wish) -> bool:
    return wish is Wish.STOP and unit.process.is_alive


async def _wait_for(waiting: "asyncio.Future[str]", bot: str) -> str:
    try:
        said = await asyncio.wait_for(waiting, LONGEST_WAIT_S)
    except TimeoutError:
        return f"{bot} has not done it yet; freqfleet status shows when it has"
    if said.startswith("error: "):
        raise PermanentError(said.removeprefix("error: "), where=bot)
    return said
