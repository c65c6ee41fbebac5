"""Watches the exchange itself: whether it answers, what it says of this address, funding rates.

Asks for all funding rates at once, every 20 s. The answer's header tells the request weight that
this address used, bots and all; a 418 is a ban, a 429 the last warning before it. An address that
may not ask at all (403, 451) is no news: its bots may go another way. Run by `lookout`.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from automation.core.clock import Clock
from automation.fleet import sightings
from automation.fleet.botapi import read_whole
from automation.fleet.chronicle import Chronicle
from automation.fleet.gauge import Gauge
from automation.fleet.weight import LIMIT_PER_MINUTE

BINANCE = "https://fapi.binance.com"
PATH = "/fapi/v1/premiumIndex"
WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
WEIGHT_BOUNDS = (0.7, 0.8)
WEIGHT_FOR_S = 90.0
"""The count begins anew each minute, so the highest of the last minute and a half counts."""
DOWN_AFTER = 2
LARGEST_ANSWER_BYTES = 5_000_000
NOT_FOR_US = frozenset({401, 403, 404, 451})


@dataclass(slots=True)
class ExchangeWatch:
    """What is known of the exchange."""

    chronicle: Chronicle
    session: aiohttp.ClientSession
    clock: Clock
    address: Callable[[], str]
    """Where the exchange is; "" while it is not to be asked."""
    gap_s: float = 60.0
    timeout_s: float = 10.0
    rates: Mapping[str, float] = field(default_factory=dict)
    """Symbol to what longs pay at the next funding, as a fraction of the notional."""
    _failures: int = 0
    _down_since_s: float | None = None
    _first_failed_s: float = 0.0
    _is_banned: bool = False
    _used: "deque[tuple[float, int]]" = field(default_factory=deque)
    _weight: Gauge = field(init=False)

    def __post_init__(self) -> None:
        """Start with nothing told."""
        self._weight = Gauge(0.1, WEIGHT_BOUNDS, self.gap_s)

    @property
    def trouble(self) -> str:
        """Tell what is wrong with the exchange as seen from here; "" for nothing."""
        if self._is_banned:
            return "it has banned this address"
        return "" if self._down_since_s is None else "it does not answer the supervisor"

    @property
    def is_strained(self) -> bool:
        """Whether this address is near its request limit, so that only what must be is asked."""
        most = max((used for _, used in self._used), default=0)
        return most >= WEIGHT_BOUNDS[0] * LIMIT_PER_MINUTE

    def heard(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Note what the exchange said of this address when something else was asked."""
        used = headers.get(WEIGHT_HEADER, "")
        if status == 418:
            self._banned(status, headers, content)
        elif status == 429:
            self._note_weight(LIMIT_PER_MINUTE)
        elif used.isdigit():
            self._note_weight(int(used))

    async def look(self) -> None:
        """Ask once and tell what changed."""
        url = self.address()
        if not url:
            return
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with self.session.get(url + PATH, timeout=timeout) as answer:
                content = await read_whole(answer, LARGEST_ANSWER_BYTES)
                self._take(answer.status, answer.headers, content)
        except (TimeoutError, aiohttp.ClientError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else "no connection"
            self._failed(reason)

    def _take(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        if status == 418:
            self._banned(status, headers, content)
        elif status == 429:
            self._note_weight(LIMIT_PER_MINUTE)
        elif status >= 500:
            self._failed(f"it answered {status}")
        elif status not in NOT_FOR_US:
            self._answered(headers, content)

    def _answered(self, headers: Mapping[str, str], content: bytes) -> None:
        now_s = self.clock.monotonic()
        since_s = self._down_since_s
        if since_s is not None or self._is_banned:
            down_s = now_s - (since_s if since_s is not None else self._first_failed_s)
            self.chronicle.tell("exchange.up", sightings.ExchangeUp(down_s=round(down_s, 3)))
        self._failures, self._down_since_s, self._is_banned = 0, None, False
        self.rates = _rates(content)
        used = headers.get(WEIGHT_HEADER, "")
        if used.isdigit():
            self._note_weight(int(used))

    def _failed(self, reason: str) -> None:
        if self._failures == 0:
            self._first_failed_s = self.clock.monotonic()
        self._failures += 1
        if self._failures >= DOWN_AFTER and self._down_since_s is None and not self._is_banned:
            self._down_since_s = self._first_failed_s
            self.chronicle.tell("exchange.down", sightings.ExchangeDown(reason=reason))

    def _banned(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        if self._is_banned:
            return
        self._is_banned, self._first_failed_s = True, self.clock.monotonic()
        wait = headers.get("Retry-After", "")
        facts = sightings.ExchangeBanned(
            status=status,
            retry_after_s=float(wait) if wait.isdigit() else 0.0,
            reason=_said(content) or f"it answered {status}",
        )
        self.chronicle.tell("exchange.banned", facts)

    def _note_weight(self, used: int) -> None:
        now_s = self.clock.monotonic()
        self._used.append((now_s, used))
        while now_s - self._used[0][0] > WEIGHT_FOR_S:
            self._used.popleft()
        most = max(one for _, one in self._used)
        frac = round(most / LIMIT_PER_MINUTE, 4)
        if self._weight.has_moved(frac, now_s):
            self._weight.tell(frac, now_s)
            facts = sightings.WeightObserved(used=most, limit=LIMIT_PER_MINUTE, used_frac=frac)
            self.chronicle.tell("exchange.weight", facts)


def _rates(content: bytes) -> dict[str, float]:
    rows = _parsed(content)
    rates: dict[str, float] = {}
    for row in rows if isinstance(rows, list) else []:
        try:
            rates[str(row["symbol"])] = float(row["lastFundingRate"])
        except (KeyError, TypeError, ValueError):
            continue  # a contract that is being delivered has none
    return rates


def _said(content: bytes) -> str:
    answer = _parsed(content)
    said = str(answer.get("msg", "")) if isinstance(answer, dict) else ""
    return " ".join(said.split())[:300]


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
