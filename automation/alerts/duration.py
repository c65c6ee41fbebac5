"""Durations as people write them: `30s`, `5m`, `1h30m`, `2d`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_UNITS_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(\d+(\.\d+)?[dhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_MICROSECOND = timedelta(microseconds=1)


def parse_duration(text: str) -> timedelta:
    """Read a duration; ValueError names the text and shows how to write one."""
    if text == "0":
        return timedelta()
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write it like 30s, 5m, 1h30m or 2d")
    parts = _PART.findall(text)
    return timedelta(seconds=sum(float(number) * _UNITS_S[unit] for number, unit in parts))


def show_duration(span: timedelta) -> str:
    """Write a duration the way it is read."""
    left, shown = span.total_seconds(), ""
    for unit, size_s in _UNITS_S.items():
        count = left // size_s if unit != "s" else left
        if count:
            shown += f"{count:g}{unit}"
            left -= count * size_s
    return shown or "0s"


def in_us(span: timedelta) -> int:
    """Give a duration in microseconds, the unit of the pure core."""
    return span // _MICROSECOND


def _read(given: Any) -> Any:
    if isinstance(given, str):
        return parse_duration(given)
    if isinstance(given, timedelta):
        return given
    if given == 0:
        return timedelta()
    raise ValueError(f"{given!r} is no duration; write it with its unit, like 30s or 5m")


Duration = Annotated[timedelta, BeforeValidator(_read), PlainSerializer(show_duration)]
