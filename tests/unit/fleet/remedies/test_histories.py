"""`decide` over thousands of random histories of a fleet that falls ill in every way it can."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.core.model import ActionKind
from automation.core.vitals import Remedy, Rung
from automation.fleet.remedies import breakers, budget
from automation.fleet.remedies.plan import PLANS
from tests.unit.fleet.remedies.world import DISTURBING, ILLS, Bot, World, restarts_of

STEPS = 120  # half an hour


def lived(seed, bots=4, ills=ILLS, steps=STEPS):
    world = World(seed, [Bot(f"bot-{number}") for number in range(bots)])
    world.live(steps, ills)
    return world


def check(world) -> None:
    _within_budget(world)
    for at_s, action, bot, opened in world.decided:
        assert action.reason
        if action.kind is ActionKind.START:
            assert not bot.process.is_alive
            assert not breakers.forbidding(opened), "started against a dependency that fails"
            if bot.quarantine:
                assert bot.had_trades, "a quarantined bot without trades was tried again"
        if action.remedy in DISTURBING and bot.process.is_alive:
            assert not breakers.explaining(action.rung, opened), "restarted for a dependency"
            _not_amid_order(world, at_s, action, bot)
        if action.kind is ActionKind.RELEASE:
            assert not any(hold.needs_person for hold in bot.holds)
    _cheapest_first(world)


def _within_budget(world) -> None:
    limits, times = world.timing.limits, restarts_of(world)
    for first in times:
        inside = [at_s for at_s in times if first <= at_s < first + limits.budget_window_s]
        assert len(inside) <= budget.total(len(world.bots), limits)
        minute = [at_s for at_s in inside if at_s < first + 60]
        assert len(minute) <= limits.restarts_per_minute


def _not_amid_order(world, at_s, action, bot) -> None:
    if not bot.vitals.orders:
        return
    (finding,) = [f for f in bot.findings if f.rung is action.rung]
    assert at_s - finding.since_s >= world.timing.limits.order_wait_s


def _cheapest_first(world) -> None:
    """Within one illness of one bot, remedies come in the order of its plan."""
    last = {}
    for _, action, bot, _ in world.decided:
        if action.remedy is None or action.rung is None:
            continue
        order = PLANS[action.rung]
        tried = bot.remedy.tried if bot.remedy.rung is action.rung else ()
        assert action.remedy not in tried
        assert action.remedy is next(r for r in order if r not in tried)
        last[bot.name] = action.remedy


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_rules_hold_whatever_befalls_the_fleet(seed, bots):
    check(lived(seed, bots))


@pytest.mark.long
@settings(max_examples=4000)
@given(st.integers(0, 2**32), st.integers(1, 9))
def test_rules_hold_over_thousands_of_histories(seed, bots):
    check(lived(seed, bots))


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_a_healthy_fleet_is_started_and_then_left_alone(seed):
    world = lived(seed, ills=("well",))
    assert {action.kind for _, action, _, _ in world.decided} == {ActionKind.START}
    assert len(world.decided) == len(world.bots)


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_a_ban_restarts_nobody(seed):
    world = lived(seed, ills=("banned",))
    assert restarts_of(world) == []
    assert not any(action.remedy in DISTURBING for _, action, _, _ in world.decided)


def test_a_fleet_without_exchange_is_left_alone_and_comes_back():
    world = World(1, [Bot(f"bot-{n}") for n in range(4)])
    world.live(20, ("well",))
    for bot in world.bots:
        bot.ill, bot.until_s = "exchange", world.now_s + 600
    began = len(world.decided)
    world.live(39, ("well",))
    assert world.decided[began:] == []
    assert all(bot.alive for bot in world.bots)
    world.live(20, ("well",))
    assert all(bot.snapshot.verdict.health == "healthy" for bot in world.bots)


def sick(ill, steps=100):
    world = World(3, [Bot("bot-1"), Bot("bot-2"), Bot("bot-3")])
    world.live(20, ("well",))
    patient = world.bots[0]
    patient.ill, patient.until_s, patient.ill_since_s = ill, world.now_s + 1e6, world.now_s
    if ill == "fallen":
        patient.trader = "stopped"
    began = len(world.decided)
    world.live(steps, ("well",))
    return world, [(action.kind, action.remedy) for _, action, _, _ in world.decided[began:]]


def test_stale_candles_are_answered_cheapest_first_and_end_in_quarantine():
    world, done = sick("stale", 200)
    remedies = [remedy for _, remedy in done if remedy is not None]
    assert remedies == [Remedy.RELOAD, Remedy.RESTART, Remedy.REPLACE, Remedy.QUARANTINE]
    assert world.bots[0].quarantine
    assert world.bots[0].alive  # it still minds its trades
    assert world.bots[0].trader == "paused"


def test_an_unprotected_position_stops_entries_before_anything_is_ended():
    _, done = sick("naked")
    remedies = [remedy for _, remedy in done if remedy is not None]
    assert remedies[:2] == [Remedy.HALT, Remedy.RELOAD]


def test_a_bot_that_dies_for_ever_is_quarantined_and_the_others_are_not_touched():
    world, done = sick("dies", 400)
    assert world.bots[0].quarantine
    others = [a for _, a, bot, _ in world.decided if bot.name != "bot-1"]
    assert len(others) == 2  # their first starts
    assert done[-1][0] is ActionKind.QUARANTINE


def test_holds_of_a_rung_end_with_it():
    world = World(3, [Bot("bot-1")])
    world.live(20, ("well",))
    bot = world.bots[0]
    bot.ill, bot.until_s = "naked", world.now_s + 30
    world.live(20, ("well",))
    kinds = [action.kind for _, action, _, _ in world.decided]
    assert kinds[-2:] == [ActionKind.HALT, ActionKind.RELEASE]
    assert bot.trader == "running"


def test_every_plan_names_a_rung_once_and_no_remedy_twice():
    assert set(PLANS) <= set(Rung)
    for plan in PLANS.values():
        assert len(plan) == len(set(plan))
