"""Silences, inhibition and quiet hours: what is not told, when it is told after all, and why."""

from datetime import UTC, datetime, time

import pytest

from automation.alerts.calendars import quiet_until_us, us_of
from automation.alerts.settings import QuietHours

S = 1_000_000
EXCHANGE = {
    "name": "exchange-down",
    "when": "exchange.down",
    "until": "exchange.up",
    "severity": "critical",
    "title": "x",
}
BY_BOT = {"when": {"rule": "liquidated"}, "mutes": {"rule": "down"}, "equal": ["bot"]}
ALL = {"when": {"rule": "exchange-down"}, "mutes": {"rule": "down"}}


def rules_of(rules):
    return [*rules.values(), EXCHANGE]


def silenced(desk, match, seconds=3600, name="s1"):
    desk.operator(
        "alert.silenced",
        {
            "id": name,
            "match": match,
            "reason": "maintenance",
            "until_us": desk.now_us + seconds * S,
        },
    )


def reasons(desk):
    return [r.payload["reason"] for r in desk.records if r.kind == "alert.muted"]


def test_an_inhibited_alert_is_told_when_the_other_is_over(make, rules):
    desk = make(rules=rules_of(rules), inhibit=[ALL])
    desk.happens(kind="exchange.down")
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(600)
    assert [said.firing[0].rule for _, said in desk.said] == ["exchange-down"]
    assert reasons(desk)[0].startswith("inhibited by exchange-down")
    desk.happens(kind="exchange.up")
    desk.passes(300)
    assert [said.firing[0].rule for _, said in desk.said if said.firing] == [
        "exchange-down",
        "down",
    ]


def test_inhibition_holds_only_where_the_labels_are_equal(make, rules):
    desk = make(inhibit=[BY_BOT])
    desk.happens(kind="bot.liquidated", bot="a")
    desk.happens(kind="bot.exited", bot="a")
    desk.happens(kind="bot.exited", bot="b")
    desk.passes(31)
    told = [line.bot for _, said in desk.said for line in said.firing if line.rule == "down"]
    assert told == ["b"]


def test_what_is_on_both_sides_mutes_nobody(make):
    both = {"when": {"severity": "high"}, "mutes": {"severity": "high"}}
    desk = make(inhibit=[both])
    desk.happens(kind="bot.exited", bot="a")
    desk.happens(kind="bot.exited", bot="b")
    desk.passes(31)
    assert desk.heard() == [(30, "new", 2, 0)]


def test_a_silenced_alert_is_told_when_the_silence_ends_by_itself_or_by_hand(make):
    desk = make()
    silenced(desk, {"bot": "a"}, 600, "one")
    silenced(desk, {"bot": {"matches": "b.*"}}, 86_400, "two")
    for bot in ("a", "b1", "c"):
        desk.happens(kind="bot.exited", bot=bot)
    desk.passes(300)
    assert [line.bot for _, said in desk.said for line in said.firing] == ["c"]
    assert "silenced by ann (one): maintenance" in reasons(desk)
    desk.passes(600)
    assert {line.bot for line in desk.said[-1][1].firing if line.is_new} == {"a"}
    desk.operator("alert.unsilenced", {"id": "two"})
    desk.passes(301)
    assert {line.bot for line in desk.said[-1][1].firing if line.is_new} == {"b1"}


def test_the_end_of_what_was_silenced_meanwhile_is_not_told(make):
    desk = make()
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(31)
    silenced(desk, {"bot": "m"})
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    assert desk.heard() == [(30, "new", 1, 0)]
    assert desk.state.alerts == {}


def test_a_silenced_notice_is_dropped_with_its_reason(make):
    desk = make()
    silenced(desk, {"rule": "trade"})
    desk.happens(kind="trade.opened", bot="m", pair="BTC")
    desk.passes(86_400)
    assert desk.heard() == []
    [dropped] = [r for r in desk.records if r.kind == "alert.dropped"]
    assert "maintenance" in dropped.payload["reason"]


def test_quiet_hours_hold_until_their_end_but_never_an_emergency(make):
    quiet = {"channels": "ops", "zone": "Asia/Seoul", "start": "08:00", "end": "10:00"}
    desk = make(quiet_hours=[quiet])  # it is 09:00 in Seoul
    desk.happens(kind="bot.exited", bot="m")
    desk.happens(kind="trade.opened", bot="m", pair="BTC")
    desk.happens(kind="bot.liquidated", bot="m")
    desk.passes(3599)
    assert desk.heard() == [(0, "new", 1, 0)]
    assert any("quiet hours until 2025-01-01 01:00 UTC" in reason for reason in reasons(desk))
    desk.passes(2)
    assert [at_s for at_s, *_ in desk.heard()[1:]] == [3600, 3600]


def test_quiet_hours_keep_the_end_for_the_morning(make):
    quiet = {"channels": "ops", "start": "00:01", "end": "07:00"}
    desk = make(quiet_hours=[quiet])
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(59)
    desk.passes(60)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(8 * 3600)
    assert desk.heard() == [(30, "new", 1, 0), (7 * 3600, "resolved", 0, 1)]


@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical", "emergency"])
@pytest.mark.parametrize("lets_through", ["low", "medium", "high", "critical", "emergency"])
def test_severities_pass_quiet_hours_from_the_named_one_on(make, rules, severity, lets_through):
    quiet = {"channels": "ops", "start": "00:00", "end": "07:00", "lets_through": lets_through}
    desk = make(rules=[{**rules["down"], "severity": severity}], quiet_hours=[quiet], route={})
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(60)
    order = ["low", "medium", "high", "critical", "emergency"]
    passes = order.index(severity) >= order.index(lets_through) or severity == "emergency"
    assert bool(desk.said) is passes


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2025-03-29T23:00+00:00", "2025-03-30T05:00+00:00"),  # the clocks go forward that night
        ("2025-10-25T22:30+00:00", "2025-10-26T06:00+00:00"),  # and back
        ("2025-06-01T04:59+00:00", "2025-06-01T05:00+00:00"),
        ("2025-06-01T05:00+00:00", None),
        ("2025-06-01T19:59+00:00", None),
        ("2025-06-01T20:00+00:00", "2025-06-02T05:00+00:00"),
    ],
)
def test_quiet_hours_follow_the_clocks_of_their_zone(now, end):
    hours = QuietHours(channels=("x",), zone="Europe/Berlin", start=time(22), end=time(7))
    found = quiet_until_us(hours, us_of(datetime.fromisoformat(now)))
    assert found == (None if end is None else us_of(datetime.fromisoformat(end)))


def test_quiet_hours_begin_on_their_days():
    hours = QuietHours(channels=("x",), start=time(22), end=time(7), days=("fri",))
    friday, saturday = datetime(2025, 1, 3, 23, tzinfo=UTC), datetime(2025, 1, 4, 23, tzinfo=UTC)
    assert quiet_until_us(hours, us_of(friday)) is not None
    assert quiet_until_us(hours, us_of(friday) + 6 * 3600 * S) is not None
    assert quiet_until_us(hours, us_of(saturday)) is None
