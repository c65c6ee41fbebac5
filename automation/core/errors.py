"""Every error that Freqfleet raises on purpose, as one tree.

    FreqfleetError                 what happened, to what, and what to do; never a traceback
    ├── ConfigError                the user mends it                          exit 2
    │   └── ConfigErrors           several at once, each with its path         exit 2
    ├── DependencyError            something outside failed                    exit 3
    │   ├── TransientError         worth another try after `retry_after_s`     exit 3
    │   └── PermanentError         another try will not help                   exit 3

An expected refusal (a guard said no) is not an error but a value: `Refusal`.
The command line turns each into one sentence and an exit code; nothing else catches them wholesale.
"""

from collections.abc import Iterable
from dataclasses import dataclass


class FreqfleetError(Exception):
    """Something a user can understand went wrong; `str()` is the whole sentence."""

    exit_code = 3


class ConfigError(FreqfleetError):
    """Wrong use or configuration: what is wrong, where, and what to do."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", cure: str = "") -> None:
        """`where` is a path into a file or the name of an option; `cure` says what to do."""
        self.message, self.where, self.cure = message, where, cure
        super().__init__(_sentence(message, where, cure))


class ConfigErrors(ConfigError):
    """All that is wrong with one configuration, reported together."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        """Keep the single errors in `errors`, in the order they were found."""
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class DependencyError(FreqfleetError):
    """Something outside (disk, port, process, exchange, database) failed."""

    def __init__(self, message: str, *, where: str = "", cure: str = "") -> None:
        """Say what failed, where, and what to do."""
        super().__init__(_sentence(message, where, cure))


class TransientError(DependencyError):
    """Worth another try, not before `retry_after_s` seconds."""

    def __init__(
        self, message: str, *, retry_after_s: float = 1.0, where: str = "", cure: str = ""
    ) -> None:
        """`retry_after_s` is what the other side asked for, or a guess."""
        self.retry_after_s = retry_after_s
        super().__init__(message, where=where, cure=cure)


class PermanentError(DependencyError):
    """Another try will not help."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An expected no, with its reason as a sentence."""

    reason: str


def _sentence(message: str, where: str, cure: str) -> str:
    located = f"{where}: {message}" if where else message
    return f"{located}; {cure}" if cure else located
