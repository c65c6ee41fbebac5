"""Observes one unit through its own API: little often, the heavy parts seldom.

Each `look` asks for state, loop and open trades, and one pair's last candle in turn; profit,
balance, whitelist and closed trades are asked for when they are due. Decides which answers become
facts; refuses to judge them (`assess`). One probe for one process: a restarted bot gets a new one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from automation.core.clock import Clock
from automation.core.errors import PermanentError, TransientError
from automation.core.model import ApiFacts
from automation.core.seams import BotApi
from automation.core.vitals import NO_VITALS
from automation.fleet.botapi import LoginRefused
from automation.fleet.discrepancies import Holdings, positions_in
from automation.fleet.ladder import answers
from automation.fleet.timing import Timing


@dataclass(frozen=True, slots=True)
class Trades:
    """What one look saw of a bot's trades."""

    opened: Sequence[dict[str, Any]] = ()
    closed: Sequence[dict[str, Any]] | None = None  # None: not asked this time
    closed_total: int = 0


class Pinged(Protocol):
    """Anything that answers a ping."""

    async def ping(self) -> None:
        """Return when it answers."""
        ...


class SimulatorProbe:
    """Observes the simulator."""

    def __init__(self, api: Pinged, clock: Clock, is_ready: Callable[[], bool]) -> None:
        """Ask through `api`; it counts as up only when `is_ready`."""
        self._api, self._clock, self._is_ready = api, clock, is_ready
        self.facts = ApiFacts()

    async def look(self) -> ApiFacts:
        """Ping once."""
        try:
            await self._api.ping()
        except (TransientError, PermanentError) as error:
            self.facts = failed(self.facts, str(error), self._clock.monotonic())
        else:
            if self._is_ready():
                self.facts = answered(self.facts, self._clock.monotonic())
        return self.facts


class BotProbe:
    """Observes one bot."""

    def __init__(self, api: BotApi, clock: Clock, timing: Timing) -> None:
        """Ask through `api`."""
        self._api, self._clock, self._timing = api, clock, timing
        self._details_due_s = 0.0
        self._candles: dict[str, float] = {}  # pair to the close of its last candle
        self._turn = 0
        self.facts = ApiFacts()
        self.trades = Trades()
        self.vitals = NO_VITALS
        self.capital_usdt: float | None = None  # what the bot began with
        self.stops_on_exchange = False
        self.held: Holdings | None = None  # None where the account was not told

    async def look(self) -> ApiFacts:
        """Ask the bot once; a failure becomes a fact as well."""
        try:
            self.facts = answered(await self._ask(), self._clock.monotonic())
        except LoginRefused as error:
            now_s = self._clock.monotonic()
            self.facts = replace(failed(self.facts, str(error), now_s), is_refused=True)
        except (TransientError, PermanentError) as error:
            self.facts = failed(self.facts, str(error), self._clock.monotonic())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"it answers as no Freqtrade does ({type(error).__name__}: {error})"
            self.facts = failed(self.facts, problem, self._clock.monotonic())
        return self.facts

    def hurry(self) -> None:
        """Have the heavy parts asked for at the next look."""
        self._details_due_s = 0.0

    async def older_trades(self, offset: int) -> Trades:
        """Read the closed trades before the newest `offset`; errors as `BotApi.get`."""
        page = await self._api.get("trades", limit=500, offset=offset, order_by_id="false")
        return Trades((), page["trades"], int(page["total_trades"]))

    async def _ask(self) -> ApiFacts:
        facts = self.facts
        if facts.answered_s is None:
            await self._api.ping()  # needs no login, so a refused login can be told from silence
        config = await self._api.get("show_config")
        facts = replace(
            facts,
            trader=str(config.get("state", "")),
            version=str(config.get("version", "")),
            timeframe_s=int(config["timeframe_ms"]) // 1000,
        )
        self.stops_on_exchange = bool(config.get("stoploss_on_exchange"))
        self.vitals = answers.with_config(self.vitals, config)
        health = await self._api.get("health")
        facts = replace(facts, looped_epoch_s=health.get("last_process_ts"))
        if facts.looped_epoch_s is None:
            return facts  # its database and wallets may not be ready yet
        opened = await self._api.get("status")
        self._notice_trades(opened)
        facts = replace(facts, open_trades=len(opened))
        if self._clock.monotonic() >= self._details_due_s:
            facts = await self._details(facts)
        return await self._candle(facts, str(config["timeframe"]))

    def _notice_trades(self, opened: list[dict[str, Any]]) -> None:
        known = {trade["trade_id"] for trade in self.trades.opened}
        seen = {trade["trade_id"] for trade in opened}
        if known - seen:
            self._details_due_s = 0.0  # something was closed: look at once, and far back
        self.trades = Trades(opened, None, self.trades.closed_total)
        self.vitals = answers.with_trades(self.vitals, opened, self._clock.monotonic())

    async def _details(self, facts: ApiFacts) -> ApiFacts:
        whitelist = await self._api.get("whitelist")
        profit = await self._api.get("profit")
        balance = await self._api.get("balance")
        # The latest closed first. The first look has to catch up on what happened unwatched.
        limit = 500 if self._details_due_s == 0.0 else 50
        page = await self._api.get("trades", limit=limit, order_by_id="false")
        self.trades = Trades(self.trades.opened, page["trades"], int(page["total_trades"]))
        capital = balance.get("starting_capital")
        self.capital_usdt = None if capital is None else float(capital)
        now_s, positions = self._clock.monotonic(), positions_in(balance)
        self.held = None if positions is None else Holdings(positions, self.trades.opened, now_s)
        self._details_due_s = now_s + self._timing.detail_s
        return replace(
            facts,
            pairs=tuple(whitelist["whitelist"]),
            profit_usdt=float(profit["profit_all_coin"]),
            closed_trades=int(profit["closed_trade_count"]),
            balance_usdt=float(balance["total"]),
        )

    async def _candle(self, facts: ApiFacts, timeframe: str) -> ApiFacts:
        if not facts.pairs:
            return facts
        pair = facts.pairs[self._turn % len(facts.pairs)]
        self._turn += 1
        answer = await self._api.get("pair_candles", pair=pair, timeframe=timeframe, limit=1)
        self.vitals = answers.with_candle(self.vitals, pair, answer, facts.pairs, facts.timeframe_s)
        if answer.get("length"):
            opened_ms = answer["data"][-1][answer["columns"].index("__date_ts")]
            self._candles[pair] = opened_ms / 1000 + facts.timeframe_s
        self._candles = {p: c for p, c in self._candles.items() if p in facts.pairs}
        if not self._candles:
            return facts
        oldest = min(self._candles, key=self._candles.__getitem__)
        return replace(facts, candle_pair=oldest, candle_closed_epoch_s=self._candles[oldest])


def answered(facts: ApiFacts, now_s: float) -> ApiFacts:
    """Note a good answer."""
    return replace(facts, answered_s=now_s, failing_since_s=None, problem="", is_refused=False)


def failed(facts: ApiFacts, problem: str, now_s: float) -> ApiFacts:
    """Note a failure; the facts of before still stand."""
    since_s = facts.failing_since_s if facts.failing_since_s is not None else now_s
    return replace(facts, failing_since_s=since_s, problem=problem, is_refused=False)
