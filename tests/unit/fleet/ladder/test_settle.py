"""Hysteresis: what is believed turns seldom, whatever is seen."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from automation.core.model import Finding, Health
from automation.core.vitals import Rung
from automation.fleet.ladder.limits import Limits
from automation.fleet.ladder.settle import ladder_of, settle

LIMITS = Limits()


def run(healths, rung=Rung.API, step_s=1.0, limits=LIMITS):
    beliefs, told = {}, []
    for number, health in enumerate(healths):
        seen = (Finding(rung, health, "x", health is Health.UNHEALTHY),)
        beliefs = settle(beliefs, seen, limits, number * step_s)
        (finding,) = ladder_of(beliefs)
        told.append(finding)
    return told


GOOD, POOR, BAD = Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY


def test_a_first_failure_and_a_first_recovery_are_believed_at_once():
    told = run([GOOD, BAD, BAD, GOOD])
    assert [finding.health for finding in told] == [GOOD, BAD, BAD, GOOD]


def test_a_rung_with_a_confirmation_time_waits_for_it():
    told = run([GOOD, POOR, POOR, POOR, POOR, POOR, POOR], Rung.EXCHANGE)
    assert [finding.health for finding in told] == [GOOD] * 6 + [POOR]
    told = run([GOOD, POOR, GOOD, POOR, GOOD, POOR], Rung.EXCHANGE)
    assert {finding.health for finding in told} == {GOOD}


def test_a_confirmation_time_holds_for_the_first_look_too():
    assert run([POOR], Rung.EXCHANGE)[0].health is Health.UNKNOWN


def test_worse_is_believed_at_once_when_it_was_bad_already():
    told = run([GOOD, POOR, BAD])
    assert told[-1].health is BAD


def test_a_flapping_rung_must_stay_good_before_it_is_believed():
    told = run([GOOD, BAD] * 3 + [GOOD] * 100)
    turned = [n for n, (a, b) in enumerate(pairwise(told)) if a.health is not b.health]
    assert len(turned) <= LIMITS.flaps + 2
    assert told[20].health is BAD
    assert told[-1].health is GOOD


@given(st.lists(st.sampled_from([GOOD, POOR, BAD, Health.UNKNOWN]), min_size=50, max_size=600))
def test_belief_turns_seldom_whatever_is_seen(healths):
    told = run(healths)
    bad = [finding.health in (POOR, BAD) for finding in told]
    turns = [n for n, (a, b) in enumerate(pairwise(bad)) if a != b]
    # Within any flap window: the free turns, then one pair for each waiting time that fits.
    for first in range(len(turns)):
        within = [t for t in turns[first:] if t - turns[first] < LIMITS.flap_window_s]
        assert len(within) <= LIMITS.flaps + 2 * 5
    # What lasts is believed.
    tail = healths[-1]
    lasting = run([*healths, *[tail] * 400])[-1]
    assert lasting.health is tail


@given(st.lists(st.sampled_from([GOOD, POOR, BAD]), min_size=2, max_size=100))
def test_a_rung_that_is_bad_now_is_never_believed_good(healths):
    """Without a confirmation time, a failure is never hidden."""
    for seen, finding in zip(healths, run(healths), strict=True):
        if seen is BAD:
            assert finding.health is BAD
