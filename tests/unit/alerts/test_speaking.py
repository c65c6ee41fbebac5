"""How many messages a channel gets: limits, digests, storms."""

import random

import pytest


def test_more_groups_than_the_channel_takes_speak_together(make, channel_of):
    desk = make(
        channels={"ops": channel_of(limit={"messages": 3, "per": "1m"})},
        route={"group_by": ["bot"]},
    )
    for number in range(20):
        desk.happens(kind="bot.exited", bot=f"bot-{number}")
        desk.passes(1)
    desk.passes(600)
    assert desk.heard() == [(30, "digest", 20, 0)]
    [(_, digest)] = desk.said
    assert len(digest.heaps) == 20


def test_a_full_channel_hears_the_rest_as_soon_as_it_takes_messages_again(make, channel_of):
    desk = make(
        channels={"ops": channel_of(limit={"messages": 2, "per": "10m"})},
        route={"group_by": ["bot"], "group_wait": "1s"},
    )
    for number in range(6):
        desk.happens(kind="bot.exited", bot=f"bot-{number}")
        desk.passes(20)
    desk.passes(3600)
    assert desk.heard() == [(1, "new", 1, 0), (21, "new", 1, 0), (601, "digest", 4, 0)]
    held = [r for r in desk.records if r.kind == "alert.muted"]
    assert {r.payload["reason"] for r in held} == {"held until the channel takes messages again"}


def test_few_groups_speak_for_themselves(make):
    desk = make(route={"group_by": ["bot"]})
    for number in range(3):
        desk.happens(kind="bot.exited", bot=f"bot-{number}")
    desk.passes(60)
    assert [why for _, why, *_ in desk.heard()] == ["new"] * 3


def test_an_emergency_passes_a_full_channel(make, channel_of):
    desk = make(
        channels={"ops": channel_of(limit={"messages": 1, "per": "1h"})},
        route={
            "group_by": ["bot"],
            "group_wait": "1s",
            "routes": [{"match": {"severity": "emergency"}, "group_wait": "0"}],
        },
    )
    desk.happens(kind="bot.exited", bot="a")
    desk.passes(5)
    desk.happens(kind="bot.exited", bot="b")
    desk.passes(5)
    desk.happens(kind="bot.liquidated", bot="c")
    assert [said.firing[0].rule for _, said in desk.said] == ["down", "liquidated"]


@pytest.mark.parametrize("seed", range(2))
def test_a_storm_of_ten_thousand_alerts_is_five_messages_and_the_emergency_first(make, seed):
    rules = [
        {
            "name": f"rule-{number}",
            "when": {"kind": "bot.trouble", "where": {"what": number}},
            "until": "bot.healthy",
            "labels": {"pair": "pair"},
            "severity": ["low", "medium", "high", "critical"][number % 4],
            "title": "trouble",
        }
        for number in range(20)
    ]
    rules.append(
        {"name": "lost", "when": "bot.lost", "expires": "1d", "severity": "emergency", "title": "x"}
    )
    desk = make(
        rules=rules,
        route={
            "routes": [
                {"match": {"severity": "emergency"}, "group_wait": "0", "group_interval": "15s"},
                {"match": {"severity": "critical"}, "group_wait": "10s", "group_interval": "1m"},
            ]
        },
    )
    desk.is_checked = False  # at the end is enough here
    source = random.Random(seed)
    emergency_at = source.randrange(2000, 8000)
    for start in range(0, 10_000, 100):
        events = []
        for number in range(start, start + 100):
            if number == emergency_at:
                events.append(desk.event("bot.lost", "bot-7"))
            else:
                what, pair = source.randrange(20), f"P{number}"
                events.append(
                    desk.event("bot.trouble", f"bot-{number % 300}", what=what, pair=pair)
                )
        desk.happens(*events)
        desk.passes(0.1)
    desk.passes(1200)
    desk.agrees()
    assert len(desk.said) <= 5
    first_s, first = desk.said[0]
    assert str(first.severity) == "emergency"
    assert first_s == pytest.approx(emergency_at / 1000, abs=0.2)
    told = {
        one
        for record in desk.records
        if record.kind == "alert.told"
        for portion in record.payload["groups"].values()
        for one in portion["told"]
    }
    assert len(told) == 10_000
