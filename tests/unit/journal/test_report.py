from datetime import UTC, datetime, timedelta

import pytest

from automation.journal import Facts, Journal
from automation.journal.kinds import Kinds
from automation.journal.report import report, to_markdown
from automation.testing import ManualClock

START = datetime(2025, 1, 1, tzinfo=UTC)


class Login(Facts):
    user: str


@pytest.fixture
def kinds():
    kinds = Kinds()
    kinds.define("login.refused", Login, "login refused to {user}", topics=["refused login"])
    return kinds


def test_the_report_says_who_did_what_from_where_and_what_is_missing(kinds):
    clock = ManualClock(START)
    with Journal.in_memory(clock=clock) as journal:
        journal.append("bot.stop", actor="ann", source="cli", bot="m1")
        journal.append("bot.stop", actor="ann", source="cli", bot="m2", address="10.0.0.7")
        clock.advance(3_600)
        refused = {"user": "[bob](http://x)\n# h"}
        journal.append(
            "login.refused", actor="?", source="web", payload=refused, address="10.0.0.9"
        )
        clock.jump(-30)
        journal.append("bot.up", actor="supervisor", source="fleet")
        clock.advance(86_400)
        journal.append("bot.up", actor="late", source="fleet")
        account = report(journal, START, START + timedelta(hours=2), kinds=kinds)
        whole = report(journal, START, START + timedelta(hours=2), verification=journal.verify())
    assert account.events == 5, "with the journal's own word on the clock"
    assert account.actors["ann"] == {"bot.stop": 2}
    assert "late" not in account.actors
    assert account.addresses == {"10.0.0.7": {"ann": 1}, "10.0.0.9": {"?": 1}}
    (item,) = account.topics["refused login"]
    assert item["sentence"] == "login refused to [bob](http://x) # h"
    assert [gap.reason for gap in account.gaps] == [
        "nothing was written for 60 minutes",
        "time went back by 30.0 s",
        "nothing was written for 1440 minutes",
    ]
    text = to_markdown(account)
    assert "## Refused logins" in text
    assert "[bob](" not in text, "what somebody typed does not become a link"
    assert "\n# h" not in text
    assert account.as_dict()["verified"] is None
    assert whole.as_dict()["verified"] is True


def test_an_empty_period_is_reported_as_such():
    with Journal.in_memory() as journal:
        text = to_markdown(report(journal, START, START + timedelta(days=1)))
    assert "Nobody did anything." in text
    assert text.count("None.") >= 6


def test_a_silence_over_the_ends_of_a_period_is_a_gap():
    clock = ManualClock(START)
    with Journal.in_memory(clock=clock) as journal:
        for hours in (5, 1, 8):
            journal.append("bot.up", actor="a", source="s")
            clock.advance(hours * 3_600)
        journal.append("bot.up", actor="a", source="s")
        clock.advance(60)

        def gaps(first, last):
            found = report(journal, START + timedelta(hours=first), START + timedelta(hours=last))
            return [(gap.since.hour, gap.until.hour) for gap in found.gaps]

        assert gaps(1, 2) == [(0, 5)], "nothing at all in it"
        assert gaps(3, 5.5) == [(0, 5), (5, 6)]
        assert gaps(6, 7) == [(5, 6), (6, 14)], "the event at its beginning is in it"
        assert gaps(20, 30) == []
        clock.advance(7_200)
        assert gaps(13, 30)[-1] == (14, 16), "it lasts still"
