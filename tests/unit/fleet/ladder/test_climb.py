"""Every rung of the ladder: what makes it fail, what does not, and what is not judged."""

from dataclasses import replace

import pytest

from automation.core.model import ApiFacts, Health, Identity, ProcessFacts, UnitSnapshot
from automation.core.vitals import (
    AtExchange,
    Mention,
    OpenOrder,
    OpenTrade,
    Rung,
    Topic,
    Usage,
    Vitals,
)
from automation.fleet.ladder.climb import climb
from automation.fleet.timing import Timing

TIMING = Timing()
LIMITS = TIMING.limits
NOW_S, EPOCH_S = 10_000.0, 1_700_000_000.0
ALIVE = ProcessFacts(Identity(7, 1, "b"), is_alive=True, since_s=0.0, seen_s=NOW_S - 1000)
API = ApiFacts(answered_s=NOW_S, trader="running", looped_epoch_s=EPOCH_S - 3, timeframe_s=300)
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
FRESH = tuple((pair, EPOCH_S - 100) for pair in PAIRS)
WELL = Vitals(candles=FRESH, analyzed=FRESH, seen_s=NOW_S)
TRADE = OpenTrade(1, 5, PAIRS[0], False, 0.5, False, EPOCH_S - LIMITS.stop_grace_s - 1)


def look(vitals=WELL, api=API, process=ALIVE):
    unit = UnitSnapshot("a", process=process, api=api, vitals=vitals)
    found = climb(unit, TIMING, now_s=NOW_S, now_epoch_s=EPOCH_S)
    assert [finding.rung for finding in found] == list(Rung)
    return {finding.rung: finding for finding in found}


def said(topic, count=1, ago_s=1.0, words="what it said"):
    return Mention(topic, count, NOW_S - ago_s - 1, NOW_S - ago_s, words)


def old(pair, closed_ago_s):
    return tuple((p, EPOCH_S - (closed_ago_s if p == pair else 100)) for p in PAIRS)


def test_a_healthy_bot_stands_on_every_rung():
    assert {finding.health for finding in look().values()} == {Health.HEALTHY}
    assert all(finding.evidence for finding in look().values())


LATE_S = 3 * 300 + TIMING.candle_grace_s + TIMING.poll_s * len(PAIRS) + 1
TROUBLE = [
    (Rung.API, {"api": replace(API, answered_s=NOW_S - 12, failing_since_s=NOW_S - 9)}, "degraded"),
    (Rung.API, {"api": replace(API, answered_s=NOW_S - 60, failing_since_s=NOW_S - 9)}, "due"),
    (Rung.API, {"api": ApiFacts()}, "due"),
    (Rung.LOGIN, {"api": replace(API, is_refused=True)}, "unhealthy"),
    (Rung.TRADER, {"api": replace(API, trader="stopped")}, "unhealthy"),
    (
        Rung.TRADER,
        {
            "api": replace(API, trader="stopped"),
            "vitals": replace(WELL, log=(said(Topic.FELL),)),
        },
        "due",
    ),
    (Rung.LOOP, {"api": replace(API, looped_epoch_s=EPOCH_S - 121)}, "degraded"),
    (Rung.LOOP, {"api": replace(API, looped_epoch_s=EPOCH_S - 301)}, "due"),
    (Rung.CANDLES, {"vitals": replace(WELL, candles=old(PAIRS[1], LATE_S))}, "degraded"),
    (
        Rung.CANDLES,
        {"vitals": replace(WELL, candles=tuple((p, EPOCH_S - LATE_S) for p in PAIRS))},
        "due",
    ),
    (Rung.SIGNALS, {"vitals": replace(WELL, analyzed=old(PAIRS[2], LATE_S))}, "degraded"),
    (
        Rung.EXCHANGE,
        {"vitals": replace(WELL, log=(said(Topic.EXCHANGE, LIMITS.exchange_errors),))},
        "due",
    ),
    (Rung.EXCHANGE, {"vitals": replace(WELL, log=(said(Topic.BAN),))}, "unhealthy"),
    (Rung.CLOCK, {"vitals": replace(WELL, log=(said(Topic.CLOCK),))}, "degraded"),
    (Rung.CLOCK, {"api": replace(API, looped_epoch_s=EPOCH_S + 3)}, "degraded"),
    (
        Rung.ORDERS,
        {"vitals": replace(WELL, orders=(OpenOrder(1, PAIRS[0], True, EPOCH_S - 1321),))},
        "due",
    ),
    (
        Rung.ORDERS,
        {
            "vitals": replace(
                WELL, order_limit_s=60.0, orders=(OpenOrder(1, PAIRS[0], False, EPOCH_S - 181),)
            )
        },
        "due",
    ),
    (Rung.STOPS, {"vitals": replace(WELL, needs_stops=True, trades=(TRADE,))}, "due"),
    (Rung.DATABASE, {"vitals": replace(WELL, log=(said(Topic.DATABASE),))}, "degraded"),
    (Rung.DATABASE, {"vitals": replace(WELL, log=(said(Topic.DATABASE, 2),))}, "due"),
    (Rung.RESOURCES, {"vitals": replace(WELL, usage=Usage(disk_free_bytes=1))}, "unhealthy"),
    (Rung.RESOURCES, {"vitals": replace(WELL, log=(said(Topic.DISK),))}, "unhealthy"),
    (Rung.RESOURCES, {"vitals": replace(WELL, usage=Usage(960, 1000))}, "due"),
    (Rung.RESOURCES, {"vitals": replace(WELL, usage=Usage(files=90, files_limit=100))}, "due"),
    (Rung.LOG, {"vitals": replace(WELL, log=(said(Topic.ERROR, LIMITS.log_errors),))}, "degraded"),
]


@pytest.mark.parametrize(("rung", "known", "how"), TROUBLE)
def test_what_makes_a_rung_fail(rung, known, how):
    finding = look(**known)[rung]
    assert finding.health in (Health.DEGRADED, Health.UNHEALTHY)
    assert finding.is_due == (how == "due")
    if how != "due":
        assert finding.health == how
    assert finding.evidence


def test_a_strategy_without_signals_is_told_and_not_judged():
    finding = look(vitals=replace(WELL, without_signals=PAIRS[0]))[Rung.SIGNALS]
    assert (finding.health, finding.is_due) == (Health.UNKNOWN, False)
    assert PAIRS[0] in finding.evidence


FINE = [
    (Rung.API, {"api": replace(API, answered_s=NOW_S - 11, failing_since_s=NOW_S - 9)}),
    (Rung.LOOP, {"api": replace(API, looped_epoch_s=EPOCH_S - 119)}),
    (Rung.CANDLES, {"vitals": replace(WELL, candles=old(PAIRS[1], 900))}),
    (Rung.EXCHANGE, {"vitals": replace(WELL, log=(said(Topic.EXCHANGE, 1),))}),
    (Rung.EXCHANGE, {"vitals": replace(WELL, log=(said(Topic.EXCHANGE, 9, ago_s=61),))}),
    (Rung.EXCHANGE, {"vitals": replace(WELL, log=(said(Topic.BAN, 9, ago_s=121),))}),
    (Rung.CLOCK, {"api": replace(API, looped_epoch_s=EPOCH_S + 1)}),
    (Rung.LOG, {"vitals": replace(WELL, log=(said(Topic.ERROR, 2),))}),
    (Rung.DATABASE, {"vitals": replace(WELL, log=(said(Topic.DATABASE, 5, ago_s=301),))}),
    (Rung.RESOURCES, {"vitals": replace(WELL, usage=Usage(500, 1000, 0.5))}),
    (
        Rung.ORDERS,
        {"vitals": replace(WELL, orders=(OpenOrder(1, PAIRS[0], True, EPOCH_S - 60),))},
    ),
    (Rung.STOPS, {"vitals": replace(WELL, trades=(TRADE,))}),  # not live
]


@pytest.mark.parametrize(("rung", "known"), FINE)
def test_what_does_not(rung, known):
    assert look(**known)[rung].health is Health.HEALTHY


def test_many_pairs_are_given_the_time_of_a_round():
    pairs = [f"{number}/USDT:USDT" for number in range(60)]
    api = replace(API, timeframe_s=60)
    # Each was seen up to a round ago, with a candle that was fresh then.
    ages = [number * TIMING.poll_s + 60 for number in range(60)]
    seen = tuple((pair, EPOCH_S - age) for pair, age in zip(pairs, ages, strict=True))
    vitals = replace(WELL, candles=seen, analyzed=seen)
    assert look(vitals, api)[Rung.CANDLES].health is Health.HEALTHY
    assert look(vitals, api)[Rung.SIGNALS].health is Health.HEALTHY


@pytest.mark.parametrize(
    "trade",
    [
        replace(TRADE, has_stop=True),
        replace(TRADE, filled_epoch_s=EPOCH_S - LIMITS.stop_grace_s + 1),
        replace(TRADE, filled_epoch_s=None),
        replace(TRADE, amount=0.0),
    ],
)
def test_a_trade_that_needs_no_stop_yet(trade):
    vitals = replace(WELL, needs_stops=True, trades=(trade,))
    assert look(vitals)[Rung.STOPS].health is Health.HEALTHY


def test_a_trade_that_is_being_closed_has_lost_its_stop_on_purpose():
    leaving = (OpenOrder(TRADE.trade_id, TRADE.pair, False, EPOCH_S - 1),)
    vitals = replace(WELL, needs_stops=True, trades=(TRADE,), orders=leaving)
    assert look(vitals)[Rung.STOPS].health is Health.HEALTHY


HELD = replace(TRADE, has_stop=True)
SEEN = AtExchange(NOW_S - 5)


@pytest.mark.parametrize(
    ("at_exchange", "witness"),
    [
        (None, "as the bot reports"),
        (SEEN, "as the exchange says"),
        (replace(SEEN, lacking=((TRADE.trade_id, 1),)), "as the exchange says"),
        (replace(SEEN, lacking=((99, 5),)), "as the exchange says"),
        (replace(SEEN, problem="no answer in time"), "was not asked: no answer in time"),
        (AtExchange(NOW_S - 600, lacking=((TRADE.trade_id, 5),)), "was not asked lately"),
    ],
)
def test_stops_stand_on_the_word_of_a_named_witness(at_exchange, witness):
    vitals = replace(WELL, needs_stops=True, trades=(HELD,), at_exchange=at_exchange)
    found = look(vitals)[Rung.STOPS]
    assert found.health is Health.HEALTHY
    assert found.evidence.endswith(witness)


@pytest.mark.parametrize("problem", ["", "no answer in time"])
def test_a_stop_that_the_exchange_does_not_have_is_missing_whatever_the_bot_reports(problem):
    seen = replace(SEEN, lacking=((TRADE.trade_id, LIMITS.stop_looks),), problem=problem)
    vitals = replace(WELL, needs_stops=True, trades=(HELD,), at_exchange=seen)
    found = look(vitals)[Rung.STOPS]
    assert (found.health, found.is_due) == (Health.UNHEALTHY, True)
    assert "as the exchange says, though the bot reports one" in found.evidence
    young = replace(HELD, filled_epoch_s=EPOCH_S - 5)
    assert look(replace(vitals, trades=(young,)))[Rung.STOPS].health is Health.HEALTHY


def test_a_stop_that_the_bot_does_not_know_is_missing_whatever_the_exchange_has():
    vitals = replace(WELL, needs_stops=True, trades=(TRADE,), at_exchange=SEEN)
    found = look(vitals)[Rung.STOPS]
    assert found.is_due
    assert found.evidence.endswith("as the bot reports")


def test_nothing_is_asked_of_the_dead_but_why():
    found = look(process=replace(ALIVE, is_alive=False))
    assert found[Rung.PROCESS].is_due
    others = {finding.health for rung, finding in found.items() if rung is not Rung.PROCESS}
    assert others == {Health.UNKNOWN}


def test_a_rung_on_a_broken_one_is_not_judged_but_what_is_seen_from_outside():
    api = replace(API, answered_s=NOW_S - 100, failing_since_s=NOW_S - 99)
    vitals = replace(
        WELL,
        candles=old(PAIRS[0], 9000),
        log=(said(Topic.DATABASE, 3),),
        usage=Usage(999, 1000),
    )
    found = look(vitals, api)
    assert found[Rung.CANDLES].health is Health.UNKNOWN
    assert found[Rung.ORDERS].health is Health.UNKNOWN
    assert found[Rung.DATABASE].is_due
    assert found[Rung.RESOURCES].is_due


def test_a_fresh_process_is_given_time():
    fresh = replace(ALIVE, seen_s=NOW_S - LIMITS.warmup_s + 1)
    vitals = replace(WELL, candles=tuple((p, EPOCH_S - LATE_S) for p in PAIRS))
    assert not look(vitals, process=fresh)[Rung.CANDLES].is_due
    young = look(api=ApiFacts(), process=replace(ALIVE, seen_s=NOW_S - 10))
    assert young[Rung.API].health is Health.UNKNOWN
