"""How much may be asked: request weight per address, orders per account, and bans.

Decides 429 and 418 with their waiting times, and what the headers tell. Refuses to know endpoints.
Called by `rest` (weight) and `desk` (orders). The numbers in exchangeInfo are Binance's; the limits
here are far above them unless a test or a scenario asks for Binance's own: all bots of a machine
come from one address.
"""

from dataclasses import dataclass
from typing import Self

from automation.simulator.parameters import RequestError
from automation.simulator.timeframes import DAY_MS, MINUTE_MS

_TEN_S_MS = 10_000
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one address and one account may do."""

    weight_per_minute: int = 100_000_000
    orders_per_10s: int = 10_000_000
    orders_per_minute: int = 50_000_000
    tries_before_ban: int = 10
    """Requests that go on above the limit until the address is banned."""
    first_ban_ms: int = 2 * MINUTE_MS
    longest_ban_ms: int = 3 * DAY_MS

    @classmethod
    def binance(cls) -> Self:
        """The limits that exchangeInfo names."""
        return cls(2400, 300, 1200)


@dataclass(eq=False)
class TooMuch(RequestError):
    """A refusal that says how long to wait."""

    retry_after_s: int = 0


class WeightLimit:
    """Weight used per address in the running minute, and who is banned until when."""

    def __init__(self, limits: Limits) -> None:
        """Nobody has asked for anything."""
        self._limits = limits
        self._minute = -1
        self._used: dict[str, int] = {}
        self._over: dict[str, int] = {}
        self._bans: dict[str, tuple[int, int]] = {}  # until when, and how long the ban was

    def check(self, address: str, now_ms: int) -> None:
        """Refuse an address that used up its minute (429) or is banned (418)."""
        if self._bans:
            self._check_ban(address, now_ms)
        self._turn(now_ms)
        if self._used.get(address, 0) < self._limits.weight_per_minute:
            return
        tries = self._over[address] = self._over.get(address, 0) + 1
        if tries > self._limits.tries_before_ban:
            self._ban(address, now_ms)
            self._check_ban(address, now_ms)
        most = self._limits.weight_per_minute
        raise TooMuch(
            -1003,
            f"Too many requests; current limit of IP({address}) is {most} requests per minute. "
            "Please use the websocket for live updates to avoid polling the API.",
            429,
            _seconds(MINUTE_MS - now_ms % MINUTE_MS),
        )

    def _check_ban(self, address: str, now_ms: int) -> None:
        until, _ = self._bans.get(address, (0, 0))
        if until > now_ms:
            raise TooMuch(
                -1003,
                f"Way too many requests; IP({address}) banned until {until}. "
                "Please use the websocket for live updates to avoid bans.",
                418,
                _seconds(until - now_ms),
            )

    def _ban(self, address: str, now_ms: int) -> None:
        """Ban an address, twice as long as the last time."""
        _, before = self._bans.get(address, (0, 0))
        length = min(2 * before or self._limits.first_ban_ms, self._limits.longest_ban_ms)
        self._bans[address] = now_ms + length, length
        self._over.pop(address, None)

    def add(self, address: str, weight: int, now_ms: int) -> int:
        """Add a request's weight; gives the address's total of this minute."""
        self._turn(now_ms)
        used = self._used[address] = self._used.get(address, 0) + weight
        return used

    def _turn(self, now_ms: int) -> None:
        minute = now_ms // MINUTE_MS
        if minute != self._minute or len(self._used) > _MOST_NAMES:
            self._minute = minute
            self._used.clear()
            self._over.clear()


class OrderLimit:
    """New orders per account in the running ten seconds and minute."""

    def __init__(self, limits: Limits) -> None:
        """Nobody has ordered anything."""
        self._limits = limits
        self._counts: dict[str, list[int]] = {}  # window, count, window, count

    def add(self, account: str, orders: int, now_ms: int) -> dict[str, str]:
        """Count new orders; gives the headers. -1015 (429) above a limit, and nothing is counted."""
        ten_s, minute = now_ms // _TEN_S_MS, now_ms // MINUTE_MS
        known = self._counts.setdefault(account, [ten_s, 0, minute, 0])
        if known[0] != ten_s:
            known[0], known[1] = ten_s, 0
        if known[2] != minute:
            known[2], known[3] = minute, 0
        if known[1] + orders > self._limits.orders_per_10s:
            _refuse(self._limits.orders_per_10s, "10 SECOND", _TEN_S_MS - now_ms % _TEN_S_MS)
        if known[3] + orders > self._limits.orders_per_minute:
            _refuse(self._limits.orders_per_minute, "1 MINUTE", MINUTE_MS - now_ms % MINUTE_MS)
        known[1] += orders
        known[3] += orders
        return {
            "X-MBX-ORDER-COUNT-10S": str(known[1]),
            "X-MBX-ORDER-COUNT-1M": str(known[3]),
        }


def _refuse(limit: int, span: str, left_ms: int) -> None:
    message = f"Too many new orders; current limit is {limit} orders per {span}."
    raise TooMuch(-1015, message, 429, _seconds(left_ms))


def _seconds(ms: int) -> int:
    return max(-(-ms // 1000), 1)
