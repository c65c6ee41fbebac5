"""A command that the exchange does not carry out, in Binance's own code and words.

Raised by the checks of this package, translated to HTTP by `signed`.
"""

from dataclasses import dataclass
from typing import NoReturn


@dataclass(eq=False)
class Rejected(Exception):
    """The command changed nothing; `code` is Binance's."""

    code: int
    message: str


def reject(code: int, message: str) -> NoReturn:
    """Raise `Rejected`."""
    raise Rejected(code, message)
