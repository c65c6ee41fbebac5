"""Reads alerts.yaml, lays it over the defaults and says all that is wrong with it at once.

Every complaint carries file, line, path of the field and its cure. Called by `app`.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

import automation.alerts.kinds  # noqa: F401  the alerts' own kinds are to be known
from automation.alerts.lint import Fault, is_asleep, lint
from automation.alerts.policy import covers
from automation.alerts.settings import Route, Settings, When
from automation.core.configfile import compose, line_of
from automation.core.errors import ConfigError, ConfigErrors
from automation.core.secrets import resolve
from automation.journal import KINDS, Kind

DEFAULTS = Path(__file__).with_name("default.yaml")
_TOP = "the file"


def load_settings(
    path: Path | None,
    *,
    kinds: Iterable[Kind] = KINDS,
    taken_tokens: Iterable[str] = (),
    check_secrets: bool = True,
) -> Settings:
    """Read and check a file; None gives the defaults, which tell nobody.

    `kinds` are the events that there are: import the rooms that define them first. `taken_tokens`
    are references of Telegram tokens that Freqtrade's own bots use. Raises ConfigErrors.
    """
    known = list(kinds)
    if path is None:
        return default_settings(known)
    root = compose(path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(raw, dict):
        raise ConfigError("the file holds no mapping", where=str(path), cure="see docs/reference")

    def complain(where: tuple[int | str, ...], message: str, cure: str = "") -> ConfigError:
        line = line_of(root, where)
        place = ".".join(map(str, where)) or _TOP
        located = f"{path}:{line}: {place}" if line else f"{path}: {place}"
        return ConfigError(message, where=located, cure=cure)

    try:
        own = Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigErrors(
            {str(one): one for one in (_said(complain, d) for d in _causes(error))}.values()
        ) from None
    defaults = default_settings(known)
    merged = merge(defaults, own, is_routed="route" in raw)
    faults = [
        *_wrong_names(defaults, own),
        *(_moved(fault, merged, own) for fault in lint(merged, known)),
        *_shared_tokens(merged, set(taken_tokens)),
    ]
    errors = [complain(fault.path, fault.message, fault.cure) for fault in faults]
    if check_secrets:
        errors += _missing_secrets(merged, complain)
    if errors:
        raise ConfigErrors({str(error): error for error in errors}.values())
    return merged


def default_settings(kinds: Iterable[Kind] = KINDS) -> Settings:
    """Give the default rules that can be raised by events of these kinds."""
    known = {kind.name for kind in kinds}
    everything = all_default_rules()
    awake = [rule for rule in everything.rules if not is_asleep(rule, known)]
    names = {rule.name for rule in awake}
    rules = tuple(
        rule.model_copy(
            update={
                "when": tuple(_only_known(rule.when, known)),
                "until": tuple(_only_known(rule.until, known)),
            }
        )
        for rule in awake
    )
    inhibit = tuple(
        one
        for one in everything.inhibit
        if all(any(tests["rule"].passes(name) for name in names) for tests in (one.when, one.mutes))
    )
    return everything.model_copy(update={"rules": rules, "inhibit": inhibit})


def all_default_rules() -> Settings:
    """Give all default rules, also those that still sleep."""
    return Settings.model_validate(yaml.safe_load(DEFAULTS.read_text(encoding="utf-8")))


def merge(defaults: Settings, own: Settings, *, is_routed: bool) -> Settings:
    """Lay a user's settings over the defaults."""
    replaced = {rule.name for rule in own.rules} | set(own.without)
    kept = tuple(rule for rule in defaults.rules if rule.name not in replaced)
    names = {rule.name for rule in (*own.rules, *kept)}
    inhibit = tuple(
        one
        for one in defaults.inhibit
        if all(any(tests["rule"].passes(name) for name in names) for tests in (one.when, one.mutes))
    )
    route: Route = own.route if is_routed else defaults.route
    return own.model_copy(
        update={
            "rules": (*own.rules, *kept),
            "inhibit": (*own.inhibit, *inhibit),
            "route": route
            if is_routed
            else _fitting(route, {*(r.severity for r in kept)} | {r.severity for r in own.rules}),
        }
    )


def _fitting(route: Route, severities: set[Any]) -> Route:
    """Keep of the default routes those that some rule's severity takes."""
    fitting = tuple(
        child
        for child in route.routes
        if any(child.match["severity"].passes(str(severity)) for severity in severities)
    )
    return route.model_copy(update={"routes": fitting})


def _only_known(whens: Iterable[When], known: set[str]) -> Iterable[When]:
    for when in whens:
        kinds = tuple(k for k in when.kind if any(covers(k, name) for name in known))
        if kinds:
            yield when.model_copy(update={"kind": kinds})


def _wrong_names(defaults: Settings, own: Settings) -> Iterable[Fault]:
    known = {rule.name for rule in all_default_rules().rules} | {r.name for r in defaults.rules}
    for name in own.without:
        if name not in known:
            cure = f"there are {', '.join(sorted(known))}"
            yield Fault(("without",), f"no default rule is named {name}", cure)


def _moved(fault: Fault, merged: Settings, own: Settings) -> Fault:
    """Own rules and inhibitions stand first, so their places are those in the file."""
    section, *rest = fault.path
    counts = {"rules": len(own.rules), "inhibit": len(own.inhibit)}
    if section in counts and rest and isinstance(rest[0], int) and rest[0] >= counts[str(section)]:
        name = merged.rules[rest[0]].name if section == "rules" else f"inhibition {rest[0]}"
        return Fault((), f"the default {name}: {fault.message}", fault.cure)
    return fault


def _shared_tokens(settings: Settings, taken: set[str]) -> Iterable[Fault]:
    for name, channel in settings.channels.items():
        if channel.type == "telegram" and channel.token in taken:
            message = f"{channel.token} is the token of one of Freqtrade's own Telegram bots"
            cure = "make the fleet a Telegram bot of its own; two cannot listen with one token"
            yield Fault(("channels", name, "token"), message, cure)


def _missing_secrets(
    settings: Settings, complain: Callable[..., ConfigError]
) -> Iterable[ConfigError]:
    references: list[tuple[tuple[str, ...], str]] = [
        (("channels", name, field), getattr(channel, field))
        for name, channel in settings.channels.items()
        for field in ("token", "chat", "webhook", "url")
        if hasattr(channel, field)
    ]
    if settings.heartbeat is not None:
        references.append((("heartbeat", "url"), settings.heartbeat.url))
    for where, reference in references:
        try:
            resolve(reference)
        except ConfigError as error:
            yield complain(where, error.message, error.cure)


def _causes(error: ValidationError) -> Iterable[ErrorDetails]:
    """Leave out that a list is too short because one of its items is wrong."""
    details = error.errors()
    for one in details:
        deeper = any(
            len(other["loc"]) > len(one["loc"]) and other["loc"][: len(one["loc"])] == one["loc"]
            for other in details
        )
        if not (one["type"] == "too_short" and deeper):
            yield one


def _said(complain: Callable[..., ConfigError], detail: ErrorDetails) -> ConfigError:
    kind, given = detail["type"], detail.get("input")
    where = detail["loc"]
    if where[0] == "channels" and len(where) > 2:
        where = (*where[:2], *where[3:])  # pydantic names the channel's type in between
    if kind == "extra_forbidden":
        return complain(where, "unknown key", "remove it, or see docs/reference/alerts.md")
    if kind == "missing":
        return complain(where, "this field is required")
    if kind == "value_error":
        message, _, cure = str(detail["msg"]).removeprefix("Value error, ").partition("; ")
        return complain(where, message, cure)
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"].removeprefix("Input ")
    return complain(where, f"{message[0].lower()}{message[1:]}{shown}")
