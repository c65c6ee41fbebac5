from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.fleet.chronicle import Chronicle
from automation.fleet.equity import Equity, Worth, together
from automation.journal import Journal

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


def seen(journal, bot="m"):
    journal.append("test.flush", actor="test", source="test")
    return [e.payload for e in journal.search(kind="equity.observed") if e.bot == bot]


def note(account, profits, *, start=NOON, step_s=100.0, capital=1000.0, closed=0):
    for n, profit in enumerate(profits):
        at_s = n * step_s
        account.note(Worth(capital, profit, closed), start + timedelta(seconds=at_s), at_s)


def test_a_fall_from_the_peak_is_told_as_drawdown_and_as_the_days_loss(journal):
    note(Equity("m", Chronicle(journal)), [0.0, 100.0, -120.0])
    last = seen(journal)[-1]
    assert last["peak_usdt"] == 1100.0
    assert last["drawdown_frac"] == pytest.approx(0.2)
    assert last["day_frac"] == pytest.approx(-0.12)


def test_a_quiet_account_writes_once(journal):
    note(Equity("m", Chronicle(journal)), [0.001 * n for n in range(300)], step_s=15.0)
    assert len(seen(journal)) == 1


def test_peak_and_day_survive_the_supervisor(journal):
    note(Equity("m", Chronicle(journal)), [0.0, 200.0])
    journal.append("test.flush", actor="test", source="test")
    note(Equity("m", Chronicle(journal)), [-40.0], start=NOON + timedelta(hours=1))
    last = seen(journal)[-1]
    assert (last["peak_usdt"], last["day_start_usdt"]) == (1200.0, 1000.0)
    assert last["drawdown_frac"] == pytest.approx(0.2)


def test_a_new_day_begins_with_what_the_last_ended_with(journal):
    account = Equity("m", Chronicle(journal))
    note(account, [0.0, 50.0])
    note(account, [40.0], start=NOON + timedelta(days=1))
    last = seen(journal)[-1]
    assert (last["day"], last["day_start_usdt"]) == ("2026-05-02", 1050.0)


@pytest.mark.parametrize("worth", [Worth(500.0, 0.0, 9), Worth(1000.0, 0.0, 2)])
def test_another_account_begins_anew(journal, worth):
    note(Equity("m", Chronicle(journal)), [0.0, 300.0], closed=9)
    journal.append("test.flush", actor="test", source="test")
    Equity("m", Chronicle(journal)).note(worth, NOON, 0.0)
    assert seen(journal)[-1]["drawdown_frac"] == 0.0


def test_a_capital_that_nobody_knows_is_not_judged(journal):
    note(Equity("m", Chronicle(journal)), [5.0], capital=0.0)
    assert seen(journal) == []


def test_the_fleets_account_is_apart_from_the_bots(journal):
    both = together([Worth(1000.0, 10.0, 1), Worth(500.0, -4.0, 2)])
    assert (both.equity_usdt, both.closed_trades) == (1506.0, 3)
    Equity("m", Chronicle(journal)).note(Worth(1000.0, 10.0, 1), NOON, 0.0)
    Equity("", Chronicle(journal)).note(both, NOON, 0.0)
    journal.append("test.flush", actor="test", source="test")
    assert Equity("", Chronicle(journal))._last.capital_usdt == 1500.0
    assert Equity("m", Chronicle(journal))._last.capital_usdt == 1000.0


@given(profits=st.lists(st.floats(-999.0, 5000.0), min_size=1, max_size=30))
def test_what_is_known_is_always_the_truth(profits):
    with Journal.in_memory() as journal:
        account = Equity("m", Chronicle(journal))
        note(account, profits)
        equities = [1000.0 + profit for profit in profits]
        peak = max(1000.0, *equities)
        assert account._last.peak_usdt == pytest.approx(peak)
        assert account._last.drawdown_frac == pytest.approx(1 - equities[-1] / peak, abs=1e-5)
        assert account._last.day_frac == pytest.approx(equities[-1] / equities[0] - 1, abs=1e-5)
