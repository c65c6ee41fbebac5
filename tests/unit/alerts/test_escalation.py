"""Who hears of what nobody acknowledges, and who is on call."""

from datetime import UTC, datetime

import pytest

from automation.alerts.calendars import next_hand_over_us, person_on_call, us_of
from automation.alerts.settings import OnCall

STEPS = {
    "first": "lead",
    "steps": {"lead": {"channels": "lead", "then": "all"}, "all": {"channels": ["sms", "lead"]}},
}
DELAYS_S = {"low": 7200, "medium": 3600, "high": 900, "critical": 300}


@pytest.fixture
def desk_of(make, rules, channel_of):
    def build(severity="high", **changes):
        names = ("ops", "lead", "sms")
        given = {
            "rules": [{**rules["down"], "severity": severity}, rules["trade"]],
            "channels": {name: channel_of() for name in names},
            "route": {"channels": "ops"},
            "escalation": STEPS,
            **changes,
        }
        return make(**given)

    return build


def acknowledged(desk, by="ann"):
    ids = tuple(desk.state.alerts)
    desk.operator("alert.acknowledged", {"ids": ids, "note": ""}, by)


@pytest.mark.parametrize(("severity", "delay_s"), DELAYS_S.items())
def test_each_step_waits_as_long_as_the_severity_says(desk_of, severity, delay_s):
    desk = desk_of(severity)
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(40)
    [(told_s, *_)] = desk.heard("ops")
    desk.passes(4 * delay_s)
    assert [at_s for at_s, why, *_ in desk.heard("lead") if why == "escalated"] == [
        told_s + delay_s,
        told_s + 2 * delay_s,
    ]
    assert next(at_s for at_s, *_ in desk.heard("sms")) == told_s + 2 * delay_s


def test_an_emergency_goes_to_everybody_at_once(desk_of):
    desk = desk_of("emergency", route={"channels": "ops", "group_wait": "0"})
    desk.happens(kind="bot.exited", bot="m")
    assert {said.channel for at_s, said in desk.said if at_s == 0} == {"ops", "lead", "sms"}


def test_an_acknowledged_alert_neither_escalates_nor_repeats(desk_of):
    desk = desk_of()
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(60)
    acknowledged(desk)
    desk.passes(3 * 86_400)
    assert desk.heard() == [(30, "new", 1, 0)]
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    assert [why for _, why, *_ in desk.heard()] == ["new", "resolved"]


def test_an_acknowledgement_ends_with_its_alert(desk_of):
    desk = desk_of()
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(60)
    acknowledged(desk)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(2000)
    assert [why for _, why, *_ in desk.heard("lead")][:1] == ["escalated"]


def test_everybody_who_heard_of_it_hears_of_its_end(desk_of):
    desk = desk_of("critical")
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(700)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    ended = {said.channel for _, said in desk.said if said.ended}
    assert ended == {"ops", "lead", "sms"}
    assert desk.state.groups == {}


def test_a_silenced_alert_does_not_escalate(desk_of):
    desk = desk_of()
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(60)
    until_us = desk.now_us + 7200 * 1_000_000
    desk.operator(
        "alert.silenced", {"id": "s", "match": {"bot": "m"}, "reason": "r", "until_us": until_us}
    )
    desk.passes(7000)
    assert desk.heard("lead") == []
    desk.passes(1000)
    assert desk.heard("lead")


def test_escalation_goes_on_after_a_restart(desk_of):
    desk = desk_of()
    desk.happens(kind="bot.exited", bot="m")
    desk.passes(600)
    desk.dies()
    desk.passes(331)
    assert desk.heard("lead") == [(930, "escalated", 1, 0)]


def test_notices_and_rules_that_say_so_do_not_escalate(desk_of, rules):
    desk = desk_of(rules=[{**rules["down"], "escalates": False}, rules["trade"]])
    desk.happens(kind="bot.exited", bot="m")
    desk.happens(kind="trade.opened", bot="m", pair="BTC")
    desk.passes(3 * 86_400)
    assert desk.heard("lead") == []


SHIFTS = {
    "people": [{"name": "ann", "channels": "ops"}, {"name": "bob", "channels": ["lead", "sms"]}],
    "since": "2025-01-01T09:00",
    "days": 1,
}


def test_at_the_hand_over_open_alerts_go_along(desk_of):
    desk = desk_of(route={"channels": "on-call"}, escalation=None, on_call=SHIFTS)
    desk.passes(8 * 3600)
    desk.happens(kind="bot.exited", bot="a")
    desk.happens(kind="bot.exited", bot="b")
    desk.passes(60)
    desk.operator(
        "alert.acknowledged", {"ids": [i for i, a in desk.state.alerts.items() if a.bot == "a"]}
    )
    assert {said.channel for _, said in desk.said} == {"ops"}
    desk.passes(25 * 3600)  # ann has the first day, bob the second
    lead = [(at_s, said) for at_s, said in desk.said if said.channel == "lead"]
    assert [line.bot for line in lead[0][1].firing] == ["b"]
    assert lead[0][0] == 33 * 3600 + 30
    [moved] = [r for r in desk.records if r.kind == "alert.handed_over" and r.payload["was"]]
    assert (moved.payload["person"], moved.payload["alerts"]) == ("bob", 1)


def test_a_new_alert_goes_to_who_is_on_call(desk_of):
    desk = desk_of(route={"channels": "on-call"}, escalation=None, on_call=SHIFTS)
    desk.passes(40 * 3600)
    desk.happens(kind="bot.exited", bot="a")
    desk.passes(60)
    assert {said.channel for _, said in desk.said} == {"lead", "sms"}


def test_shifts_follow_the_clocks_of_their_zone():
    shifts = OnCall.model_validate(
        {**SHIFTS, "zone": "Europe/Berlin", "since": "2025-03-29T09:00", "days": 1}
    )
    before = us_of(datetime(2025, 3, 30, 6, 59, tzinfo=UTC))
    assert person_on_call(shifts, before).name == "ann"
    assert next_hand_over_us(shifts, before) == us_of(datetime(2025, 3, 30, 7, tzinfo=UTC))
    assert person_on_call(shifts, before + 60_000_000).name == "bob"
    early = us_of(datetime(2020, 1, 1, tzinfo=UTC))
    assert person_on_call(shifts, early).name == "ann"
    assert next_hand_over_us(shifts, early) == us_of(datetime(2025, 3, 29, 8, tzinfo=UTC))
