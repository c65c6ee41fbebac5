"""Asks the exchange itself which stops stand, where an account has a key that may only read.

Only for live bots that keep stops there and have trades open, and only while the exchange is well
and this address is far from its limit: a look costs 1 of its 2400 a minute for each symbol, or 40
for all. A trade lacks its stop when conditional orders that only reduce its position, on the other
side of it, do not cover its amount. Decides what was seen; refuses to judge it (`ladder.account`).
Run by `lookout`.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from automation.core.config import Account, Fleet, Mode
from automation.core.errors import ConfigError, DependencyError
from automation.core.masking import register_secret
from automation.core.secrets import resolve
from automation.core.vitals import AtExchange, OpenTrade
from automation.fleet.botapi import read_whole
from automation.fleet.exchange import LARGEST_ANSWER_BYTES, ExchangeWatch
from automation.fleet.positions import symbol_of
from automation.fleet.probe import BotProbe
from automation.fleet.unit import Unit

PATH = "/fapi/v1/openAlgoOrders"
ALL_AT_ONCE = 20
"""From so many symbols on all are asked for in one request, of weight 40."""

STOPS = frozenset({"STOP", "STOP_MARKET", "TRAILING_STOP_MARKET"})
COVERED_FRAC = 0.99
"""A stop's amount is cut to the exchange's step, a trade's may carry what the fees left."""

Covers = Mapping[tuple[str, str], float]
"""Symbol and side of an order to the amount that stops of that side would close."""


@dataclass(slots=True)
class Witness:
    """What the exchange says of the stops of a fleet's accounts."""

    units: Mapping[str, Unit]
    fleet: Callable[[], Fleet]
    exchange: ExchangeWatch
    market_now_s: Callable[[], float] | None = None
    """The exchange's time where it is not the clock's; requests are signed with it."""
    _lacking: dict[tuple[str, int], int] = field(default_factory=dict)

    async def look(self) -> None:
        """Ask once for every account that has something to ask for."""
        for name, account in self.fleet().exchange.accounts.items():
            if account.read_key is None or account.read_secret is None:
                continue
            guarded = [unit for unit in self.units.values() if _is_guarded(unit, name)]
            if not guarded:
                continue
            found = await self._ask(name, account, guarded)
            for unit in guarded:
                self._note(unit, found)

    async def _ask(self, name: str, account: Account, units: Iterable[Unit]) -> Covers | str:
        """Read the open stops of an account; a sentence where that was not possible."""
        if self.exchange.trouble:
            return self.exchange.trouble
        if self.exchange.is_strained:
            return "this address is near its request limit"
        symbols = sorted({symbol_of(t.pair) for u in units for t in _trades(u)})
        where = f"exchange.accounts.{name}"
        try:
            key = resolve(str(account.read_key), where=f"{where}.read_key").reveal()
            secret = resolve(str(account.read_secret), where=f"{where}.read_secret").reveal()
        except (ConfigError, DependencyError) as error:
            return str(error)
        register_secret(key)
        register_secret(secret)
        rows: list[Any] = []
        for query in [{}] if len(symbols) >= ALL_AT_ONCE else [{"symbol": s} for s in symbols]:
            answer = await self._get(key, secret, query)
            if isinstance(answer, str):
                return answer
            rows += answer
        try:
            return _covers(rows)
        except (KeyError, TypeError, ValueError) as error:
            return f"it answers as no Binance does ({type(error).__name__}: {error})"

    async def _get(self, key: str, secret: str, query: Mapping[str, str]) -> list[Any] | str:
        now_s = (self.market_now_s or self.exchange.clock.now().timestamp)()
        text = urlencode({**query, "recvWindow": 5000, "timestamp": int(now_s * 1000)})
        signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        address = f"{self.exchange.address()}{PATH}?{text}&signature={signature}"
        timeout = aiohttp.ClientTimeout(total=self.exchange.timeout_s)
        try:
            async with self.exchange.session.get(
                address, headers={"X-MBX-APIKEY": key}, timeout=timeout
            ) as answer:
                content = await read_whole(answer, LARGEST_ANSWER_BYTES)
        except TimeoutError:
            return "no answer in time"
        except (aiohttp.ClientError, ValueError):
            return "no connection"
        self.exchange.heard(answer.status, answer.headers, content)
        return _read(answer.status, content)

    def _note(self, unit: Unit, found: Covers | str) -> None:
        probe = unit.probe
        if not isinstance(probe, BotProbe):
            return  # it ended meanwhile
        asked_s = self.exchange.clock.monotonic()
        if isinstance(found, str):
            before = probe.vitals.at_exchange or AtExchange(asked_s)
            probe.vitals = replace(probe.vitals, at_exchange=replace(before, problem=found))
            return
        bare = {t.trade_id for t in _trades(unit) if not _is_covered(t, found)}
        self._lacking = {
            (bot, trade): looks
            for (bot, trade), looks in self._lacking.items()
            if bot != unit.name or trade in bare
        }
        for trade in bare:
            place = (unit.name, trade)
            self._lacking[place] = self._lacking.get(place, 0) + 1
        lacking = tuple(sorted((trade, self._lacking[unit.name, trade]) for trade in bare))
        seen = AtExchange(asked_s, lacking=lacking)
        probe.vitals = replace(probe.vitals, at_exchange=seen)


def _is_guarded(unit: Unit, account: str) -> bool:
    bot, probe = unit.bot, unit.probe
    if bot is None or bot.mode is not Mode.LIVE or bot.account != account:
        return False
    return isinstance(probe, BotProbe) and probe.vitals.needs_stops and bool(_trades(unit))


def _trades(unit: Unit) -> tuple[OpenTrade, ...]:
    probe = unit.probe
    trades = probe.vitals.trades if isinstance(probe, BotProbe) else ()
    return tuple(t for t in trades if t.amount and t.filled_epoch_s is not None)


def _is_covered(trade: OpenTrade, covers: Covers) -> bool:
    side = "BUY" if trade.is_short else "SELL"
    return covers.get((symbol_of(trade.pair), side), 0.0) >= COVERED_FRAC * trade.amount


def _covers(rows: Iterable[Mapping[str, Any]]) -> Covers:
    covers: dict[tuple[str, str], float] = {}
    for row in rows:
        closes_all = str(row.get("closePosition", False)).lower() == "true"
        only_reduces = closes_all or str(row.get("reduceOnly", False)).lower() == "true"
        if row["orderType"] not in STOPS or not only_reduces:
            continue
        place = (str(row["symbol"]), str(row["side"]))
        amount = float("inf") if closes_all else float(row["quantity"])
        covers[place] = covers.get(place, 0.0) + amount
    return covers


def _read(status: int, content: bytes) -> list[Any] | str:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if status == 200 and isinstance(answer, list):
        return answer
    said = str(answer.get("msg", "")) if isinstance(answer, dict) else ""
    if status in (401, 403):
        return f"it refuses the read-only key: {said or status}"
    return f"it answered {status}{f': {said}' if said else ''}"
