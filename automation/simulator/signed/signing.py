"""Whose request is it, and is it fresh: API key, HMAC signature, timestamp and recvWindow.

Decides Binance's refusals for each. Refuses to know endpoints. Called by `desk`.
"""

import hashlib
import hmac
from collections.abc import Iterable

from automation.simulator.parameters import Parameters, RequestError, missing, refuse
from automation.simulator.trading.accounts import AccountSpec

_RECV_WINDOW_MS, _LONGEST_WINDOW_MS = 5000, 60_000
_AHEAD_MS = 1000


class Keyring:
    """All API keys, and which of them were revoked."""

    def __init__(self, specs: Iterable[AccountSpec]) -> None:
        """Take the keys of the accounts."""
        self._owners: dict[str, tuple[str, bytes]] = {}
        self.revoked: set[str] = set()
        self._readers: set[str] = set()
        for spec in specs:
            self._readers |= {key for key, _ in spec.read_keys}
            for key, secret in ((spec.key, spec.secret), *spec.more_keys, *spec.read_keys):
                self._owners[key] = spec.name, secret.encode()

    def owner(self, key: str, *, acts: bool = False) -> tuple[str, bytes]:
        """Name of the account and secret of a key; -2014 without a key, -2015 with a wrong one.

        `acts`: the request is to change something, which a key that may only read is refused.
        """
        if not key:
            raise RequestError(-2014, "API-key format invalid.", 401)
        found = self._owners.get(key)
        if found is None or key in self.revoked or (acts and key in self._readers):
            message = "Invalid API-key, IP, or permissions for action."
            raise RequestError(-2015, message, 401)
        return found


def unsigned(part: str) -> tuple[str, str | None]:
    """Split a query or body into what is signed and the signature in it."""
    place = part.rfind("signature=")
    if place < 0 or (place > 0 and part[place - 1] != "&"):
        return part, None
    value, _, rest = part[place + 10 :].partition("&")
    before = part[: max(place - 1, 0)]
    return (f"{before}&{rest}" if before and rest else before or rest), value


def check_signature(secret: bytes, query: str, body: str) -> str:
    """Compare the signature; gives all parameters as one query. -1022 where it is wrong."""
    signed_query, first = unsigned(query)
    signed_body, second = unsigned(body) if body else ("", None)
    given = second or first
    if given is None:
        missing("signature")
    payload = signed_query + signed_body
    right = hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, given):
        refuse(-1022, "Signature for this request is not valid.")
    return f"{signed_query}&{signed_body}" if signed_query and signed_body else payload


def age_ms(query: Parameters, now_ms: int) -> int:
    """Tell how long ago a request was signed; 0 for one that says no time, or a later one."""
    written = query.text("timestamp") or ""
    return max(0, now_ms - int(written)) if written.isdecimal() else 0


def check_time(query: Parameters, now_ms: int) -> None:
    """Refuse what is too old or comes from the future: -1021."""
    sent = query.whole("timestamp")
    if sent is None:
        missing("timestamp")
    window = query.whole("recvWindow")
    if window is None:
        window = _RECV_WINDOW_MS
    if window > _LONGEST_WINDOW_MS:
        refuse(-1131, "recvWindow must be less than 60000.")
    if sent >= now_ms + _AHEAD_MS:
        refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - sent > window:
        refuse(-1021, "Timestamp for this request is outside of the recvWindow.")
