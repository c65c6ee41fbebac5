"""Secrets as references: where a secret is, not what it is.

Configuration holds `env:NAME` or `file:PATH`; the value is fetched as late as possible into a
`Secret`, whose text cannot be printed by accident. A literal secret in a configuration is refused.
"""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from automation.core.errors import ConfigError

_REFERENCE = re.compile(r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")


class Secret:
    """A secret's value; only `reveal()` shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hold `value`."""
        self._value = value

    def reveal(self) -> str:
        """Give the value to the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


def _check_reference(text: str) -> str:
    if not _REFERENCE.match(text):
        raise ValueError("a secret is never written here; write env:NAME or file:PATH")
    return text


SecretRef = Annotated[str, AfterValidator(_check_reference)]


def resolve(reference: str, *, where: str = "") -> Secret:
    """Fetch what `env:NAME` or `file:PATH` points to; surrounding white space is dropped.

    Raises ConfigError when the variable is not set, or the file cannot be read or is empty.
    """
    scheme, _, target = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(target, "").strip()
        cure = f"set the environment variable {target}"
    elif scheme == "file":
        cure = f"put the secret into {target}, readable by you alone"
        try:
            value = Path(target).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the secret cannot be read: {error}", where=where, cure=cure
            ) from None
    else:
        raise ConfigError("not a secret reference", where=where, cure="write env:NAME or file:PATH")
    if not value:
        raise ConfigError(f"the secret {reference} is empty", where=where, cure=cure)
    return Secret(value)
