"""Secrets never leave the process: what looks like one becomes `***`.

Decides by name (`api_key`, `jwtSecret`), by form (user-info and secret parameters in URLs, bearer
tokens, JWTs, Telegram bot addresses) and by value (strings registered with `register_secret`).
Refuses to know where the text goes. The journal and the log call it on everything they write.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

MASK = "***"

SHORTEST_SECRET = 4
"""Shorter strings are never registered: they would blank out half of every sentence."""

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {
        "apikey", "authorization", "cookie", "credential", "credentials", "jwt", "passphrase",
        "passwd", "password", "passwords", "pwd", "secret", "secrets", "signature", "token",
    }
)  # fmt: skip
_HARMLESS_KEYS = frozenset({"idempotency", "public", "partition", "sort", "primary", "group"})
_ATOMS = frozenset({int, float, bool, type(None)})
_USER_INFO = re.compile(r"\b([A-Za-z][A-Za-z0-9+.\-]*://)[^\s/?#]*@")
_PARAMETER = re.compile(r"([?&])([\w\-.]+)=([^&\s#]+)")
_BEARER = re.compile(r"\b(Bearer|bearer|Basic)\s+[A-Za-z0-9._~+/=\-]{8,}")
_JWT = re.compile(r"\beyJ[\w\-]{5,}\.[\w\-]{5,}\.[\w\-]*")
_TELEGRAM = re.compile(r"/bot\d{5,}:[\w\-]{20,}")


class Masker:
    """Replaces secrets in values that are about to be written down."""

    def __init__(self) -> None:
        """Start with no registered secret."""
        self._secrets: frozenset[str] = frozenset()
        self._compiled: tuple[frozenset[str], re.Pattern[str] | None] = (self._secrets, None)

    def register(self, secret: str) -> None:
        """Remember a secret string, to be masked wherever it appears from now on."""
        if len(secret) >= SHORTEST_SECRET:
            self._secrets = self._secrets | {secret}

    @property
    def _registered(self) -> re.Pattern[str] | None:
        secrets, pattern = self._compiled
        if secrets is not self._secrets:
            # Only now: a fleet registers a thousand in a row, and each pattern would be kept by `re`.
            secrets = self._secrets
            pattern = _any_of(secrets)
            self._compiled = (secrets, pattern)
        return pattern

    def mask(self, value: Any) -> Any:
        """Copy `value` with every secret in it replaced; mappings and sequences recursively."""
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind is str:
            return self._mask_text(value)
        if kind is dict or isinstance(value, Mapping):
            plain = self._registered is None
            return {
                (name if plain else self._mask_name(name)): (
                    _blank(item) if names_a_secret(name) else self.mask(item)
                )
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.mask(item) for item in value]
        return self._mask_text(value) if isinstance(value, str) else value

    def _mask_name(self, name: Any) -> Any:
        return self._mask_text(name) if isinstance(name, str) else name

    def _mask_text(self, text: str) -> str:
        if (registered := self._registered) is not None:
            text = registered.sub(MASK, text)
        if "://" in text or "?" in text or "&" in text or "/bot" in text:
            return _mask_forms(text)
        if "earer " in text or "eyJ" in text or "Basic " in text:
            return _mask_forms(text)
        return text


def _any_of(secrets: frozenset[str]) -> re.Pattern[str]:
    # The longest first, so that a secret which contains another goes as a whole; by their first
    # character, so that a place in the text is not tried against every secret.
    beginning: dict[str, list[str]] = {}
    for secret in sorted(secrets, key=lambda secret: (-len(secret), secret)):
        beginning.setdefault(secret[0], []).append(re.escape(secret[1:]))
    branches = (f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in beginning.items())
    return re.compile("|".join(branches))


def _mask_forms(text: str) -> str:
    text = _USER_INFO.sub(rf"\1{MASK}@", text)
    text = _PARAMETER.sub(_mask_parameter, text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _JWT.sub(MASK, text)
    return _TELEGRAM.sub(f"/bot{MASK}", text)


@lru_cache(maxsize=4096)
def names_a_secret(name: object) -> bool:
    """Tell whether a key of this name holds a secret: `api_key`, `jwtSecret`, `ws-token`."""
    if not isinstance(name, str):
        return False
    words: Sequence[str] = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    if words[-1] in {"key", "keys"}:
        return len(words) == 1 or words[-2] not in _HARMLESS_KEYS
    return any(word in _SECRET_WORDS for word in words) or "".join(words) in _SECRET_WORDS


def _blank(value: Any) -> Any:
    # An operator wants to see that a secret is not set.
    return value if value is None or isinstance(value, bool) or value == "" else MASK


def _mask_parameter(found: re.Match[str]) -> str:
    mark, name, _value = found.groups()
    return f"{mark}{name}={MASK}" if names_a_secret(name) else found.group(0)


_PROCESS = Masker()


def register_secret(secret: str) -> None:
    """Remember a secret string for the whole process."""
    _PROCESS.register(secret)


def mask(value: Any) -> Any:
    """Copy `value` with every secret in it replaced by `MASK`."""
    return _PROCESS.mask(value)
