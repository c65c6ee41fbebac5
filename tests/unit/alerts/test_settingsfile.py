"""What alerts.yaml may say, and how every mistake is told: file, line, path, cure."""

import pytest

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts.lint import lint
from automation.alerts.settingsfile import all_default_rules, default_settings, load_settings
from automation.core.errors import ConfigError
from automation.journal import KINDS

RULE = """
rules:
  - name: mine
    when: bot.exited
    until: bot.healthy
    severity: high
    title: "{{ bot }} is down"
"""
CHANNELS = """
channels:
  slack: {type: slack, webhook: "env:ALERTS_SLACK"}
  telegram: {type: telegram, token: "env:ALERTS_TOKEN", chat: "env:ALERTS_CHAT"}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    for name in ("ALERTS_SLACK", "ALERTS_TOKEN", "ALERTS_CHAT"):
        monkeypatch.setenv(name, "https://example.org/x")

    def from_text(text, **rest):
        path = tmp_path / "alerts.yaml"
        path.write_text(text)
        return load_settings(path, **rest)

    return from_text


def complaint(load, text, **rest):
    with pytest.raises(ConfigError) as caught:
        load(text, **rest)
    return str(caught.value)


def test_without_a_file_the_defaults_hold_and_are_sound():
    settings = load_settings(None)
    assert {"bot-down", "crash-loop", "liquidated", "journal-broken", "trade-opened"} <= {
        rule.name for rule in settings.rules
    }
    assert lint(settings, KINDS) == []


def test_the_defaults_cover_what_the_fleet_reports_and_will_report():
    names = {rule.name for rule in all_default_rules().rules}
    assert names >= {
        "bot-down", "crash-loop", "bot-quarantined", "stale-candles", "stop-missing",
        "liquidation-near", "drawdown", "daily-loss", "exchange-down", "weight-high",
        "exchange-banned", "funding-spike", "order-stuck", "disk-low", "reload-refused",
        "tuning-done", "gate-failed", "journal-broken", "trade-opened", "trade-closed",
    }  # fmt: skip
    assert {rule.title.get("ko") is not None for rule in all_default_rules().rules} == {True}


def test_default_rules_sleep_until_something_reports_their_events():
    awake = {rule.name for rule in default_settings(_of_today()).rules}
    asleep = {rule.name for rule in all_default_rules().rules} - awake
    assert asleep == {"tuning-done", "gate-failed"}  # what they wait for, the application tells


def _of_today():
    """Only the kinds of rooms that this file imports, whatever other tests did."""
    rooms = ("automation.fleet", "automation.journal", "automation.alerts")
    return [kind for kind in KINDS if kind.model.__module__.startswith(rooms)]


def test_own_rules_are_laid_over_the_defaults(load):
    text = RULE.replace("mine", "bot-down") + "without: [trade-opened, trade-closed]\n"
    settings = load(text)
    [own] = [rule for rule in settings.rules if rule.name == "bot-down"]
    assert not own.holds_for
    assert not {"trade-opened", "trade-closed"} & {rule.name for rule in settings.rules}
    assert "crash-loop" in {rule.name for rule in settings.rules}
    assert settings.route.routes[0].match["severity"].passes("emergency")


def test_everything_wrong_is_told_at_once_with_line_path_and_cure(load):
    text = """
rules:
  - name: typo
    when: bot.exitd
    until: bot.healthy
    severity: high
    title: "x"
channels:
  slack: {type: slack, webhook: "env:ALERTS_NOT_SET"}
route: {channels: [slak]}
"""
    said = complaint(load, text)
    assert "alerts.yaml:4: rules.0.when.kind: no event is of the kind bot.exitd" in said
    assert "did you mean bot.exited?" in said
    assert "alerts.yaml:9: channels.slack.webhook: " in said
    assert "set the environment variable ALERTS_NOT_SET" in said
    assert "alerts.yaml:10: route.channels: there is no channel slak; did you mean slack?" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("when: bot.exited", "when: bot.nothing"), "no event is of the kind bot.nothing"),
        (
            ("when: bot.exited", "when: {kind: bot.exited, where: {raeson: x}}"),
            "did you mean reason?",
        ),
        (
            ("when: bot.exited", "when: {kind: bot.state, where: {state: broken}}"),
            "state is never broken; it is one of",
        ),
        (
            ("when: bot.exited", "when: {kind: bot.exited, where: {pid: {above: 5, below: 2}}}"),
            "no number is above 5 and below 2",
        ),
        (
            ("when: bot.exited", 'when: {kind: bot.exited, where: {reason: {matches: "(["}}}'),
            "is no regular expression",
        ),
        (
            ("when: bot.exited", "when: {kind: bot.exited, where: {reason: []}}"),
            "matches nothing",
        ),
        (
            ("when: bot.exited", "when: {kind: bot.exited, where: {pid: abc}}"),
            "pid is never abc; it is a number",
        ),
        (
            ("when: bot.exited", "when: {kind: bot.exited, where: {is_expected: 'yes'}}"),
            "is_expected is never yes; it is true or false",
        ),
        (
            ("when: bot.exited", "when: {kind: bot.exited, where: {reason: {above: 3}}}"),
            "reason is no number, so no bound holds; it is a text",
        ),
        (("until: bot.healthy", "until: bot.exited"), "would end with what raises it"),
        (("    until: bot.healthy\n", ""), "would never end; say until, expires, or once"),
        (("{{ bot }}", "{{ bott }}"), "the template names bott, which no event has"),
        (("{{ bot }}", "{{ bot "), "this is no template"),
        (("{{ bot }}", "{{ bot | nofilter }}"), "No filter named 'nofilter'"),
        (("severity: high", "severity: huge"), "should be 'low', 'medium'"),
        (("severity: high", "severity: high\n    labels: {a: nofield}"), "nofield"),
        (("severity: high", "severity: high\n    labels: {rule: pid}"), "given already"),
        (("severity: high", "severity: high\n    once: true"), "drop them"),
        (("severity: high", "severity: high\n    for: 5"), "write it with its unit"),
        (("severity: high", "severity: high\n    fr: 5s"), "unknown key"),
        (("severity: high", "severity: high\n    text: {fr: x}"), "not written in fr"),
    ],
)
def test_rules_that_cannot_work_are_refused(load, change, said):
    assert said in complaint(load, RULE.replace(*change))


def test_a_wrong_item_is_one_complaint(load):
    bounds = "{kind: bot.exited, where: {pid: {above: 5, below: 2}}}"
    assert len(complaint(load, RULE.replace("bot.exited", bounds, 1)).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route: {match: {rule: nobody}}", "no rule has this rule, so this matches nothing"),
        ("route: {routes: [{match: {color: red}}]}", "no rule gives the label color"),
        ("route: {group_by: [color]}", "no rule gives the label color"),
        ("route: {channels: [on-call]}", "nobody is on call"),
        (
            "inhibit: [{when: {rule: bot-down}, mutes: {rule: nothing}}]",
            "inhibit.0.mutes.rule: no rule has this rule",
        ),
        ("without: [no-such-rule]", "no default rule is named no-such-rule"),
        (
            "escalation: {first: a, steps: {a: {channels: slack, then: b},"
            " b: {channels: slack, then: a}}}",
            "the escalation goes round: a → b → a; let the last step end",
        ),
        ("escalation: {first: x, steps: {a: {channels: slack}}}", "there is no step x"),
        ("escalation: {first: a, steps: {a: {channels: slack, then: q}}}", "there is no step q"),
        (
            "escalation: {first: a, steps: {a: {channels: slack}}, delays: {emergency: 5m}}",
            "an emergency escalates at once",
        ),
        ("quiet_hours: [{channels: slck, start: '22:00', end: '07:00'}]", "did you mean slack?"),
        (
            "quiet_hours: [{channels: slack, start: 22:00, end: 22:00}]",
            "quiet hours need a length",
        ),
        (
            "quiet_hours: [{channels: slack, zone: Mars/Base, start: '22:00', end: '07:00'}]",
            "is no time zone",
        ),
        ("commands: {channel: slack, chats: {1: admin}}", "slack is no Telegram channel"),
        ("heartbeat: {url: 'https://hc.example'}", "a secret is never written here"),
        ("heartbeat: {url: 'env:ALERTS_NOT_SET'}", "heartbeat.url: the secret"),
        (
            "on_call: {people: [{name: a, channels: on-call}], since: 2025-01-01T09:00}",
            "on-call leads to itself",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(load, text, said):
    assert said in complaint(load, CHANNELS + text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('webhook: "env:ALERTS_SLACK"', ""), "channels.slack.webhook: this field is required"),
        (("env:ALERTS_SLACK", "https://hooks/x"), "a secret is never written here"),
        (("type: slack", "type: pigeon"), "pigeon"),
        (("type: slack,", "type: slack, fallback: mail,"), "there is no channel mail"),
        (("type: slack,", "type: slack, zone: Seoul,"), "is no time zone"),
        (
            ("type: slack,", 'type: slack, template: "{{ x | nofilter }}",'),
            "channels.slack.template: this is no template",
        ),
        (
            ("type: slack,", 'type: slack, template: "{{ 1 // 0 }}",'),
            "channels.slack.template: this is no template",
        ),
    ],
)
def test_channels_that_cannot_work_are_refused(load, change, said):
    assert said in complaint(load, CHANNELS.replace(*change))


def test_fallbacks_that_go_round_are_refused(load):
    text = CHANNELS.replace("type: slack,", "type: slack, fallback: telegram,")
    text = text.replace("type: telegram,", "type: telegram, fallback: slack,")
    assert "the fallbacks go round: slack → telegram → slack" in complaint(load, text)


def test_a_token_of_freqtrades_own_bots_is_refused(load):
    said = complaint(load, CHANNELS, taken_tokens=["env:ALERTS_TOKEN"])
    assert "channels.telegram.token" in said
    assert "a Telegram bot of its own" in said


def test_a_channel_may_be_called_like_its_type(load):
    assert "channels.telegram.chat: " in complaint(load, CHANNELS.replace(", chat: ", ", chut: "))


def test_unquoted_times_are_understood(load):
    text = CHANNELS + "quiet_hours: [{channels: slack, start: 22:30, end: 07:00}]"
    [hours] = load(text).quiet_hours
    assert (hours.start.hour, hours.start.minute, hours.end.hour) == (22, 30, 7)


def test_a_missing_or_malformed_file_is_one_sentence(load, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file"):
        load_settings(tmp_path / "none.yaml")
    assert "not valid YAML" in complaint(load, "rules: [")
    assert "holds no mapping" in complaint(load, "- a")


def test_an_empty_file_is_the_defaults(load):
    assert load("") == default_settings()
