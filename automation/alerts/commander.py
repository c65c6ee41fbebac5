"""Listens to the fleet's own Telegram bot: commands, confirmations, acknowledgements.

Decides who may ask (chats and people on the list, by role), that a command is written down before
it is done and done at most once, and what needs a second yes. What is done, `FleetDesk` does; it is
handed in by `app`. Nobody outside of the list gets an answer.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from automation.alerts import desk
from automation.alerts.channel_settings import Commands, Role
from automation.alerts.channels.http import Refused
from automation.alerts.channels.telegram import TelegramApi
from automation.alerts.chat import (
    ACTIONS,
    EVERYBODY,
    FLATTEN,
    HELP,
    NEEDED,
    OLD_AFTER_S,
    bounded,
    question_of,
    read_update,
    role_of,
    tell_bot,
    tell_fleet,
    tell_portfolio,
)
from automation.alerts.chat import Asked as Order
from automation.alerts.kinds import Answered, Asked
from automation.core.clock import Clock, SystemClock
from automation.core.errors import DependencyError, FreqfleetError, Refusal, TransientError
from automation.core.model import FleetStatus
from automation.journal import Journal, Query

SOURCE = "telegram"
POLL_S = 25.0
_log = structlog.get_logger("telegram")


class FleetDesk(Protocol):
    """What commands can ask of the fleet."""

    async def status(self) -> FleetStatus:
        """Tell how the fleet is; DependencyError when no supervisor answers."""
        ...

    async def ask(self, bot: str, action: str, actor: str) -> str | Refusal:
        """Do `start`, `stop`, `pause` or `resume` to a bot; the answer is a sentence."""
        ...

    async def panic(self, actor: str, *, flatten: bool) -> str | Refusal:
        """Stop entries and cancel orders, with `flatten` close positions too; a line a bot."""
        ...


@dataclass(frozen=True, slots=True)
class _Question:
    """Something that waits for a second yes."""

    order: Order
    until_s: float


class Commander:
    """Serves one Telegram bot."""

    def __init__(
        self,
        journal: Journal,
        commands: Commands,
        api: TelegramApi,
        fleet: FleetDesk,
        *,
        clock: Clock | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        """Listen with `api`, whose token nobody else may use."""
        self._journal, self._commands, self._api, self._fleet = journal, commands, api, fleet
        self._clock, self._poll_s = clock or SystemClock(), poll_s
        self._questions: dict[str, _Question] = {}
        self._refused: set[tuple[int, int]] = set()
        self._offset = 0
        self._answers: dict[str, Callable[[Order], Awaitable[str | Refusal]]] = {
            "help": self._help,
            "fleet": self._tell_fleet,
            "portfolio": self._portfolio,
            "bot": self._bot,
            "alerts": self._alerts,
            "ack": self._acknowledge,
        }

    async def run(self) -> None:
        """Serve until cancelled."""
        last = await asyncio.to_thread(self._journal.tail, 1, Query(kind="telegram.asked"))
        self._offset = int(last[0].payload["update"]) + 1 if last else 0
        while True:
            try:
                await self.poll()
            except DependencyError as error:
                _log.warning("Telegram does not answer", reason=str(error))
                await asyncio.sleep(_patience_s(error))

    async def poll(self) -> int:
        """Ask once for what people typed and serve it; how many updates that were."""
        updates = await self._api.call(
            "getUpdates",
            timeout_s=self._poll_s + 10.0,
            offset=self._offset,
            timeout=round(self._poll_s),
            allowed_updates=["message", "callback_query"],
        )
        for update in updates:
            self._offset = max(self._offset, int(update["update_id"]) + 1)
            order = read_update(update)
            if order is not None:
                await self._serve(order)
        return len(updates)

    async def _serve(self, order: Order) -> None:
        role = role_of(self._commands, order)
        if role is None:
            await self._refuse_stranger(order)
            return
        said = Asked(update=order.update, chat=order.chat, user=order.user, command=order.text)
        # Written down first: after a crash it is known that this was asked, and it is not done
        # a second time.
        asked = await self._journal.append_async(
            "telegram.asked", actor=order.actor, source=SOURCE, payload=said,
            address=f"telegram:{order.chat}",
        )  # fmt: skip
        outcome = await self._outcome(order, role)
        answer = outcome.reason if isinstance(outcome, Refusal) else outcome
        kind = "telegram.refused" if isinstance(outcome, Refusal) else "telegram.answered"
        self._journal.post(
            kind, actor=order.actor, source=SOURCE, cause=asked, address=f"telegram:{order.chat}",
            payload=Answered(command=order.text, outcome=answer[:300]),
        )  # fmt: skip
        await self._answer(order, answer)

    async def _outcome(self, order: Order, role: Role) -> str | Refusal:
        needed = {"ack": Role.OPERATOR, "yes": Role.OPERATOR, "no": Role.VIEWER, **NEEDED}
        if order.command not in needed:
            return Refusal(f"/{order.command} is no command; /help lists them")
        if order.command == "start" and not order.argument:
            return HELP  # what Telegram sends when somebody opens the bot
        if role.rank < needed[order.command].rank:
            return Refusal(f"your role here is {role}; this takes {needed[order.command]}")
        age_s = self._clock.now().timestamp() - order.at_s if order.at_s is not None else 0.0
        if age_s > OLD_AFTER_S and order.command in {*ACTIONS, "panic"}:
            return Refusal(
                f"this was asked {age_s / 60:.0f} minutes ago; ask again if it still holds"
            )
        try:
            return await self._do(order, role)
        except FreqfleetError as error:
            return Refusal(f"it did not work: {error}")

    async def _do(self, order: Order, role: Role) -> str | Refusal:
        if order.command in {"yes", "no"}:
            return await self._confirmed(order, role)
        answer = self._answers.get(order.command)
        if answer is not None:
            return await answer(order)
        if order.command == "panic" and order.argument not in {"", EVERYBODY, FLATTEN}:
            return Refusal("write /panic, or /panic flatten to close all positions as well")
        if order.command == "panic" or order.argument == EVERYBODY:
            return await self._question(order)
        return await self._act(order)

    async def _help(self, _order: Order) -> str:
        return HELP

    async def _tell_fleet(self, _order: Order) -> str:
        return tell_fleet(await self._fleet.status())

    async def _portfolio(self, _order: Order) -> str:
        return tell_portfolio(await self._fleet.status())

    async def _bot(self, order: Order) -> str | Refusal:
        status = await self._fleet.status()
        bot = next((one for one in status.bots if one.name == order.argument), None)
        if bot is None:
            names = ", ".join(one.name for one in status.bots)
            return Refusal(
                f"there is no bot {order.argument or 'without a name'}; there are {names}"
            )
        return tell_bot(bot)

    async def _alerts(self, _order: Order) -> str:
        rows = await asyncio.to_thread(desk.list_alerts, self._journal, clock=self._clock)
        lines = [
            f"{row.severity}: {row.rule} {row.bot} ({row.id[:8]})"
            + (f", {row.acked_by} takes care of it" if row.acked_by else "")
            for row in rows
        ]
        return bounded(lines or ["Nothing fires."])

    async def _acknowledge(self, order: Order) -> str | Refusal:
        target = order.argument or "nothing"
        ids = await asyncio.to_thread(
            desk.acknowledge, self._journal, target, by=order.actor,
            address=f"telegram:{order.chat}",
        )  # fmt: skip
        if isinstance(ids, Refusal):
            return ids
        await self._take_buttons_away(order)
        return f"{order.name or order.user} takes care of {len(ids)} alert{'s' if len(ids) > 1 else ''}."

    async def _question(self, order: Order) -> str:
        within = self._commands.confirms_within.total_seconds()
        nonce = secrets.token_hex(8)
        now_s = self._clock.monotonic()
        self._questions = {k: q for k, q in self._questions.items() if q.until_s > now_s}
        self._questions[nonce] = _Question(order, now_s + within)
        buttons = [
            {"text": f"Yes, {order.command}", "callback_data": f"yes:{nonce}"},
            {"text": "No", "callback_data": f"no:{nonce}"},
        ]
        question = question_of(order)
        await self._api.call(
            "sendMessage",
            chat_id=order.chat,
            text=f"{question} The question stays open for {within:.0f} s.",
            reply_markup={"inline_keyboard": [buttons]},
        )
        return ""

    async def _confirmed(self, order: Order, role: Role) -> str | Refusal:
        question = self._questions.get(order.argument)
        if question is None or question.until_s <= self._clock.monotonic():
            return Refusal("this question is no longer open; ask again")
        if (question.order.user, question.order.chat) != (order.user, order.chat):
            return Refusal("only who asked can answer this")
        del self._questions[order.argument]
        await self._take_buttons_away(order)
        if order.command == "no":
            return f"/{question.order.command} was called off."
        if role.rank < NEEDED[question.order.command].rank:
            return Refusal(f"your role here is {role} by now")
        return await self._act(question.order)

    async def _act(self, order: Order) -> str | Refusal:
        if order.command == "panic":
            return await self._fleet.panic(order.actor, flatten=order.argument == FLATTEN)
        assert order.command in ACTIONS
        if not order.argument:
            return Refusal(f"name a bot: /{order.command} NAME, or all")
        if order.argument != EVERYBODY:
            return await self._fleet.ask(order.argument, order.command, order.actor)
        status = await self._fleet.status()
        outcomes = [
            await self._fleet.ask(bot.name, order.command, order.actor) for bot in status.bots
        ]
        return bounded(
            [
                f"{bot.name}: {outcome.reason if isinstance(outcome, Refusal) else outcome}"
                for bot, outcome in zip(status.bots, outcomes, strict=True)
            ]
        )

    async def _answer(self, order: Order, answer: str) -> None:
        if order.query:
            await self._call(
                "answerCallbackQuery", callback_query_id=order.query, text=answer[:190]
            )
        if answer:
            await self._call("sendMessage", chat_id=order.chat, text=bounded(answer.splitlines()))

    async def _take_buttons_away(self, order: Order) -> None:
        if order.message:
            await self._call("editMessageReplyMarkup", chat_id=order.chat, message_id=order.message)

    async def _call(self, method: str, **body: Any) -> None:
        # The deed is done and journaled; an answer that does not get through changes nothing.
        try:
            await self._api.call(method, **body)
        except DependencyError as error:
            _log.warning("an answer did not get through", method=method, reason=str(error))

    async def _refuse_stranger(self, order: Order) -> None:
        """Say nothing, and write it down once, so that nobody can fill the journal."""
        who = (order.chat, order.user)
        if who in self._refused or len(self._refused) > 1000:
            return
        self._refused.add(who)
        self._journal.post(
            "telegram.refused",
            actor=order.actor,
            source=SOURCE,
            address=f"telegram:{order.chat}",
            payload=Answered(command=order.text, outcome="not on the list"),
        )


def _patience_s(error: DependencyError) -> float:
    if isinstance(error, Refused):
        # Somebody else polls with this token, or it is wrong: no hurry.
        return 30.0 if error.status == 409 else 300.0
    return max(2.0, error.retry_after_s) if isinstance(error, TransientError) else 30.0
