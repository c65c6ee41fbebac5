"""When an account has lost too much: the rules, and what must hold for any history."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.fleet.guards.judge import (
    DAY_US,
    Account,
    Guard,
    Limits,
    Result,
    Worth,
    note_trade,
    note_worth,
    profit_factor,
    readings,
    resume,
    sharpe,
    standing,
)
from tradekit import metrics

HOUR_US = DAY_US // 24
ALL = Limits(
    drawdown_frac=0.15,
    daily_loss_frac=0.05,
    losing_streak=3,
    pause_s=7200.0,
    trades=4,
    win_rate_frac=0.5,
    profit_factor=1.2,
    sharpe=0.5,
)
OFF = Limits(drawdown_frac=0.0)


def worth(equity, peak=1000.0, start=1000.0):
    return Worth(equity, peak, start)


def lost(n=0, by=1.0):
    return Result(-by, -by / 100, n * 3_600_000)


def won(n=0, by=1.0):
    return Result(by, by / 100, n * 3_600_000)


def guards(account, now_us):
    return {trip.guard for trip in standing(account, now_us)}


def test_a_drawdown_stands_until_a_person_resumes_and_counts_anew_from_there():
    limits = Limits(drawdown_frac=0.15)
    account = note_worth(Account(), worth(851.0), 1, limits)
    assert guards(account, 1) == set()
    account = note_worth(account, worth(850.0), 2, limits)
    (trip,) = standing(account, 2)
    assert trip.needs_person
    assert "15.0% below its peak so far" in trip.reason
    account = note_worth(account, worth(1000.0), 3, limits)
    assert guards(account, 10**18) == {Guard.DRAWDOWN}  # no gain and no time ends it
    account = note_worth(account, worth(850.0), 4, limits)
    account = resume(account, 5)
    account = note_worth(account, worth(723.0), 6, limits)
    assert guards(account, 6) == set()
    account = note_worth(account, worth(722.0), 7, limits)
    assert "since it was resumed" in standing(account, 7)[0].reason


def test_another_account_begins_with_its_own_peak():
    limits = Limits(drawdown_frac=0.15)
    account = resume(note_worth(Account(), worth(500.0), 1, limits), 2)
    account = note_worth(account, worth(300.0, peak=300.0), 3, limits)
    assert guards(account, 3) == set()
    assert not account.is_rebased


def test_a_daily_loss_ends_with_its_day():
    limits = replace(OFF, daily_loss_frac=0.05)
    noon = 12 * HOUR_US
    account = note_worth(Account(), worth(949.0), noon, limits)
    assert guards(account, noon) == {Guard.DAILY_LOSS}
    assert guards(account, DAY_US - 1) == {Guard.DAILY_LOSS}
    assert guards(account, DAY_US) == set()
    account = note_worth(account, worth(940.0, start=949.0), DAY_US + 1, limits)
    assert guards(account, DAY_US + 1) == set()


def test_a_daily_loss_that_was_resumed_counts_from_there():
    limits = replace(OFF, daily_loss_frac=0.05)
    account = resume(note_worth(Account(), worth(949.0), 1, limits), 2)
    account = note_worth(account, worth(910.0), 3, limits)
    assert guards(account, 3) == set()
    account = note_worth(account, worth(900.0), 4, limits)
    assert guards(account, 4) == {Guard.DAILY_LOSS}


def test_a_losing_streak_pauses_and_then_counts_anew():
    limits = replace(OFF, losing_streak=3, pause_s=7200.0)
    account = Account()
    for n, result in enumerate((lost(), lost(), won(), lost(), lost())):
        account = note_trade(account, result, n, limits)
    assert guards(account, 5) == set()
    account = note_trade(account, lost(), 5, limits)
    assert guards(account, 5) == {Guard.LOSING_STREAK}
    later = 5 + 2 * HOUR_US
    assert guards(account, later) == set()
    for n in range(2):
        account = note_trade(account, lost(), later + n, limits)
    assert guards(account, later + 2) == set()
    account = note_trade(account, lost(), later + 3, limits)
    assert guards(account, later + 3) == {Guard.LOSING_STREAK}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"win_rate_frac": 0.6}, "win rate 0.50 instead of 0.60"),
        ({"profit_factor": 1.5}, "profit factor 1.00 instead of 1.50"),
        ({"sharpe": 0.1}, "Sharpe ratio 0.00 instead of 0.10"),
    ],
)
def test_missed_targets_over_the_last_trades(target, words):
    limits = replace(OFF, trades=4, **target)
    account = Account()
    for n, result in enumerate((won(0), lost(1), won(2))):
        account = note_trade(account, result, n, limits)
    assert guards(account, 3) == set()  # too few to judge
    account = note_trade(account, lost(3), 4, limits)
    (trip,) = standing(account, 4)
    assert words in trip.reason
    assert not trip.needs_person


def test_targets_that_are_met_or_cannot_be_computed_stop_nothing():
    limits = replace(OFF, trades=3, win_rate_frac=0.5, profit_factor=1.2, sharpe=0.1)
    account = Account()
    for n in range(5):
        account = note_trade(account, won(), n, limits)  # no time between, no loss, no difference
    assert guards(account, 5) == set()


def test_what_is_off_is_never_read():
    account = note_trade(note_worth(Account(), worth(1.0), 1, OFF), lost(), 2, OFF)
    assert readings(account, OFF) == ()
    assert guards(account, 3) == set()


@st.composite
def histories(draw):
    """Facts in the order of time: equity, trades, and persons who resume."""
    at_us, facts = 0, []
    equity = peak = start = 1000.0
    day = 0
    for _ in range(draw(st.integers(0, 60))):
        at_us += draw(st.integers(1, 8 * HOUR_US))
        if at_us // DAY_US != day:
            day, start = at_us // DAY_US, equity
        what = draw(st.sampled_from(["worth", "worth", "trade", "trade", "resume"]))
        if what == "worth":
            equity = max(1.0, equity * (1 + draw(st.floats(-0.12, 0.1))))
            peak = max(peak, equity)
            facts.append((at_us, Worth(equity, peak, start)))
        elif what == "trade":
            frac = draw(st.floats(-0.1, 0.1))
            facts.append((at_us, Result(frac * 100, frac, at_us // 1000)))
        else:
            facts.append((at_us, None))
    return facts


def take(account, fact, limits):
    at_us, what = fact
    if what is None:
        return resume(account, at_us)
    note = note_worth if isinstance(what, Worth) else note_trade
    return note(account, what, at_us, limits)


@given(histories())
def test_a_drawdown_is_never_left_without_a_person_and_never_missed(facts):
    account, stands, peak = Account(), False, 0.0
    for fact in facts:
        account = take(account, fact, ALL)
        at_us, what = fact
        if isinstance(what, Worth):
            peak = max(peak, what.equity_usdt) if peak else what.peak_usdt
            stands = stands or what.equity_usdt <= peak * 0.85
        if what is None and stands:
            stands, peak = False, account.equity_usdt
        assert (Guard.DRAWDOWN in guards(account, at_us)) is stands


@given(histories(), st.integers(0, 60))
def test_a_supervisor_that_begins_anew_judges_as_the_one_before(facts, cut):
    whole = Account()
    for fact in facts:
        whole = take(whole, fact, ALL)
    first = Account()
    for fact in facts[:cut]:
        first = take(first, fact, ALL)
    again = first
    for fact in facts[cut:]:
        again = take(again, fact, ALL)
    assert again == whole


@given(histories())
def test_every_guard_stands_once_at_most_and_only_while_it_is_watched(facts):
    account = Account()
    for fact in facts:
        account = take(account, fact, ALL)
        known = [trip.guard for trip in account.trips]
        assert len(known) == len(set(known))
        assert all(trip.until_us is None or trip.until_us > trip.at_us for trip in account.trips)
        assert len(account.results) <= ALL.trades


@given(histories())
def test_a_tighter_limit_never_trips_later(facts):
    loose, tight = replace(OFF, drawdown_frac=0.2), replace(OFF, drawdown_frac=0.1)
    one, other = Account(), Account()
    for fact in facts:
        if fact[1] is None:
            continue
        one, other = take(one, fact, loose), take(other, fact, tight)
        assert guards(one, fact[0]) <= guards(other, fact[0])


@given(histories())
def test_who_resumes_is_not_stopped_again_for_the_same_loss(facts):
    account = Account()
    for fact in facts:
        account = take(account, fact, ALL)
    at_us = facts[-1][0] + 1 if facts else 1
    account = resume(account, at_us)
    assert standing(account, at_us) == ()
    same = Worth(account.equity_usdt, max(account.equity_usdt, account.peak_usdt), 1e9)
    if account.day == at_us // DAY_US and account.equity_usdt:
        account = note_worth(account, same, at_us + 1, replace(ALL, daily_loss_frac=0.0))
        assert standing(account, at_us + 1) == ()


cents = st.lists(st.integers(-9_999, 9_999).map(lambda n: n / 100), min_size=2, max_size=40)


@given(cents, st.floats(1, 10_000))
def test_the_figures_are_those_of_the_kit(values, per_year):
    known = np.array(values)
    assert profit_factor(values) == pytest.approx(metrics.profit_factor(known), nan_ok=True)
    if len(set(values)) > 1:
        assert sharpe(values, per_year) == pytest.approx(
            metrics.sharpe(known, per_year), nan_ok=True
        )


def test_returns_that_do_not_differ_have_no_sharpe_ratio():
    assert np.isnan(sharpe([0.01] * 5, 365.0))
    assert np.isnan(sharpe([0.01], 365.0))


def test_a_supervisor_is_not_made_heavy_by_its_guards():
    import subprocess
    import sys

    code = (
        "import sys, automation.fleet.supervisor, automation.fleet.schedule.scheduler;"
        "print(sorted({'numpy', 'pandas', 'talib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
