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
