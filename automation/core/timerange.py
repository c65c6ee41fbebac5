"""Freqtrade's `--timerange A-B`, read as two instants.

Freqtrade accepts days (20240101), minutes (20240101T1200) and epochs, and either end open; its end
is exclusive for candles that open at it. Source: freqtrade/configuration/timerange.py.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from automation.core.errors import ConfigError

_DAY, _MINUTE = re.compile(r"^\d{8}$"), re.compile(r"^\d{8}T\d{4}$")
_SECONDS, _MILLISECONDS = re.compile(r"^\d{10}$"), re.compile(r"^\d{13}$")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` to `end`; None where the range is open."""

    text: str
    start: datetime | None
    end: datetime | None


def parse_timerange(text: str) -> TimeRange:
    """Read a range; raises ConfigError for any other form, an empty or a reversed range."""
    first, dash, last = text.partition("-")
    if not dash or not (first or last):
        raise _wrong(text)
    start, end = _instant(text, first), _instant(text, last)
    if start is not None and end is not None and start >= end:
        raise ConfigError(
            f"{text} ends before it begins", where="--timerange", cure="swap its ends"
        )
    return TimeRange(text, start, end)


def _instant(whole: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        if _DAY.match(text):
            return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
        if _MINUTE.match(text):
            return datetime.strptime(text, "%Y%m%dT%H%M").replace(tzinfo=UTC)
        if _SECONDS.match(text):
            return datetime.fromtimestamp(int(text), UTC)
        if _MILLISECONDS.match(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
    except ValueError:
        pass
    raise _wrong(whole)


def _wrong(text: str) -> ConfigError:
    cure = "write it like 20240101-20240701 or 20240101T1200-20240102T0000"
    return ConfigError(f"{text!r} is not a range of days", where="--timerange", cure=cure)
