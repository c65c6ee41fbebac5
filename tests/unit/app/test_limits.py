import pytest

from automation.app.limits import note_limits
from automation.core.config import Fleet
from automation.journal import Journal, sentence
from automation.journal.report import report


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


def fleet(*bots):
    raw = {"fleet": "test", "exchange": {"venue": "simulator"}, "bots": list(bots)}
    return Fleet.model_validate(raw)


def bot(name="m", **more):
    return {"name": name, "strategy": "S", **more}


def told(journal):
    journal.append("test.flush", actor="test", source="test")
    return journal.search(kind="fleet.limits")


def test_what_did_not_change_is_not_told_again(journal):
    note_limits(journal, fleet(bot()))
    told(journal)
    note_limits(journal, fleet(bot(timeframe="5m")))  # no limit
    assert len(told(journal)) == 1


def test_a_raised_limit_is_told_from_what_to_what_and_stands_in_the_report(journal):
    note_limits(journal, fleet(bot(max_open_trades=3), bot("gone")))
    told(journal)
    note_limits(journal, fleet(bot(max_open_trades=9), bot("new")))
    first, last = told(journal)
    assert "max_open_trades from 3 to 9" in sentence(last)
    assert last.payload["changed"][0] == "gone is gone"
    assert any("new is new" in one for one in last.payload["changed"])
    account = report(journal, first.time, journal.last().time)
    assert len(account.topics["risk limit"]) == 2
