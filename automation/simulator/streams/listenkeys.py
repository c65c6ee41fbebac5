"""Who may listen to which account: listen keys, their lifetime and their end.

Decides when a key is handed out again, prolonged, refused and expired, as Binance does: one key
per account, sixty minutes from the last POST or PUT. Refuses to know HTTP and sockets: the signed
endpoints POST/PUT/DELETE /fapi/v1/listenKey call it, and so does the stream server.

`now_ms` is served time (`Timeline.now_ms`); an account is whatever text the exchange names it by.
"""

import hashlib
from collections.abc import Callable

from automation.simulator.parameters import refuse
from automation.simulator.timeframes import MINUTE_MS

LIFETIME_MS = 60 * MINUTE_MS


class ListenKeys:
    """The listen keys of one exchange."""

    def __init__(
        self, now_ms: Callable[[], int], *, lifetime_ms: int = LIFETIME_MS, seed: int = 0
    ) -> None:
        """Start with none; keys follow from `seed`, account and count, so that a run repeats."""
        self._now_ms, self._lifetime_ms, self._seed = now_ms, lifetime_ms, seed
        self._made = 0
        self._key_of: dict[str, str] = {}
        self._ends_ms: dict[str, tuple[str, int]] = {}  # key → account and when it ends

    def create(self, account: str) -> str:
        """Answer POST: the account's key while it lives, prolonged; else a new one."""
        key = self._living(account)
        if key is None:
            self._made += 1
            key = _spell(f"{self._seed}/{account}/{self._made}")
        self._prolong(account, key)
        return key

    def keep(self, account: str) -> str:
        """Answer PUT: prolong the account's key; -1125 if there is none."""
        key = self._living(account)
        if key is None:
            refuse(-1125, "This listenKey does not exist.")
        self._prolong(account, key)
        return key

    def close(self, account: str) -> None:
        """Answer DELETE: end the account's key; nothing happens if there is none."""
        key = self._key_of.pop(account, None)
        if key is not None:
            self._ends_ms.pop(key, None)

    def account(self, key: str) -> str | None:
        """Find the account that a living key listens to."""
        account, end_ms = self._ends_ms.get(key, ("", 0))
        return account if self._now_ms() < end_ms else None

    def take_expired(self) -> list[tuple[str, str]]:
        """Remove the keys whose time is over; gives (key, account), the oldest first."""
        now = self._now_ms()
        over = [(end, key, who) for key, (who, end) in self._ends_ms.items() if end <= now]
        for _, key, account in over:
            del self._ends_ms[key]
            if self._key_of.get(account) == key:
                del self._key_of[account]
        return [(key, account) for _, key, account in sorted(over)]

    def _living(self, account: str) -> str | None:
        key = self._key_of.get(account)
        return key if key is not None and self.account(key) is not None else None

    def _prolong(self, account: str, key: str) -> None:
        self._key_of[account] = key
        self._ends_ms[key] = (account, self._now_ms() + self._lifetime_ms)


def _spell(text: str) -> str:
    """Spell sixty-four letters and digits, as Binance's keys look."""
    return hashlib.sha256(text.encode()).hexdigest()
