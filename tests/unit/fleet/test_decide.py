"""`decide` over random fleets: it terminates, bounds, and never acts twice on one unit."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automation.core.model import (
    SIMULATOR,
    Action,
    ActionKind,
    ApiFacts,
    BotState,
    DesiredFleet,
    DesiredUnit,
    FleetSnapshot,
    Health,
    Identity,
    ProcessFacts,
    Request,
    RestartMemory,
    UnitSnapshot,
    Verdict,
    Wish,
)
from automation.fleet.assess import assess
from automation.fleet.decide import decide
from automation.fleet.ladder.climb import climb
from automation.fleet.timing import Timing

TIMING = Timing()
# How fast worlds are made says nothing about `decide`, and machines are busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW_S = 10_000.0
AT = datetime(2025, 1, 1, tzinfo=UTC)
ALIVE = ProcessFacts(Identity(7, 1, "b"), is_alive=True, since_s=NOW_S - 50, seen_s=NOW_S - 50)
DEAD = ProcessFacts(Identity(7, 1, "b"), is_alive=False, since_s=NOW_S - 5, exit_code=1)
GOOD_API = ApiFacts(
    answered_s=NOW_S - 1, trader="running", looped_epoch_s=AT.timestamp() - 2, timeframe_s=300
)


def unit(name="a", wish=Wish.RUN, **known) -> UnitSnapshot:
    raw = UnitSnapshot(name, **known)
    if raw.process.is_alive and "findings" not in known:
        seen = climb(raw, TIMING, now_s=NOW_S, now_epoch_s=AT.timestamp())
        known["findings"] = tuple(replace(f, since_s=NOW_S - 500) for f in seen)
    verdict = assess(raw, wish, TIMING, now_s=NOW_S, now_epoch_s=AT.timestamp())
    return UnitSnapshot(name, **known, verdict=verdict)


def fleet(*units, going_down=False) -> FleetSnapshot:
    return FleetSnapshot("f", AT, NOW_S, tuple(units), going_down)


def desired(snapshot, wish=Wish.RUN, request=None, at_once=4) -> DesiredFleet:
    units = tuple(DesiredUnit(u.name, wish, request) for u in snapshot.units)
    return DesiredFleet(units, at_once)


def kinds(actions) -> list[tuple[str, ActionKind]]:
    return [(action.unit, action.kind) for action in actions]


HEALTHY_SIMULATOR = unit(SIMULATOR, process=ALIVE, api=ApiFacts(answered_s=NOW_S))


@st.composite
def units(draw, name):
    process = draw(
        st.builds(
            ProcessFacts,
            identity=st.just(Identity(7, 1, "b")) | st.none(),
            is_alive=st.booleans(),
            since_s=st.floats(0, NOW_S),
            seen_s=st.floats(0, NOW_S),
            exit_code=st.integers(-9, 3) | st.none(),
        )
    )
    api = draw(
        st.builds(
            ApiFacts,
            answered_s=st.floats(0, NOW_S) | st.none(),
            failing_since_s=st.floats(0, NOW_S) | st.none(),
            is_refused=st.booleans(),
            trader=st.sampled_from(["", "running", "paused", "stopped", "reload_config"]),
            looped_epoch_s=st.floats(0, AT.timestamp()) | st.none(),
        )
    )
    memory = draw(
        st.builds(
            RestartMemory,
            restarts=st.integers(0, 50),
            streak=st.integers(0, 50),
            not_before_s=st.sampled_from([0.0, NOW_S - 1, NOW_S, NOW_S + 1, NOW_S + 300]),
        )
    )
    busy = draw(st.sampled_from([None] * 5 + [*ActionKind]))
    blocked = draw(st.sampled_from(["", "port 1 is taken by x"]))
    wish = draw(st.sampled_from(list(Wish)))
    raw = {"process": process, "api": api, "memory": memory, "busy": busy, "blocked": blocked}
    request = draw(st.sampled_from([None, *Request]))
    return unit(name, wish, **raw), DesiredUnit(name, wish, request)


@st.composite
def worlds(draw):
    names = [f"bot-{number}" for number in range(draw(st.integers(1, 8)))]
    if draw(st.booleans()):
        names.append(SIMULATOR)
    made = [draw(units(name)) for name in names]
    wanted = [want for _, want in made if draw(st.integers(0, 9)) > 0]  # some are unknown
    at_once = draw(st.integers(1, 4))
    return fleet(*(snap for snap, _ in made)), DesiredFleet(tuple(wanted), at_once)


@UNHURRIED
@given(worlds())
def test_one_action_a_unit_and_none_on_a_busy_one(world):
    snapshot, wanted = world
    actions = decide(wanted, snapshot, TIMING, NOW_S)
    acted = [action.unit for action in actions]
    assert len(acted) == len(set(acted))
    busy = {u.name for u in snapshot.units if u.busy is not None}
    assert not busy & set(acted)
    assert all(action.reason for action in actions)


@UNHURRIED
@given(worlds())
def test_what_lives_is_never_started_and_what_is_dead_never_stopped(world):
    snapshot, wanted = world
    alive = {u.name for u in snapshot.units if u.process.is_alive}
    for action in decide(wanted, snapshot, TIMING, NOW_S):
        if action.kind is not ActionKind.QUARANTINE:
            assert (action.unit in alive) == (action.kind is not ActionKind.START)


@UNHURRIED
@given(worlds())
def test_starts_keep_to_the_back_off_and_to_the_slots(world):
    snapshot, wanted = world
    known = {u.name: u for u in snapshot.units}
    started = [
        a.unit for a in decide(wanted, snapshot, TIMING, NOW_S) if a.kind is ActionKind.START
    ]
    assert len(started) <= wanted.starts_at_once
    assert all(known[name].memory.not_before_s <= NOW_S for name in started)


@UNHURRIED
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(world, random):
    snapshot, wanted = world
    shuffled = list(snapshot.units)
    random.shuffle(shuffled)
    other = fleet(*shuffled)
    assert decide(wanted, snapshot, TIMING, NOW_S) == decide(wanted, other, TIMING, NOW_S)


@given(st.integers(1, 12))
def test_a_healthy_fleet_is_left_alone(bots):
    healthy = [unit(f"bot-{n}", process=ALIVE, api=GOOD_API) for n in range(bots)]
    snapshot = fleet(HEALTHY_SIMULATOR, *healthy)
    assert all(u.verdict.health is Health.HEALTHY for u in snapshot.units)
    assert decide(desired(snapshot), snapshot, TIMING, NOW_S) == ()


@UNHURRIED
@given(worlds())
def test_a_fleet_that_obeys_comes_to_rest(world):
    """Each action done as decided, decisions end: nothing is done and undone for ever."""
    snapshot, wanted = world
    wishes = {want.name: want.wish for want in wanted.units}
    state = {u.name: u for u in snapshot.units}
    requests = {want.name: want.request for want in wanted.units}
    # What is under way ends some day, and every back-off too.
    for name, known in state.items():
        state[name] = unit(name, wishes.get(name, Wish.STOP), process=known.process, api=known.api)
    for _ in range(len(state) * 4 + 4):
        current = DesiredFleet(
            tuple(DesiredUnit(n, w, requests[n]) for n, w in wishes.items()), wanted.starts_at_once
        )
        actions = decide(current, fleet(*state.values()), TIMING, NOW_S)
        if not actions:
            return
        for action in actions:
            state[action.unit] = _done(action, wishes)
            if action.kind is not ActionKind.START:
                requests[action.unit] = None
    pytest.fail("decisions went on and on")


def _done(action: Action, wishes) -> UnitSnapshot:
    wish = wishes.get(action.unit, Wish.STOP)
    if action.kind is ActionKind.STOP:
        return unit(action.unit, wish, process=DEAD)
    fresh = ProcessFacts(Identity(8, 2, "b"), is_alive=True, since_s=NOW_S, seen_s=NOW_S)
    return unit(action.unit, wish, process=fresh, api=GOOD_API)


def test_a_failed_unit_waits_for_its_back_off():
    waiting = unit("a", process=DEAD, memory=RestartMemory(streak=2, not_before_s=NOW_S + 0.1))
    over = unit("b", process=DEAD, memory=RestartMemory(streak=2, not_before_s=NOW_S))
    snapshot = fleet(waiting, over)
    (action,) = decide(desired(snapshot), snapshot, TIMING, NOW_S)
    assert (action.unit, action.kind) == ("b", ActionKind.START)
    assert action.reason == "it failed 2 times in a row and its wait is over"


def test_bots_wait_for_the_simulator():
    bot, simulator = unit("a"), unit(SIMULATOR)
    snapshot = fleet(bot, simulator)
    assert kinds(decide(desired(snapshot), snapshot, TIMING, NOW_S)) == [
        (SIMULATOR, ActionKind.START)
    ]
    snapshot = fleet(bot, HEALTHY_SIMULATOR)
    assert kinds(decide(desired(snapshot), snapshot, TIMING, NOW_S)) == [("a", ActionKind.START)]


def test_without_a_simulator_bots_start_at_once():
    snapshot = fleet(unit("a"), unit("b"))
    assert len(decide(desired(snapshot), snapshot, TIMING, NOW_S)) == 2


def test_the_simulator_is_stopped_after_the_last_bot():
    bot = unit("a", Wish.STOP, process=ALIVE, api=GOOD_API)
    snapshot = fleet(bot, HEALTHY_SIMULATOR, going_down=True)
    first = decide(desired(snapshot, Wish.STOP), snapshot, TIMING, NOW_S)
    assert kinds(first) == [("a", ActionKind.STOP)]
    assert first[0].reason == "the fleet goes down"
    stopping = unit("a", Wish.STOP, process=ALIVE, busy=ActionKind.STOP)
    snapshot = fleet(stopping, HEALTHY_SIMULATOR, going_down=True)
    assert decide(desired(snapshot, Wish.STOP), snapshot, TIMING, NOW_S) == ()
    snapshot = fleet(unit("a", Wish.STOP, process=DEAD), HEALTHY_SIMULATOR, going_down=True)
    last = decide(desired(snapshot, Wish.STOP), snapshot, TIMING, NOW_S)
    assert kinds(last) == [(SIMULATOR, ActionKind.STOP)]


def test_a_bot_that_never_came_up_is_restarted_as_a_failure():
    old = ProcessFacts(Identity(7, 1, "b"), is_alive=True, seen_s=NOW_S - TIMING.startup_s)
    snapshot = fleet(unit("a", process=old))
    (action,) = decide(desired(snapshot), snapshot, TIMING, NOW_S)
    assert action.kind is ActionKind.STOP
    assert action.is_remedy
    assert "does not answer yet" in action.reason


def test_an_adopted_bot_is_given_time_to_answer():
    """It has run for hours, but this supervisor has only just begun to ask it."""
    adopted = ProcessFacts(
        Identity(7, 1, "b"), is_alive=True, is_adopted=True, since_s=0.0, seen_s=NOW_S - 1
    )
    snapshot = fleet(unit("a", process=adopted))
    assert decide(desired(snapshot), snapshot, TIMING, NOW_S) == ()


def test_a_bot_that_hangs_is_restarted_as_a_failure():
    silent = ApiFacts(
        answered_s=NOW_S - TIMING.hung_s,
        failing_since_s=NOW_S - 50,
        trader="running",
        looped_epoch_s=AT.timestamp(),
    )
    snapshot = fleet(unit("a", process=ALIVE, api=silent))
    (action,) = decide(desired(snapshot), snapshot, TIMING, NOW_S)
    assert action.is_remedy
    assert "has not answered for 60 s" in action.reason


def test_a_refused_login_alone_restarts_nobody():
    refused = ApiFacts(failing_since_s=NOW_S - 500, is_refused=True)
    old = ProcessFacts(Identity(7, 1, "b"), is_alive=True, since_s=0.0)
    snapshot = fleet(unit("a", process=old, api=refused))
    assert decide(desired(snapshot), snapshot, TIMING, NOW_S) == ()
    assert snapshot.units[0].verdict.health is Health.UNHEALTHY
    assert "password" in snapshot.units[0].verdict.reason


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (Request.RESTART, ActionKind.STOP),
        (Request.PAUSE, ActionKind.PAUSE),
        (Request.RESUME, ActionKind.RESUME),
        (Request.RELOAD, ActionKind.RELOAD),
    ],
)
def test_requests_become_actions(request_, kind):
    snapshot = fleet(unit("a", process=ALIVE, api=GOOD_API))
    (action,) = decide(desired(snapshot, request=request_), snapshot, TIMING, NOW_S)
    assert action.kind is kind
    assert not action.is_remedy


def test_a_unit_the_fleet_no_longer_names_is_stopped():
    snapshot = fleet(unit("gone", process=ALIVE, api=GOOD_API))
    (action,) = decide(DesiredFleet(()), snapshot, TIMING, NOW_S)
    assert (action.kind, action.reason) == (ActionKind.STOP, "the fleet no longer names it")


def test_no_more_than_a_few_come_up_at_once():
    coming = [unit(f"c{n}", process=ALIVE) for n in range(3)]
    assert all(u.verdict.state is BotState.STARTING for u in coming)
    snapshot = fleet(*coming, unit("x"), unit("y"), unit("z"))
    actions = decide(desired(snapshot), snapshot, TIMING, NOW_S)
    assert kinds(actions) == [("x", ActionKind.START)]


def test_verdict_is_only_read():
    strange = UnitSnapshot("a", verdict=Verdict(BotState.QUARANTINED, Health.UNHEALTHY, "x"))
    snapshot = fleet(strange)
    assert decide(desired(snapshot), snapshot, TIMING, NOW_S) == decide(
        desired(snapshot), snapshot, TIMING, NOW_S
    )
