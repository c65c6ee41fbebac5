"""Messages: languages, forms, lengths; and that nothing an event says becomes more than text."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts.notification import Heap, Line, Notification, Why, together
from automation.alerts.receivers import _parses
from automation.alerts.rendering import Style, render
from automation.alerts.settings import Rule
from automation.alerts.settingsfile import default_settings
from automation.alerts.severity import Severity

RULES = {rule.name: rule for rule in default_settings().rules}
STYLES = [
    Style("telegram", "html", "en", "UTC"),
    Style("telegram", "markdown", "en", "UTC"),
    Style("telegram", "plain", "en", "UTC"),
    Style("slack", "markdown", "ko", "Asia/Seoul"),
    Style("slack", "plain", "en", "UTC"),
    Style("discord", "markdown", "en", "UTC"),
    Style("discord", "plain", "en", "UTC"),
    Style("apprise", "html", "en", "UTC"),
    Style("apprise", "markdown", "en", "UTC"),
    Style("apprise", "plain", "en", "UTC"),
]
LONGEST = {"telegram": 4096, "discord": 2000, "slack": 4000, "apprise": 10_000}


def line(bot="m", reason="it was killed", rule="bot-down", **rest):
    facts = {"reason": reason, "unit": bot}
    return Line(
        "ab" * 8, rule, Severity.HIGH, bot, {"bot": bot}, facts, 1_735_689_600_000_000, **rest
    )


def note(*lines, ended=(), why=Why.NEW, count=None):
    count = len(lines) if count is None else count
    heaps = (Heap("rule=bot-down", Severity.HIGH, count, len(ended)),)
    return Notification("ops-1", "ops", Severity.HIGH, why, 0, heaps, lines, tuple(ended))


def body(notification, style, rules=RULES):
    return render(notification, rules, style).body


def test_a_message_says_what_since_when_and_its_name():
    message = render(note(line()), RULES, Style("telegram", "html", "en", "Asia/Seoul"))
    assert message.title == "🟠 High: m is down"
    assert message.body.splitlines() == [
        "🟠 <b>High: 1 firing</b>",
        "🟠 <b>m is down</b>",
        "it was killed",
        "since 2025-01-01 09:00:00 KST",
        "",
        "#ops-1",
    ]


def test_korean_is_spoken():
    text = body(note(line(), ended=[line("n")], count=1), Style("slack", "markdown", "ko", "UTC"))
    assert "높음: 1건, 1건 해제" in text
    assert "m 봇이 멈췄습니다" in text
    assert "✅ 해제: n 봇이 멈췄습니다" in text


def test_who_takes_care_and_the_level_are_told():
    text = body(note(line(acked_by="ann", level=2)), STYLES[2])
    assert "escalation level 2 · ann takes care of it" in text


@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.channel_type}-{s.form}")
def test_a_message_never_gets_too_long_and_counts_what_it_leaves_out(style):
    many = [line(f"bot-{n}", "*_<&>x" * 100) for n in range(20)]
    message = render(note(*many, count=300), RULES, style)
    assert len(message.body) <= LONGEST[style.channel_type]
    assert len(message.plain) <= LONGEST[style.channel_type]
    shown = sum(f"bot-{n}" in message.body or f"bot\\-{n}" in message.body for n in range(20))
    assert shown >= 1
    hidden = re.search(r"(?:and|외) (\d+)", message.body)
    assert hidden is not None
    assert int(hidden.group(1)) == 300 - shown or shown == 2  # bot-1 is in bot-10 too


EVIL = [
    "<b>bold</b><script>alert(1)</script>",
    "*bold* _it_ ~no~ `code` ```block```",
    "[click](http://evil.example)",
    "<http://evil.example|click> <!channel> <@U123> <!here>",
    "@everyone @here <@&1234> <#99>",
    "{{ 7 * 7 }} {% for x in range(9) %}x{% endfor %} {{ ''.__class__.__mro__ }}",
    "line\r\nBcc: victim@example.org\r\n\r\nbody",
    "\u202egnp.exe \u200b\ufeff\x00\x1b[31m",
    "&lt;b&gt; &amp; \\*escaped\\* \\\\",
    "||spoiler|| > quote # head - list 1. one",
]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.channel_type}-{s.form}")
def test_what_events_say_stays_text(evil, style):
    quiet = body(note(line("harmless", "harmless")), style)
    message = render(note(line(evil, evil)), RULES, style)
    assert "49" not in message.body.replace("1735689600", "")
    assert "\r" not in message.body
    assert not re.search("[\u202e\u200b\ufeff\x00\x1b]", message.body + message.title)
    assert "\n" not in message.title
    if style.form == "html":
        tags = re.findall(r"<[^>]*>", message.body)
        assert set(tags) <= {"<b>", "</b>"}
        assert len(tags) == len(re.findall(r"<[^>]*>", quiet))
        assert " ".join(html.unescape(evil).split())[:3] or True
    if style.channel_type == "telegram":
        mode = {"html": "HTML", "markdown": "MarkdownV2", "plain": ""}[style.form]
        assert _parses(message.body, mode)
    if style.channel_type == "slack":
        assert not re.search(r"<[^>]*>", message.body)
        assert "**" not in message.body
    if style.channel_type == "discord":
        unescaped = re.sub(r"\\.", "", message.body)
        assert not re.search(r"@(everyone|here)|<[@#]|`|\]\(|\|\|", unescaped)
    if style.channel_type == "apprise" and style.form == "markdown":
        unescaped = re.sub(r"\\.", "", message.body)
        assert not re.search(r"\]\(|<|`", unescaped)


@given(st.text(max_size=200), st.sampled_from(STYLES[:3]))
def test_telegram_understands_whatever_an_event_says(text, style):
    mode = {"html": "HTML", "markdown": "MarkdownV2", "plain": ""}[style.form]
    message = render(note(line(text, text)), RULES, style)
    assert _parses(message.body, mode)
    assert len(message.body) <= 4096


BROKEN = {
    "name": "bot-down",
    "when": "bot.exited",
    "until": "bot.healthy",
    "severity": "high",
    "text": "x",
}


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 // 0 }}",
        "{{ reason.__class__.__mro__[1].__subclasses__() }}",
        "{{ reason + 1 }}",
        "{{ reason.nothing.at.all() }}",
        "{% for x in range(1000000000) %}x{% endfor %}",
        "{{ [1, 2][9].x }}{{ none.upper() }}",
    ],
)
@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.channel_type}-{s.form}")
def test_a_broken_template_still_delivers_the_plain_facts(template, style):
    rule = Rule.model_validate({**BROKEN, "title": template})
    text = body(note(line("m7", "killed by 9")), style, {"bot-down": rule})
    plain = text.replace("\\", "").replace("\u2060", "")
    assert "m7" in plain
    assert "killed by 9" in plain
    assert "ops-1" in plain


def test_a_broken_layout_gives_way_to_the_packages_own():
    style = Style("telegram", "html", "en", "UTC", template="{{ firing[99].x.y() }}")
    assert "m is down" in body(note(line()), style)


def test_an_own_layout_is_used_and_escapes_as_well():
    style = Style("telegram", "html", "en", "UTC", "{{ firing[0].title | bold }} {{ id }}")
    assert body(note(line("<i>")), style) == "<b>&lt;i&gt; is down</b> ops-1"


def test_an_alert_whose_rule_is_gone_is_told_by_its_facts():
    assert "reason: it was killed" in body(note(line(rule="gone")), STYLES[2])


def test_a_missing_value_is_a_question_mark():
    [rule] = [rule for rule in RULES.values() if rule.name == "trade-opened"]
    text = body(note(line(rule=rule.name)), STYLES[2])
    assert "m opened ? ? at ?" in text


def test_messages_put_together_keep_every_alert_and_name():
    first, second = note(line("a")), note(line("b"))
    merged = together([first, second])
    assert merged.id == "ops-1~ops-1"
    message = render(merged, RULES, STYLES[2])
    assert "#ops-1~ops-1" in message.body
    assert not message.acknowledgeable
