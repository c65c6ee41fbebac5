"""From a notification to the text of a message, in the channel's language, zone and form.

Decides what is shown and what only counted when a message would be too long. A template that fails
never keeps an alert back: the plain facts go out instead. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from automation.alerts.calendars import instant_of
from automation.alerts.dialects import Dialect, clean, dialect_of, one_line
from automation.alerts.notification import Heap, Line, Notification, Why
from automation.alerts.settings import Rule
from automation.alerts.severity import Severity
from automation.alerts.templating import TEMPLATE_FAULTS, environment, render_line
from automation.alerts.wording import MARKS, WORDS, headline, severity_word

LAYOUT = Path(__file__).with_name("message.j2").read_text(encoding="utf-8")
LONGEST_TITLE = 120
LONGEST_TEXT = 600


@dataclass(frozen=True, slots=True)
class Style:
    """How a channel wants its messages."""

    channel_type: str
    form: str
    language: str
    zone: str
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel sends."""

    id: str
    title: str
    """One plain line, for subjects and previews; never markup."""
    body: str
    plain: str
    """The body without any markup, for when the markup is not understood."""
    form: str
    severity: Severity
    acknowledgeable: bool
    acknowledge: str
    """What the button says."""


class _Safe(str):
    """Text that is escaped already."""

    __slots__ = ()


def render(notification: Notification, rules: Mapping[str, Rule], style: Style) -> Message:
    """Make the message; as many alerts are shown as fit, the others counted."""
    dialect = dialect_of(style.channel_type, style.form)
    shown = len(notification.firing) + len(notification.ended)
    body = ""
    for most in (shown, 10, 5, 3, 1):
        if most > shown:
            continue
        body = _body(_cut(notification, most), notification, rules, style, dialect)
        if len(body) <= dialect.longest:
            break
    else:
        # Cut at a line's end, never inside of an escape.
        body = dialect.escape(_plainly(notification, style))[: dialect.longest].rpartition("\n")[0]
        body = body or dialect.escape(f"#{notification.id}")
    return Message(
        id=notification.id,
        title=_title(notification, rules, style),
        body=body,
        plain=_plainly(notification, style)[: dialect.longest],
        form=dialect.name,
        severity=notification.severity,
        acknowledgeable=bool(notification.firing)
        and notification.why is not Why.TEST
        and "~" not in notification.id,
        acknowledge=WORDS[style.language]["acknowledge"],
    )


def render_layout(template: str, context: Mapping[str, Any], dialect: Dialect) -> str:
    """Render a layout; every value is escaped, only the layout's own text is markup."""

    def escaped(value: Any) -> Any:
        if isinstance(value, _Safe):
            return value
        return dialect.escape(clean(str(value)))

    made = environment(finalize=escaped)
    made.filters["bold"] = lambda value: _Safe(dialect.bold(dialect.escape(clean(str(value)))))
    text = made.from_string(template).render(context)
    trimmed = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", trimmed)


def layout_fault(template: str, style: Style) -> str:
    """Tell why a channel's own layout cannot be used; "" when it can."""
    line = Line("0" * 16, "sample", Severity.HIGH, "bot", {"bot": "bot"}, {"reason": "why"}, 0)
    heap = Heap("rule=sample", Severity.HIGH, 1, 1)
    sample = Notification("ops-1", "ops", Severity.HIGH, Why.NEW, 0, (heap,), (line,), (line,))
    dialect = dialect_of(style.channel_type, style.form)
    try:
        render_layout(template, context_of(sample, sample, {}, style), dialect)
    except TEMPLATE_FAULTS as error:
        return str(error) or type(error).__name__
    return ""


def context_of(
    notification: Notification, whole: Notification, rules: Mapping[str, Rule], style: Style
) -> dict[str, Any]:
    """Give what a layout can show."""
    words = WORDS[style.language]
    hidden = whole.firing_count - len(notification.firing)
    hidden_ended = whole.ended_count - len(notification.ended)
    return {
        "headline": headline(whole, style.language),
        "mark": "✅" if whole.ended_count and not whole.firing_count else MARKS[whole.severity],
        "severity": str(whole.severity),
        "why": str(whole.why),
        "id": whole.id,
        "is_test": whole.why is Why.TEST,
        "is_digest": whole.why is Why.DIGEST,
        "firing": [_shown(line, rules, style) for line in notification.firing],
        "ended": [_shown(line, rules, style) for line in notification.ended],
        "heaps": [_heap_line(heap, style) for heap in whole.heaps],
        "more": words["more"].format(n=hidden) if hidden > 0 else "",
        "more_ended": words["more_ended"].format(n=hidden_ended) if hidden_ended > 0 else "",
        "words": words,
    }


def _body(
    notification: Notification,
    whole: Notification,
    rules: Mapping[str, Rule],
    style: Style,
    dialect: Dialect,
) -> str:
    context = context_of(notification, whole, rules, style)
    if style.template is not None:
        try:
            return render_layout(style.template, context, dialect)
        except TEMPLATE_FAULTS:
            pass  # the package's own layout has been tried before
    return render_layout(LAYOUT, context, dialect)


def _cut(notification: Notification, most: int) -> Notification:
    firing = notification.firing[:most]
    return replace(
        notification, firing=firing, ended=notification.ended[: max(0, most - len(firing))]
    )


def _title(notification: Notification, rules: Mapping[str, Rule], style: Style) -> str:
    about = headline(notification, style.language)
    lines = notification.firing or notification.ended
    if len(lines) == 1:
        about = f"{about.partition(':')[0]}: {_shown(lines[0], rules, style)['title']}"
        if not notification.firing:
            about = f"{WORDS[style.language]['ended']}: {about.partition(': ')[2]}"
    return one_line(f"{MARKS[notification.severity]} {about}")[:LONGEST_TITLE]


def _shown(line: Line, rules: Mapping[str, Rule], style: Style) -> dict[str, Any]:
    words, rule = WORDS[style.language], rules.get(line.rule)
    title, text = _words_of(line, rule, style)
    notes = []
    if line.level:
        notes.append(words["level"].format(n=line.level))
    if line.acked_by:
        notes.append(words["acked"].format(who=line.acked_by))
    return {
        "id": line.id,
        "title": title[:LONGEST_TITLE],
        "text": text[:LONGEST_TEXT],
        "mark": MARKS[line.severity],
        "severity": severity_word(line.severity, style.language),
        "bot": line.bot,
        "rule": line.rule,
        "labels": dict(line.labels),
        "facts": dict(line.facts),
        "since": local_time(line.since_us, style.zone),
        "notes": notes,
    }


def _words_of(line: Line, rule: Rule | None, style: Style) -> tuple[str, str]:
    if rule is None:
        return line.rule, _facts(line)
    values = {
        **line.facts,
        **line.labels,
        "bot": line.bot,
        "severity": severity_word(line.severity, style.language),
        "labels": dict(line.labels),
        "id": line.id,
        "since": local_time(line.since_us, style.zone),
    }
    try:
        title = render_line(in_language(rule.title, style.language), values)
        text = render_line(in_language(rule.text, style.language), values) if rule.text else ""
    except TEMPLATE_FAULTS:
        return f"{line.rule} {line.bot}", f"{WORDS[style.language]['plainly']} {_facts(line)}"
    return title, text


def in_language(texts: Mapping[str, str], language: str) -> str:
    """Choose a text: the language, else English, else what there is."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), "")


def local_time(at_us: int, zone: str) -> str:
    """Show an instant in a zone."""
    local: datetime = instant_of(at_us).astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"


def _facts(line: Line) -> str:
    labels = {k: v for k, v in line.labels.items() if k not in {"rule", "severity"}}
    return ", ".join(f"{name}: {value}" for name, value in {**labels, **line.facts}.items())


def _heap_line(heap: Heap, style: Style) -> str:
    severity = severity_word(heap.severity, style.language)
    counted = f"{heap.firing}"
    if heap.ended:
        counted += f" (+{heap.ended} {WORDS[style.language]['ended'].lower()})"
    return f"{severity} {heap.title}: {counted}"


def _plainly(notification: Notification, style: Style) -> str:
    lines: Sequence[Line] = (*notification.firing, *notification.ended)
    told = [f"{line.severity} {line.rule} {line.bot} {_facts(line)[:200]}" for line in lines]
    return clean("\n".join([headline(notification, style.language), f"#{notification.id}", *told]))
