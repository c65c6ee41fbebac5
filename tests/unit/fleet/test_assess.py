"""Verdicts: every state and health a unit can be in, with the reason a person reads."""

from dataclasses import replace

import pytest

from automation.core.model import (
    KILLED_FOR_MEMORY,
    SIMULATOR,
    ActionKind,
    ApiFacts,
    BotState,
    Health,
    Identity,
    ProcessFacts,
    RestartMemory,
    UnitSnapshot,
    Wish,
)
from automation.fleet.assess import assess, describe_end
from automation.fleet.timing import Timing

TIMING = Timing()
NOW_S, EPOCH_S = 1000.0, 1_700_000_000.0
ALIVE = ProcessFacts(Identity(7, 1, "b"), is_alive=True, since_s=NOW_S - 30, seen_s=NOW_S - 30)
LOOPING = ApiFacts(
    answered_s=NOW_S,
    trader="running",
    looped_epoch_s=EPOCH_S - 3,
    candle_closed_epoch_s=EPOCH_S - 200,
    candle_pair="BTC/USDT:USDT",
    timeframe_s=300,
)


def judge(wish=Wish.RUN, waits_for="", **known):
    name = known.pop("name", "a")
    unit = UnitSnapshot(name, **known)
    return assess(unit, wish, TIMING, now_s=NOW_S, now_epoch_s=EPOCH_S, waits_for=waits_for)


@pytest.mark.parametrize(
    ("known", "state", "health", "words"),
    [
        ({"wish": Wish.STOP}, BotState.STOPPED, Health.UNKNOWN, "as asked"),
        ({}, BotState.QUEUED, Health.UNKNOWN, "its turn"),
        ({"waits_for": "the simulator"}, BotState.QUEUED, Health.UNKNOWN, "the simulator"),
        ({"busy": ActionKind.START}, BotState.STARTING, Health.UNKNOWN, "being started"),
        ({"process": ALIVE}, BotState.STARTING, Health.UNKNOWN, "30 s after the start"),
        (
            {"process": replace(ALIVE, seen_s=0.0)},
            BotState.STARTING,
            Health.UNHEALTHY,
            "does not answer",
        ),
        (
            {"process": ALIVE, "api": ApiFacts(answered_s=NOW_S)},
            BotState.WARMING,
            Health.UNKNOWN,
            "loads candles",
        ),
        ({"process": ALIVE, "api": LOOPING}, BotState.RUNNING, Health.HEALTHY, "trades"),
        (
            {"process": ALIVE, "api": replace(LOOPING, trader="paused")},
            BotState.PAUSED,
            Health.HEALTHY,
            "enters none",
        ),
        (
            {"process": ALIVE, "api": replace(LOOPING, trader="stopped")},
            BotState.FAILED,
            Health.UNHEALTHY,
            "stopped trading",
        ),
        (
            {"process": ALIVE, "api": replace(LOOPING, looped_epoch_s=EPOCH_S - 200)},
            BotState.RUNNING,
            Health.DEGRADED,
            "not looped for 200 s",
        ),
        (
            {"process": ALIVE, "api": replace(LOOPING, looped_epoch_s=EPOCH_S - 400)},
            BotState.RUNNING,
            Health.UNHEALTHY,
            "not looped for 400 s",
        ),
        (
            {"process": ALIVE, "api": replace(LOOPING, candle_closed_epoch_s=EPOCH_S - 3000)},
            BotState.RUNNING,
            Health.DEGRADED,
            "BTC/USDT:USDT closed 50 minutes ago",
        ),
        (
            {"process": ALIVE, "api": replace(LOOPING, is_refused=True)},
            BotState.RUNNING,
            Health.UNHEALTHY,
            "password",
        ),
        (
            {"process": ALIVE, "api": LOOPING, "busy": ActionKind.STOP},
            BotState.RUNNING,
            Health.UNKNOWN,
            "being stopped",
        ),
    ],
)
def test_verdicts(known, state, health, words):
    verdict = judge(**known)
    assert (verdict.state, verdict.health) == (state, health)
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("silent_s", "health"), [(5, Health.HEALTHY), (12, Health.DEGRADED), (30, Health.UNHEALTHY)]
)
def test_silence_grows_worse(silent_s, health):
    api = replace(LOOPING, answered_s=NOW_S - silent_s, failing_since_s=NOW_S - silent_s + 1)
    assert judge(process=ALIVE, api=api).health is health


def test_the_failure_and_the_next_try_are_told():
    dead = ProcessFacts(Identity(7, 1, "b"), exit_code=2, last_words="No strategy found")
    verdict = judge(process=dead, memory=RestartMemory(streak=3, not_before_s=NOW_S + 20))
    assert verdict.state is BotState.FAILED
    assert verdict.reason == "it ended with exit code 2: No strategy found; starts again in 20 s"


def test_a_blocked_start_is_told():
    verdict = judge(blocked="port 8080 is taken by pid 1 (nginx)")
    assert verdict.health is Health.UNHEALTHY
    assert verdict.reason.startswith("port 8080 is taken by pid 1 (nginx); starts again")


def test_the_simulator_is_healthy_when_it_answers():
    verdict = judge(name=SIMULATOR, process=ALIVE, api=ApiFacts(answered_s=NOW_S))
    assert (verdict.state, verdict.health) == (BotState.RUNNING, Health.HEALTHY)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (ProcessFacts(exit_code=-9), "it was killed by signal 9"),
        (ProcessFacts(exit_code=-9, last_words=KILLED_FOR_MEMORY), KILLED_FOR_MEMORY),
        (ProcessFacts(exit_code=0), "it ended with exit code 0"),
        (ProcessFacts(exit_code=1, last_words="x"), "it ended with exit code 1: x"),
        (ProcessFacts(is_adopted=True), "it ended"),
        (ProcessFacts(), "it ended while no supervisor watched"),
    ],
)
def test_ends_are_described(facts, told):
    assert describe_end(UnitSnapshot("a", process=facts)) == told
