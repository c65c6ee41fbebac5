"""Tests on values: of an event's fields, and of an alert's labels.

One form for rules, routes, inhibitions and silences: a value, a list of values, or a mapping of
operators. A field that is missing passes only `exists: false` and `not`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Scalar = str | int | float | bool
MISSING = object()


class Test(BaseModel):
    """What one field must be; everything given must hold."""

    __test__ = False  # not a test of pytest's

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    one_of: tuple[Scalar, ...] | None = Field(None, description="One of these values.")
    none_of: tuple[Scalar, ...] | None = Field(
        None, alias="not", description="None of these values; a missing field is none of them."
    )
    matches: str | None = Field(
        None, description="A regular expression that must match the whole text."
    )
    above: float | None = Field(None, description="More than this number.")
    at_least: float | None = Field(None, description="This number or more.")
    below: float | None = Field(None, description="Less than this number.")
    at_most: float | None = Field(None, description="This number or less.")
    exists: bool | None = Field(None, description="Whether the field must be there.")

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.matches is not None:
            _check_pattern(self.matches)
        if self.one_of is not None and not self.one_of:
            raise ValueError("an empty list matches nothing; name a value or drop the test")
        if self.one_of and self.none_of and not set(self.one_of) - set(self.none_of):
            raise ValueError("everything listed is also excluded, so this matches nothing")
        low = max((b for b in (self.above, self.at_least) if b is not None), default=None)
        high = min((b for b in (self.below, self.at_most) if b is not None), default=None)
        if low is not None and high is not None:
            is_open = low == self.above or high == self.below
            if low > high or (low == high and is_open):
                raise ValueError(f"no number is above {low:g} and below {high:g}")
        return self

    def passes(self, value: Any) -> bool:
        """Tell whether a value passes; `MISSING` stands for none."""
        if value is MISSING or value is None:
            is_only_excluding = self.none_of is not None and self._asks_nothing_else
            return self.exists is False or is_only_excluding
        if self.exists is False:
            return False
        if self.one_of is not None and not _is_among(value, self.one_of):
            return False
        if self.none_of is not None and _is_among(value, self.none_of):
            return False
        if self.matches is not None and not _pattern(self.matches).fullmatch(str(value)):
            return False
        return self._is_in_bounds(value)

    @property
    def _asks_nothing_else(self) -> bool:
        asked = (self.one_of, self.matches, self.above, self.at_least, self.below, self.at_most)
        return all(part is None for part in asked) and self.exists is not True

    @property
    def sentence(self) -> str:
        """The test in words, for explanations."""
        words = {"matches": "matches", "above": ">", "at_least": "≥", "below": "<", "at_most": "≤"}
        parts = [
            f"{'is' if part == 'one_of' else 'is not'} {_shown(listed)}"
            for part, listed in (("one_of", self.one_of), ("none_of", self.none_of))
            if listed is not None
        ]
        parts += [
            f"{word} {getattr(self, name)}"
            for name, word in words.items()
            if getattr(self, name) is not None
        ]
        if self.exists is not None:
            parts.append("is there" if self.exists else "is not there")
        return " and ".join(parts)

    def _is_in_bounds(self, value: Any) -> bool:
        bounds = (self.above, self.at_least, self.below, self.at_most)
        if all(bound is None for bound in bounds):
            return True
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        above, at_least, below, at_most = bounds
        return (
            (above is None or value > above)
            and (at_least is None or value >= at_least)
            and (below is None or value < below)
            and (at_most is None or value <= at_most)
        )


def _spread(given: Any) -> Any:
    """Turn the short forms, a value and a list of values, into the long one."""
    if isinstance(given, Test):
        return given
    if isinstance(given, dict):
        spread = dict(given)
        for name in ("one_of", "not"):
            if name in spread:
                listed = spread[name]
                spread[name] = tuple(listed) if isinstance(listed, list) else (listed,)
        return spread
    if isinstance(given, list | tuple):
        return {"one_of": tuple(given)}
    return {"one_of": (given,)}


Where = Annotated[Test, BeforeValidator(_spread)]
Tests = dict[str, Where]


def all_pass(tests: Mapping[str, Test], values: Mapping[str, Any]) -> bool:
    """Tell whether every test passes on the values named like it."""
    return all(test.passes(values.get(name, MISSING)) for name, test in tests.items())


def _is_among(value: Any, listed: tuple[Scalar, ...]) -> bool:
    # True == 1 in Python; in a configuration they are different things.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in listed)


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _shown(values: tuple[Scalar, ...]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last
