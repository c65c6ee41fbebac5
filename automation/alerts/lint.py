"""What is wrong with settings that are well-formed: rules, routes and channels that cannot work.

Everything found comes back together, each with its path and its cure. Knows which kinds of events
there are and which fields they have; refuses to know where the settings were written.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from automation.alerts.channel_settings import TelegramChannel
from automation.alerts.matching import MISSING, Test
from automation.alerts.policy import covers
from automation.alerts.rendering import Style, layout_fault
from automation.alerts.settings import ON_CALL, Inhibition, Route, Rule, Settings, When
from automation.alerts.templating import RESERVED, template_faults, variables_of
from automation.journal.kinds import Kind

Path = tuple[int | str, ...]
EVENT_FIELDS = frozenset({"kind", "bot", "actor", "address", "source"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where, and what to do."""

    path: Path
    message: str
    cure: str


def lint(settings: Settings, kinds: Iterable[Kind]) -> list[Fault]:
    """Find everything in settings that cannot work."""
    known = {kind.name: kind for kind in kinds}
    return [
        *_names(settings),
        *(fault for n, rule in enumerate(settings.rules) for fault in _rule(n, rule, known)),
        *_routes(settings),
        *_inhibitions(settings),
        *_channels(settings),
        *_people(settings),
    ]


def is_asleep(rule: Rule, kinds: Iterable[str]) -> bool:
    """Tell whether nothing reports yet what would raise a rule."""
    known = list(kinds)
    return not any(_known(pattern, known) for when in rule.when for pattern in when.kind)


def _known(pattern: str, kinds: Iterable[str]) -> list[str]:
    return [kind for kind in kinds if covers(pattern, kind)]


def _names(settings: Settings) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, rule in enumerate(settings.rules):
        if rule.name in seen:
            path = ("rules", number, "name")
            yield Fault(path, f"two rules are named {rule.name}", "give each its own name")
        seen.add(rule.name)


def _rule(number: int, rule: Rule, known: dict[str, Kind]) -> Iterator[Fault]:
    path: Path = ("rules", number)
    for part, whens in (("when", rule.when), ("until", rule.until)):
        for when in whens:
            yield from _when((*path, part), when, known)
    if any(when in rule.when for when in rule.until):
        cure = "make until something else than when"
        yield Fault((*path, "until"), f"{rule.name} would end with what raises it", cure)
    if not (rule.until or rule.expires or rule.once):
        cure = "say until, expires, or once: true for a notice"
        yield Fault(path, f"{rule.name} would never end", cure)
    fields = _fields(rule.when, known)
    for name, source in rule.labels.items():
        if fields is not None and source.split(".")[0] not in fields | EVENT_FIELDS:
            yield _unknown_field((*path, "labels", name), source, fields)
    yield from _texts(path, rule, fields)


def _when(path: Path, when: When, known: dict[str, Kind]) -> Iterator[Fault]:
    matched: list[Kind] = []
    for pattern in when.kind:
        names = _known(pattern, known)
        matched += [known[name] for name in names]
        if not names:
            close = get_close_matches(pattern, known, n=1)
            cure = f"did you mean {close[0]}?" if close else "see docs/reference/alerts.md"
            yield Fault((*path, "kind"), f"no event is of the kind {pattern}", cure)
    for field, test in when.where.items():
        if matched and field.split(".")[0] not in EVENT_FIELDS:
            yield from _where((*path, "where", field), field, test, matched)


def _where(path: Path, field: str, test: Test, kinds: list[Kind]) -> Iterator[Fault]:
    top = field.split(".", maxsplit=1)[0]
    having = [kind.model.model_fields[top] for kind in kinds if top in kind.model.model_fields]
    if not having:
        if not test.passes(MISSING):
            fields = {name for kind in kinds for name in kind.model.model_fields}
            yield _unknown_field(path, field, fields)
        return
    members = {str(one.value) for info in having for one in _enum(info.annotation)}
    wanted = set(map(str, test.one_of or ()))
    if members and wanted and not wanted & members:
        cure = f"it is one of {', '.join(sorted(members))}"
        yield Fault(path, f"{field} is never {', '.join(sorted(wanted))}", cure)
        return
    if field == top:
        yield from _sorts(path, field, test, [_sort(info.annotation) for info in having])


def _sorts(path: Path, field: str, test: Test, sorts: list[str | None]) -> Iterator[Fault]:
    """Find values that the fields never have because they are of another sort."""
    known = {sort for sort in sorts if sort is not None}
    if None in sorts or not known:
        return
    cure = f"it is {' or '.join(sorted(known))}"
    wanted = test.one_of or ()
    if wanted and not {_sort(type(value)) for value in wanted} & known:
        yield Fault(path, f"{field} is never {', '.join(map(str, wanted))}", cure)
    bounds = (test.above, test.at_least, test.below, test.at_most)
    if _NUMBER not in known and any(bound is not None for bound in bounds):
        yield Fault(path, f"{field} is no number, so no bound holds", cure)


_NUMBER = "a number"
_SORTS: dict[Any, str] = {int: _NUMBER, float: _NUMBER, bool: "true or false", str: "a text"}


def _sort(annotation: Any) -> str | None:
    """Name the sort of a field's values, None included or not; None for what is no plain value."""
    if get_origin(annotation) in {Union, UnionType}:
        sorts = {_sort(one) for one in get_args(annotation) if one is not type(None)}
        return sorts.pop() if len(sorts) == 1 else None
    if get_origin(annotation) is Annotated:
        return _sort(get_args(annotation)[0])
    return _SORTS.get(annotation)


def _enum(annotation: Any) -> Iterable[Enum]:
    is_enum = isinstance(annotation, type) and issubclass(annotation, Enum)
    return list(annotation) if is_enum else []


def _unknown_field(path: Path, field: str, fields: Iterable[str]) -> Fault:
    listed = sorted(fields)
    close = get_close_matches(field, listed, n=1)
    cure = f"did you mean {close[0]}?" if close else f"there are {', '.join(listed)}"
    return Fault(path, f"none of these events has a field {field}, so this matches nothing", cure)


def _fields(whens: Iterable[When], known: dict[str, Kind]) -> set[str] | None:
    """List the fields that the events may have; None where that is not known."""
    names = [name for when in whens for pattern in when.kind for name in _known(pattern, known)]
    if not names:
        return None
    return {field for name in names for field in known[name].model.model_fields}


def _texts(path: Path, rule: Rule, fields: set[str] | None) -> Iterator[Fault]:
    for part, texts in (("title", rule.title), ("text", rule.text)):
        for language, template in texts.items():
            where = (*path, part) if language == "en" else (*path, part, language)
            if language not in {"en", "ko"}:
                yield Fault(where, f"messages are not written in {language}", "use en or ko")
            faults = list(template_faults(template))
            for fault in faults:
                yield Fault(where, f"this is no template: {fault}", "mend it; Jinja2 is spoken")
            if faults or fields is None:
                continue
            allowed = fields | EVENT_FIELDS | RESERVED | set(rule.labels)
            for name in sorted(variables_of(template) - allowed):
                close = get_close_matches(name, sorted(allowed), n=1)
                cure = f"did you mean {close[0]}?" if close else "drop it"
                yield Fault(where, f"the template names {name}, which no event has", cure)


def _routes(settings: Settings) -> Iterator[Fault]:
    labels = {"rule", "severity", "bot"} | {name for rule in settings.rules for name in rule.labels}
    yield from _route(("route",), settings.route, settings, labels)


def _route(path: Path, route: Route, settings: Settings, labels: set[str]) -> Iterator[Fault]:
    yield from _label_tests((*path, "match"), route.match, settings, labels)
    yield from _channel_names((*path, "channels"), route.channels or (), settings)
    for name in route.group_by or ():
        if name not in labels:
            yield Fault((*path, "group_by"), f"no rule gives the label {name}", _listing(labels))
    for number, child in enumerate(route.routes):
        yield from _route((*path, "routes", number), child, settings, labels)


def _label_tests(
    path: Path, tests: dict[str, Test], settings: Settings, labels: set[str]
) -> Iterator[Fault]:
    rules = {rule.name for rule in settings.rules}
    severities = {str(rule.severity) for rule in settings.rules}
    for name, test in tests.items():
        if name not in labels and not test.passes(MISSING):
            message = f"no rule gives the label {name}, so this matches nothing"
            yield Fault((*path, name), message, _listing(labels))
        for label, values in (("rule", rules), ("severity", severities)):
            if name == label and not any(test.passes(value) for value in values):
                message = f"no rule has this {label}, so this matches nothing"
                yield Fault((*path, name), message, _listing(values))


def _listing(names: Iterable[str]) -> str:
    return f"there are {', '.join(sorted(names))}"


def _channel_names(path: Path, names: Iterable[str], settings: Settings) -> Iterator[Fault]:
    for name in names:
        if name == ON_CALL:
            if settings.on_call is None:
                yield Fault(path, "nobody is on call", "say on_call, or name a channel")
        elif name not in settings.channels:
            close = get_close_matches(name, settings.channels, n=1)
            cure = f"did you mean {close[0]}?" if close else "describe it in channels"
            yield Fault(path, f"there is no channel {name}", cure)


def _inhibitions(settings: Settings) -> Iterator[Fault]:
    labels = {"rule", "severity", "bot"} | {name for rule in settings.rules for name in rule.labels}
    for number, inhibition in enumerate(settings.inhibit):
        path: Path = ("inhibit", number)
        yield from _label_tests((*path, "when"), inhibition.when, settings, labels)
        yield from _label_tests((*path, "mutes"), inhibition.mutes, settings, labels)
        yield from _equal(path, inhibition, labels)


def _equal(path: Path, inhibition: Inhibition, labels: set[str]) -> Iterator[Fault]:
    for name in inhibition.equal:
        if name not in labels:
            yield Fault((*path, "equal"), f"no rule gives the label {name}", _listing(labels))


def _channels(settings: Settings) -> Iterator[Fault]:
    fallbacks = {name: channel.fallback for name, channel in settings.channels.items()}
    path: Path
    for name, fallback in fallbacks.items():
        path = ("channels", name, "fallback")
        if fallback is not None and fallback not in fallbacks:
            yield Fault(path, f"there is no channel {fallback}", "name another one")
    for name, channel in settings.channels.items():
        if channel.template is not None:
            style = Style(channel.type, channel.format, channel.locale, channel.zone)
            if fault := layout_fault(channel.template, style):
                path = ("channels", name, "template")
                yield Fault(path, f"this is no template: {fault}", "mend it; Jinja2 is spoken")
    for name, circle in _circles(fallbacks, fallbacks.get):
        yield Fault(("channels", name, "fallback"), f"the fallbacks go round: {circle}", "cut it")
    for number, hours in enumerate(settings.quiet_hours):
        yield from _channel_names(("quiet_hours", number, "channels"), hours.channels, settings)
    listener = settings.commands.channel if settings.commands is not None else None
    if listener and not isinstance(settings.channels.get(listener), TelegramChannel):
        path = ("commands", "channel")
        yield Fault(path, f"{listener} is no Telegram channel", "name one that is")


def _people(settings: Settings) -> Iterator[Fault]:
    if settings.on_call is not None:
        for number, person in enumerate(settings.on_call.people):
            path: Path = ("on_call", "people", number, "channels")
            yield from _channel_names(path, person.channels, settings)
            if ON_CALL in person.channels:
                yield Fault(path, "on-call leads to itself", "name the person's own channels")
    escalation = settings.escalation
    if escalation is None:
        return
    steps = escalation.steps
    if escalation.first not in steps:
        path = ("escalation", "first")
        yield Fault(path, f"there is no step {escalation.first}", _listing(steps))
    for name, step in steps.items():
        path = ("escalation", "steps", name)
        yield from _channel_names((*path, "channels"), step.channels, settings)
        if step.then is not None and step.then not in steps:
            yield Fault((*path, "then"), f"there is no step {step.then}", _listing(steps))
    for name, circle in _circles(steps, lambda one: steps[one].then if one in steps else None):
        path = ("escalation", "steps", name, "then")
        yield Fault(path, f"the escalation goes round: {circle}", "let the last step end")


def _circles(
    names: Iterable[str], following: Callable[[str], str | None]
) -> Iterator[tuple[str, str]]:
    told: set[str] = set()
    for start in names:
        walked = [start]
        while (name := following(walked[-1])) is not None and name not in walked:
            walked.append(name)
        if name is not None and not told & set(walked):
            circle = walked[walked.index(name) :]
            told |= set(circle)
            yield circle[-1], " → ".join((*circle, name))
