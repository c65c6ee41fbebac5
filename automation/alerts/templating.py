"""Jinja2 in a sandbox: what rules and channels may say, and what cannot break out of it.

Templates come from the configuration and are checked when it is loaded; values come from events and
are only ever text. Refuses to know languages and formats, which `wording` and `dialects` decide.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from automation.alerts.duration import show_duration

RESERVED = frozenset({"rule", "severity", "bot", "id", "since", "labels"})
"""What every template of a rule can use beside the event's fields."""

TEMPLATE_FAULTS = (
    jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError,
    RecursionError, AssertionError,
)  # fmt: skip
"""All that a template can raise: it is a program, though a small one."""


class Blank(jinja2.ChainableUndefined):
    """A value that is not there; shown as a question mark, so that the rest can be read."""

    def __str__(self) -> str:
        """Show that something is missing."""
        return "?"


def environment(finalize: Callable[[Any], Any] | None = None) -> ImmutableSandboxedEnvironment:
    """Make a sandbox; `finalize` sees every value before it becomes text."""
    made = ImmutableSandboxedEnvironment(
        undefined=Blank, trim_blocks=True, lstrip_blocks=True, finalize=finalize
    )
    made.filters.update(percent=percent, money=money, duration=duration)
    return made


def render_line(template: str, values: Mapping[str, Any]) -> str:
    """Render a rule's template to one plain line; raises one of `TEMPLATE_FAULTS`."""
    return " ".join(_compiled(template).render(values).split())


def template_faults(template: str) -> Iterator[str]:
    """Find what is wrong with a template, without values and with them."""
    try:
        _compiled(template)
    except jinja2.TemplateError as error:
        yield str(error)


def variables_of(template: str) -> set[str]:
    """List the names that a template uses."""
    return meta.find_undeclared_variables(_PLAIN.parse(template))


def percent(value: Any) -> str:
    """Show a fraction as percent."""
    return f"{value:.2%}" if _is_number(value) else str(value)


def money(value: Any) -> str:
    """Show an amount of USDT."""
    return f"{value:,.2f} USDT" if _is_number(value) else str(value)


def duration(value: Any) -> str:
    """Show seconds as a duration."""
    return show_duration(timedelta(seconds=round(value))) if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=512)
def _compiled(template: str) -> jinja2.Template:
    return _PLAIN.from_string(template)


_PLAIN = environment()
