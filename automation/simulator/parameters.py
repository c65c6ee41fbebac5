"""A request's parameters, and Binance's own words for what is wrong with them.

Decides which code, message and status a wrong parameter gets. Refuses to know what the parameters
are for. Called by `rest` and the endpoints.
"""

import re
from dataclasses import dataclass
from typing import NoReturn, Self
from urllib.parse import parse_qsl

from automation.simulator.timeframes import LENGTHS_MS, Timeframe, timeframe

_WHOLE = re.compile(r"\d{1,20}")


@dataclass(eq=False)
class RequestError(Exception):
    """A wrong request: becomes `{"code": …, "msg": …}` with an HTTP status."""

    code: int
    message: str
    status: int = 400


def refuse(code: int, message: str) -> NoReturn:
    """Refuse the request with one of Binance's codes."""
    raise RequestError(code, message)


class Parameters:
    """The query of one request, read with Binance's rules."""

    def __init__(self, query: str) -> None:
        """Split the query; of a repeated name the last value counts."""
        self._values = _split(query) if query else {}

    @classmethod
    def of(cls, values: dict[str, object]) -> Self:
        """Take parameters that came as JSON, as those of a batch do."""
        made = cls("")
        made._values = {name: _written(value) for name, value in values.items()}
        return made

    def text(self, name: str) -> str | None:
        """Optional text; -1105 where it was sent empty."""
        value = self._values.get(name)
        if value == "":
            refuse(-1105, f"Parameter '{name}' was empty.")
        return value

    def required(self, name: str) -> str:
        """Text that has to be there; else -1102."""
        value = self._values.get(name)
        if not value:
            missing(name)
        return value

    def whole(self, name: str) -> int | None:
        """Optional whole number; -1102 where it is none."""
        value = self.text(name)
        if value is None:
            return None
        if not _WHOLE.fullmatch(value):
            missing(name)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """How many rows are asked for; -1130 below 1 or above `most`."""
        limit = self.whole("limit")
        if limit is None:
            return default
        if not 1 <= limit <= most:
            invalid("limit")
        return limit

    def window(self) -> tuple[int | None, int | None]:
        """The parameters startTime and endTime; -1023 where they are in the wrong order."""
        start, end = self.whole("startTime"), self.whole("endTime")
        if start is not None and end is not None and start > end:
            refuse(-1023, "Start time is greater than end time.")
        return start, end

    def interval(self) -> Timeframe:
        """The parameter interval; -1120 if there is no such candle."""
        name = self.required("interval")
        if name not in LENGTHS_MS:
            refuse(-1120, "Invalid interval.")
        return timeframe(name)


def _split(query: str) -> dict[str, str]:
    """Split a query; what has nothing to decode, as nearly all have, needs no parser."""
    if "%" in query or "+" in query:
        return dict(parse_qsl(query, keep_blank_values=True))
    parts = (part.partition("=") for part in query.split("&") if part)
    return {name: value for name, _, value in parts}


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def missing(name: str) -> NoReturn:
    """Refuse for a mandatory parameter that is not there or not what it should be."""
    message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    raise RequestError(-1102, message)


def invalid(name: str) -> NoReturn:
    """Refuse for a value outside its range."""
    raise RequestError(-1130, f"Data sent for parameter '{name}' is not valid.")


def unknown_symbol() -> NoReturn:
    """Refuse for a symbol that is not traded here."""
    raise RequestError(-1121, "Invalid symbol.")
