"""Panic: no new entries, no open orders, and if asked no positions, on every bot at once.

Decides the order on each bot: entries first, so that nothing new comes while the rest goes; then
open orders, then positions at market. One bot that does not answer holds up no other, and every
bot's outcome is told. Stops that lie on the exchange stay, unless the position goes as well.
Works with and without a supervisor; one that runs is asked to pause, so that the wish lasts.
Called by commands through `app`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.core.errors import FreqfleetError
from automation.fleet.botapi import HttpBotApi, close_session, open_session
from automation.fleet.control import ask_supervisor
from automation.fleet.credentials import read_access
from automation.fleet.home import Home
from automation.fleet.lock import Holder, find_supervisor
from automation.fleet.orders import STOP_SIDE
from automation.fleet.process import living
from automation.journal import Facts, Journal, define

REQUEST_S = 15.0
SUPERVISOR_S = 10.0
"""The wish to pause is noted at once; what comes later is its doing, which nobody waits for."""


class FleetPanic(Facts):
    """Somebody stopped everything."""

    bots: int
    flatten: bool


class BotPanic(Facts):
    """What panic came to on one bot."""

    entries_stopped: bool
    orders_cancelled: int
    exits_asked: int
    error: str = ""


define("fleet.panic", FleetPanic, "{actor} stopped everything on {bots} bots", topics=["stop"])
define(
    "bot.panic",
    BotPanic,
    lambda event, done: f"{event.bot}: {_sentence(done)}",
    topics=["stop"],
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What panic came to on one bot."""

    bot: str
    facts: BotPanic

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked was done."""
        return not self.facts.error

    @property
    def sentence(self) -> str:
        """The outcome, told."""
        return f"{self.bot}: {_sentence(self.facts)}"


async def panic(
    home: Path, journal: Journal, *, actor: str, flatten: bool = False, address: str = ""
) -> list[Outcome]:
    """Stop entries, cancel open orders and, with `flatten`, close positions; one outcome a bot."""
    folder = Home(home)
    bots = [bot for bot in folder.known_bots() if living(folder.unit(bot)) is not None]
    down = [bot for bot in folder.known_bots() if bot not in bots]
    asked = FleetPanic(bots=len(bots), flatten=flatten)
    cause = journal.post(
        "fleet.panic", actor=actor, source="fleet", payload=asked, address=address
    )  # posted: a full disk must not keep anybody from stopping
    holder, session = find_supervisor(folder), open_session()
    try:
        stops = [_stop(folder, bot, holder, session, actor, flatten=flatten) for bot in bots]
        outcomes = await asyncio.gather(*stops)
        await _hold_down(down, holder, actor)
    finally:
        await close_session(session)
    for one in outcomes:
        journal.post(
            "bot.panic", actor=actor, source="fleet", bot=one.bot, payload=one.facts, cause=cause
        )
    return list(outcomes)


async def _hold_down(bots: Sequence[str], holder: Holder | None, actor: str) -> None:
    """Have bots that do not run come up paused; one that is stopped for good refuses, as it may."""
    if holder is None:
        return
    for bot in bots:
        with suppress(FreqfleetError):
            asked = {"do": "pause", "bot": bot, "actor": actor}
            await asyncio.to_thread(ask_supervisor, holder, asked, SUPERVISOR_S)


async def _stop(
    home: Home, bot: str, holder: Holder | None, session: Any, actor: str, *, flatten: bool
) -> Outcome:
    access = read_access(home.unit(bot))
    if access is None:
        return Outcome(bot, _nothing("its login is not known"))
    api = HttpBotApi(session, access, REQUEST_S)
    errors: list[str] = []
    stopped = await _stop_entries(api, bot, holder, actor, errors)
    cancelled = exits = 0
    try:
        cancelled = await _cancel_orders(api, errors)
        exits = await _flatten(api, errors) if flatten else 0
    except FreqfleetError as error:
        errors.append(str(error))
    facts = BotPanic(
        entries_stopped=stopped,
        orders_cancelled=cancelled,
        exits_asked=exits,
        error="; ".join(errors)[:400],
    )
    return Outcome(bot, facts)


async def _stop_entries(
    api: HttpBotApi, bot: str, holder: Holder | None, actor: str, errors: list[str]
) -> bool:
    is_paused = False
    try:
        await api.post("stopentry")  # the bot itself first: a supervisor may be busy
        is_paused = True
    except FreqfleetError as error:
        errors.append(str(error))
    if holder is not None:
        try:
            asked = {"do": "pause", "bot": bot, "actor": actor}
            await asyncio.to_thread(ask_supervisor, holder, asked, SUPERVISOR_S)
        except FreqfleetError as error:
            errors.append(str(error))
    return is_paused or (await _state(api)) == "paused"


async def _state(api: HttpBotApi) -> str:
    try:
        return str((await api.get("show_config")).get("state", ""))
    except FreqfleetError:
        return ""


async def _cancel_orders(api: HttpBotApi, errors: list[str]) -> int:
    done = 0
    for trade in await api.get("status"):
        if not _has_open_order(trade):
            continue
        try:
            await api.delete(f"trades/{int(trade['trade_id'])}/open-order")
            done += 1
        except FreqfleetError as error:
            errors.append(f"order for {trade['pair']}: {error}")
    return done


async def _flatten(api: HttpBotApi, errors: list[str]) -> int:
    done = 0
    for trade in await api.get("status"):
        try:
            order = {"tradeid": str(trade["trade_id"]), "ordertype": "market"}
            await api.post("forceexit", order)
            done += 1
        except FreqfleetError as error:
            errors.append(f"exit of {trade['pair']}: {error}")
    return done


def _has_open_order(trade: dict[str, Any]) -> bool:
    orders: Sequence[dict[str, Any]] = trade.get("orders") or ()
    return any(order.get("is_open") and order.get("ft_order_side") != STOP_SIDE for order in orders)


def _nothing(error: str) -> BotPanic:
    return BotPanic(entries_stopped=False, orders_cancelled=0, exits_asked=0, error=error)


def _sentence(done: BotPanic) -> str:
    entries = "no more entries" if done.entries_stopped else "ENTRIES NOT STOPPED"
    parts = [entries, f"{done.orders_cancelled} orders cancelled"]
    if done.exits_asked:
        parts.append(f"{done.exits_asked} positions are being closed")
    if done.error:
        parts.append(f"failed: {done.error}")
    return ", ".join(parts)
