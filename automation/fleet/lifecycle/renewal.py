"""Applies a changed fleet file to the fleet that runs: all of it, or nothing.

What is wrong with the file, a live bot that nobody confirmed, and a strategy that fails its
rehearsal refuse the whole of it before anything is touched; so does a step that a person has to
agree to and did not. Then the fleet is the new one, and the loop does the rest. Refuses to know how
anything is done to a bot. Called by the supervisor for `control`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from automation.core.config import Fleet
from automation.core.errors import ConfigError
from automation.core.model import Request, Wish
from automation.fleet import crew
from automation.fleet.chronicle import Chronicle
from automation.fleet.control import Answer
from automation.fleet.home import Home
from automation.fleet.lifecycle import events
from automation.fleet.lifecycle.changes import Changes
from automation.fleet.lifecycle.difference import Effect, Proposal, Step, compare
from automation.fleet.live import refuse_unconfirmed
from automation.fleet.memory import read_wishes
from automation.fleet.preflight import refuse_faults
from automation.fleet.schedule.planning import refuse_wrong_times
from automation.fleet.site import Site
from automation.fleet.unit import Unit


@dataclass(slots=True)
class Renewal:
    """What applying needs; one for one supervisor."""

    units: dict[str, Unit]
    home: Home
    chronicle: Chronicle
    changes: Changes
    site: Callable[[], Site]
    replace: Callable[[Fleet, str], None]  # the supervisor's fleet, and who asked
    save: Callable[[], None]

    def answers(self) -> dict[str, Answer]:
        """Give what `control` is asked."""
        return {"propose": self.propose, "apply": self.apply}

    async def propose(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Tell what a fleet file would change; nothing is touched."""
        return {"steps": [step.model_dump(mode="json") for step in self._proposal(asked).steps]}

    async def apply(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a fleet file; `agreed` says that a person agreed to what must be asked."""
        proposal = self._proposal(asked)
        if proposal.questions and not asked.get("agreed"):
            names = ", ".join(step.bot for step in proposal.questions)
            raise ConfigError(f"{names} would be stopped with open trades", cure="add --yes")
        await self._rehearse(proposal)
        proposal = self._proposal(asked)  # trades may have been opened meanwhile
        if proposal.questions and not asked.get("agreed"):
            names = ", ".join(step.bot for step in proposal.questions)
            raise ConfigError(f"{names} opened trades meanwhile", cure="add --yes")
        actor = str(asked.get("actor") or "operator")
        sentences = tuple(text for step in proposal.steps for text in step.sentences())
        if not sentences:
            return {"said": "the fleet runs as the file says already", "changes": []}
        self.chronicle.tell("fleet.applied", events.Applied(changes=sentences), actor=actor)
        self.replace(proposal.fleet, actor)
        for step in proposal.steps:
            self._take(step, proposal.fleet)
        self.save()
        return {"said": f"{len(sentences)} changes are applied", "changes": list(sentences)}

    def _proposal(self, asked: Mapping[str, Any]) -> Proposal:
        try:
            fleet = Fleet.model_validate(asked["fleet"])
        except (KeyError, ValidationError) as error:
            raise ConfigError(f"that is no fleet: {error}", where="fleet file") from None
        now = self.site()
        trades = {n: u.api.open_trades for n, u in self.units.items() if u.process.is_alive}
        proposal = compare(now.fleet, fleet, trades)
        refuse_faults(replace(now, fleet=proposal.fleet))
        refuse_unconfirmed(proposal.fleet, self.home)
        refuse_wrong_times(proposal.fleet)
        return proposal

    async def _rehearse(self, proposal: Proposal) -> None:
        for step in proposal.steps:
            bot = proposal.fleet.bot(step.bot)
            if bot is None or not step.needs_rehearsal:
                continue
            refusal = await self.changes.rehearse(bot)
            if refusal is not None:
                reason = f"{step.bot} would not fly, so nothing was applied: {refusal.reason}"
                raise ConfigError(reason, where="fleet file")

    def _take(self, step: Step, fleet: Fleet) -> None:
        if not step.bot:
            return  # the fleet itself: whoever goes by it was told
        bot = fleet.bot(step.bot)
        if bot is None:
            self.units[step.bot].bot = None  # the loop stops what nobody names
            return
        unit = self.units.get(step.bot)
        if unit is None:
            self.units[step.bot] = crew.new_unit(fleet, self.home, bot, self.units)
            return
        if step.effect is Effect.START:  # it was named before, and may still be on its way down
            unit.wish = read_wishes(self.home, fleet)[bot.name]
        unit.bot = bot
        lives = unit.process.is_alive and unit.wish is not Wish.STOP
        if lives and step.effect is Effect.RELOAD:
            unit.request = Request.RELOAD
        elif lives and step.effect is Effect.RESTART:
            unit.request = Request.RESTART
