"""What people do: list, acknowledge, silence, ask why. All through a journal."""

from datetime import UTC, datetime, timedelta

import pytest

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts import core, desk
from automation.alerts.core import SOURCE
from automation.alerts.delivery import to_effect
from automation.alerts.explanation import explain
from automation.alerts.fold import AlertsFold, restore
from automation.alerts.policy import Policy
from automation.core.errors import Refusal
from automation.journal import Draft, Journal
from automation.journal.folds import rebuild
from automation.testing import ManualClock

FORMS = {
    "bot.exited": {
        "unit": "m", "pid": 1, "exit_code": -9, "reason": "killed", "is_expected": False,
    },
    "bot.healthy": {
        "unit": "m", "state": "running", "health": "healthy", "was_state": "failed",
        "was_health": "unhealthy", "reason": "trades",
    },
}  # fmt: skip
NOW = datetime(2025, 1, 1, tzinfo=UTC)


class Site:
    """A journal and the core beside it, without the service's loop."""

    def __init__(self, policy):
        self.clock = ManualClock(NOW)
        self.journal = Journal.in_memory(clock=self.clock)
        self.policy = policy
        self.position = 0

    def happens(self, kind, bot="m", **payload):
        payload = {**FORMS.get(kind, {}), **payload}
        return self.journal.append(kind, actor="x", source="fleet", bot=bot, payload=payload)

    def works(self, seconds=0.0):
        """Let time pass, then do what the service does."""
        self.clock.advance(seconds)
        state = restore(self.journal).state
        events = [e for e in self.journal.read(self.position) if e.kind not in core.OPERATORS]
        now_us = self.journal.now_us()
        step = core.adopt(self.policy, state, now_us=now_us)
        steps = [step, core.advance(self.policy, step.state, events, now_us=now_us)]
        for one in steps:
            drafts = [Draft(r.kind, SOURCE, SOURCE, r.payload, r.bot, r.cause) for r in one.records]
            effects = [to_effect(self.journal, said) for said in one.notifications]
            self.journal.submit(drafts, effects=effects).result()
        self.position = self.journal.last().sequence

    @property
    def now_us(self):
        return self.journal.now_us()


@pytest.fixture
def site(make_settings, rules):
    trouble = {**rules["down"], "name": "trouble", "when": "bot.trouble", "severity": "low"}
    made = Site(Policy(make_settings(rules=[*rules.values(), trouble])))
    yield made
    made.journal.close()


def test_alerts_are_listed_the_worst_first(site):
    site.happens("bot.trouble", "a", what=1)
    site.happens("bot.liquidated", "b")
    site.works()
    rows = desk.list_alerts(site.journal, clock=site.clock)
    assert [(row.rule, row.bot, row.severity) for row in rows] == [
        ("liquidated", "b", "emergency"),
        ("trouble", "a", "low"),
    ]
    assert rows[0].channels == ("ops",)
    assert rows[1].facts["what"] == 1


def test_an_alert_is_acknowledged_by_id_by_its_beginning_by_message_or_with_all(site):
    for bot in "abcd":
        site.happens("bot.exited", bot)
    site.works()
    site.works(31)
    rows = {row.bot: row for row in desk.list_alerts(site.journal, clock=site.clock)}
    assert desk.acknowledge(site.journal, rows["a"].id, by="ann") == (rows["a"].id,)
    assert desk.acknowledge(site.journal, rows["b"].id[:8], by="ann", note="on it")
    told = desk.acknowledge(site.journal, "ops-1", by="bob")
    assert set(told) == {rows["c"].id, rows["d"].id}
    again = desk.acknowledge(site.journal, "all", by="eve")
    assert again == Refusal("all is taken care of by ann, bob already")
    by = {row.bot: row.acked_by for row in desk.list_alerts(site.journal, clock=site.clock)}
    assert by == {"a": "ann", "b": "ann", "c": "bob", "d": "bob"}
    notes = [e.payload["note"] for e in site.journal.search(kind="alert.acknowledged")]
    assert "on it" in notes


@pytest.mark.parametrize("target", ["nothing", "abc", "", "ops-99", "all"])
def test_what_is_not_there_cannot_be_acknowledged(site, target):
    assert isinstance(desk.acknowledge(site.journal, target, by="ann"), Refusal)


def test_what_is_over_cannot_be_acknowledged(site):
    site.happens("bot.exited")
    site.works()
    site.works(31)
    site.happens("bot.healthy")
    site.works()
    assert desk.acknowledge(site.journal, "ops-1", by="a") == Refusal("what ops-1 told of is over")


def test_silences_have_author_reason_and_end(site):
    until = NOW + timedelta(hours=2)
    name = desk.silence(
        site.journal, {"bot": ["a", "b"]}, by="ann", reason="tests", until=until, clock=site.clock
    )
    [row] = desk.list_silences(site.journal, clock=site.clock)
    assert (row.id, row.author, row.reason, row.until) == (name, "ann", "tests", until)
    assert row.match == {"bot": "is a or b"}
    site.happens("bot.exited", "a")
    site.works()
    assert desk.list_alerts(site.journal, clock=site.clock)[0].silenced_by == "ann"
    assert desk.unsilence(site.journal, name, by="bob") is None
    assert desk.list_silences(site.journal, clock=site.clock) == []
    assert isinstance(desk.unsilence(site.journal, name, by="bob"), Refusal)


@pytest.mark.parametrize(
    ("match", "hours", "said"),
    [
        ({}, 1, "hide everything"),
        ({"bot": "a"}, -1, "ends in the future"),
        ({"bot": "a"}, 24 * 400, "within a year"),
        ({"bot": {"matches": "("}}, 1, "is no regular expression"),
        ({"bot": []}, 1, "matches nothing"),
    ],
)
def test_silences_that_make_no_sense_are_refused(site, match, hours, said):
    until = NOW + timedelta(hours=hours)
    outcome = desk.silence(site.journal, match, by="a", reason="r", until=until, clock=site.clock)
    assert isinstance(outcome, Refusal)
    assert said in outcome.reason
    assert site.journal.last() is None


def test_it_is_explained_why_an_alert_went_where_it_went(site):
    event = site.happens("bot.exited", "m", reason="killed")
    site.works()
    site.works(31)
    [row] = desk.list_alerts(site.journal, clock=site.clock)
    desk.acknowledge(site.journal, row.id, by="ann")
    for target in (row.id, row.id[:8], "ops-1"):
        account = explain(site.journal, site.policy, target, now_us=site.now_us)
        assert "told to ops as ops-1 in the group rule=down (new)" in account.text
    assert f"rule down (high): raised by event {event.sequence}" in explained(site, row.id)
    assert "goes to ops by route 0, grouped by rule=down, first after 30 s" in explained(
        site, row.id
    )
    assert "ann takes care of" in explained(site, row.id)
    assert "now: firing, ann takes care of it" in explained(site, row.id)


def test_it_is_explained_why_nobody_heard_of_an_alert(site):
    until = NOW + timedelta(hours=2)
    desk.silence(
        site.journal, {"bot": "m"}, by="ann", reason="tests", until=until, clock=site.clock
    )
    site.happens("bot.exited", "m")
    site.works()
    site.works(31)
    [row] = desk.list_alerts(site.journal, clock=site.clock)
    assert "not told to ops (rule=down): silenced by ann" in explained(site, row.id)
    assert "ops: held back, silenced by ann" in explained(site, row.id)


def test_it_is_explained_why_an_event_raised_nothing(site):
    expected = site.happens("bot.exited", "m", is_expected=True)
    site.works()
    text = explained(site, str(expected.sequence))
    assert "rule down does not fit: is_expected is True, but is not True is wanted" in text
    quiet = site.happens("bot.yawned")
    assert "no rule is raised by events of the kind bot.yawned" in explained(
        site, str(quiet.sequence)
    )


@pytest.mark.parametrize("target", ["999", "feedbeef", "ops-3"])
def test_what_the_journal_does_not_know_is_not_explained(site, target):
    assert isinstance(explain(site.journal, site.policy, target, now_us=site.now_us), Refusal)


def test_folding_from_zero_gives_the_same_as_from_a_snapshot(site):
    from automation.journal.folds import current, save_snapshot

    for round_number in range(4):
        for bot in "abcdef":
            site.happens("bot.exited", bot)
        site.works(31)
        if round_number == 1:
            save_snapshot(site.journal, AlertsFold(), current(site.journal, AlertsFold()))
        site.happens("bot.healthy", "a")
        site.works(301)
    assert rebuild(site.journal, AlertsFold()).agrees


def explained(site, target):
    found = explain(site.journal, site.policy, target, now_us=site.now_us)
    assert not isinstance(found, Refusal), found
    return found.text
