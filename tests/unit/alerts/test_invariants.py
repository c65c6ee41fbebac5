"""Whatever happens in whatever order: nothing is lost, nothing is told twice, a death changes
nothing."""

from hypothesis import HealthCheck, example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

BOTS = st.sampled_from("abcd")
STEP = st.one_of(
    st.tuples(st.just("down"), BOTS),
    st.tuples(st.just("healthy"), BOTS),
    st.tuples(st.just("lost"), BOTS),
    st.tuples(st.just("trade"), BOTS),
    st.tuples(st.just("ack"), BOTS),
    st.tuples(st.just("silence"), BOTS),
    st.tuples(st.just("passes"), st.sampled_from([1, 20, 45, 300, 1000, 15_000])),
    st.tuples(st.just("dies"), st.just("")),
)
HISTORY = st.lists(STEP, max_size=40)
INHIBIT = [{"when": {"rule": "liquidated"}, "mutes": {"rule": "down"}, "equal": ["bot"]}]
QUIET = [{"channels": "ops", "start": "01:00", "end": "03:00"}]
ESCALATION = {"first": "one", "steps": {"one": {"channels": "ops"}}}
PROFILE = profile(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def play(desk, history, *, deaths=True):
    for number, (what, about) in enumerate(history):
        if what == "down":
            desk.happens(kind="bot.exited", bot=about)
        elif what == "healthy":
            desk.happens(kind="bot.healthy", bot=about)
        elif what == "lost":
            desk.happens(kind="bot.liquidated", bot=about)
        elif what == "trade":
            desk.happens(kind="trade.opened", bot=about, pair="BTC")
        elif what == "ack":
            ids = sorted(i for i, a in desk.state.alerts.items() if a.bot == about)
            desk.operator("alert.acknowledged", {"ids": ids, "note": ""})
        elif what == "silence":
            said = {"id": f"s{number}", "match": {"bot": about}, "reason": "r"}
            desk.operator("alert.silenced", {**said, "until_us": desk.now_us + 600_000_000})
        elif what == "passes":
            desk.passes(about)
        elif deaths:
            desk.dies()


def make_desk(make):
    return make(inhibit=INHIBIT, quiet_hours=QUIET, escalation=ESCALATION)


@PROFILE
@given(HISTORY)
def test_no_alert_is_lost(make, history):
    desk = make_desk(make)
    play(desk, history)
    desk.passes(86_400)
    for group in desk.state.groups.values():
        open_members = {
            one for one in group.members if one in desk.state.alerts and not group.muted.get(one)
        }
        assert open_members <= group.told
    # Everything that is still muted has somebody who mutes it.
    for alert in desk.state.alerts.values():
        if any(alert.id in group.muted for group in desk.state.groups.values()):
            assert any(other.rule == "liquidated" for other in desk.state.alerts.values())


# An escalated alert is over and fires again before anybody was told so; then a death.
AGAIN = [("down", "a"), ("passes", 1000), ("healthy", "a"), ("down", "a"), ("dies", "")]


@PROFILE
@given(HISTORY)
@example(AGAIN)
def test_messages_are_numbered_without_gaps_and_tell_no_alert_twice_as_new(make, history):
    desk = make_desk(make)
    play(desk, history)
    desk.passes(86_400)
    assert [said.id for _, said in desk.said] == [f"ops-{n + 1}" for n in range(len(desk.said))]
    told: dict[str, set[str]] = {}
    for record in desk.records:
        if record.kind == "alert.told":
            for key, portion in record.payload["groups"].items():
                known = told.setdefault(key, set())
                assert not known & set(portion["told"])
                known |= set(portion["told"])
                known -= set(portion["ended"])
        elif record.kind == "alert.dropped":
            told.get(record.payload["group"], set()).difference_update(record.payload["ids"])


@PROFILE
@given(HISTORY)
@example(AGAIN)
def test_dying_at_any_moment_changes_nothing_of_what_is_told(make, history):
    # A silenced emergency has no beat of its own: when it is looked at again may differ.
    history = [step for step in history if step[0] != "silence"]
    lived, died = make_desk(make), make_desk(make)
    play(lived, history, deaths=False)
    play(died, history, deaths=True)
    for desk in (lived, died):
        desk.passes(86_400)
    assert [said for _, said in died.said] == [said for _, said in lived.said]


@PROFILE
@given(HISTORY)
def test_nothing_is_kept_of_what_is_over_and_told(make, history):
    desk = make_desk(make)
    play(desk, history)
    for bot in "abcd":
        desk.happens(kind="bot.healthy", bot=bot)
    desk.passes(2 * 86_400)
    assert desk.state.alerts == {}
    assert desk.state.groups == {}
    assert desk.state.by_bot == {}
