from automation.alerts.fold import AlertsFold


def down(desk, bot="m", **rest):
    desk.happens(kind="bot.exited", bot=bot, reason="killed by signal 9", **rest)


def test_a_group_gathers_then_speaks_then_follows_up_and_repeats(make):
    desk = make()
    down(desk, "a")
    desk.passes(10)
    down(desk, "b")
    desk.passes(60)
    assert desk.heard() == [(30, "new", 2, 0)]
    down(desk, "c")  # at 70 s: waits for the beat at 30 + 300 s
    desk.passes(300)
    assert desk.heard()[1:] == [(330, "new", 3, 0)]
    desk.passes(4 * 3600)
    assert desk.heard()[2:] == [(330 + 4 * 3600, "repeat", 3, 0)]


def test_the_same_alert_is_told_once(make):
    desk = make()
    for _ in range(20):
        down(desk)
        desk.passes(60)
    assert desk.heard() == [(30, "new", 1, 0)]


def test_the_end_is_told_to_who_heard_of_it(make):
    desk = make()
    down(desk)
    desk.passes(31)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    assert desk.heard() == [(30, "new", 1, 0), (330, "resolved", 0, 1)]
    assert desk.state.alerts == {}
    assert desk.state.groups == {}


def test_what_ended_before_anybody_heard_is_not_told(make):
    desk = make()
    down(desk)
    desk.passes(10)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    assert desk.heard() == []
    assert desk.state.alerts == {}


def test_flapping_between_beats_is_not_told(make):
    desk = make()
    down(desk)
    desk.passes(31)
    for _ in range(5):
        desk.happens(kind="bot.healthy", bot="m")
        desk.passes(1)
        down(desk)
        desk.passes(1)
    desk.passes(1000)
    assert desk.heard() == [(30, "new", 1, 0)]


def test_another_bots_health_ends_nothing(make):
    desk = make()
    down(desk, "a")
    desk.happens(kind="bot.healthy", bot="b")
    desk.passes(31)
    assert desk.heard() == [(30, "new", 1, 0)]


def test_an_expected_end_is_no_alert(make):
    desk = make()
    down(desk, is_expected=True)
    desk.passes(60)
    assert desk.heard() == []


def test_an_emergency_is_told_at_once(make):
    desk = make()
    desk.happens(kind="bot.liquidated", bot="m")
    assert desk.heard() == [(0, "new", 1, 0)]


def test_a_notice_is_told_once_and_forgotten(make):
    desk = make()
    for pair in ("BTC", "ETH"):
        desk.happens(kind="trade.opened", bot="m", pair=pair)
    desk.passes(86_400)
    assert desk.heard() == [(30, "new", 2, 0)]
    assert desk.state.alerts == {}


def test_a_rule_with_for_waits_and_forgets_what_passed(make, rules):
    desk = make(rules=[{**rules["down"], "for": "2m"}])
    down(desk)
    desk.passes(60)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(600)
    assert desk.heard() == []
    down(desk)
    desk.passes(600)
    assert desk.heard() == [(660 + 150, "new", 1, 0)]


def test_a_rule_with_count_wants_it_so_often_in_that_time(make, rules):
    rule = {**rules["down"], "until": [], "count": {"times": 3, "within": "10m"}, "expires": "30m"}
    desk = make(rules=[rule])
    for _ in range(4):
        down(desk)
        desk.passes(400)  # two at most in ten minutes
    assert desk.state.alerts  # still counted
    desk.passes(1000)
    assert desk.state.alerts == {}  # and forgotten
    for _ in range(3):
        down(desk)
        desk.passes(10)
    desk.passes(60)
    assert [why for _, why, _, _ in desk.heard()] == ["new"]
    desk.passes(3600)
    assert [why for _, why, _, _ in desk.heard()] == ["new", "resolved"]


def test_labels_tell_alerts_of_one_rule_apart_and_an_end_without_them_ends_all(make, rules):
    rule = {**rules["down"], "labels": {"pair": "pair"}}
    desk = make(rules=[rule])
    down(desk, pair="BTC")
    down(desk, pair="ETH")
    desk.passes(31)
    assert desk.heard() == [(30, "new", 2, 0)]
    desk.happens(kind="bot.healthy", bot="m", pair="BTC")
    desk.passes(300)
    assert desk.heard()[-1][1:] == ("resolved", 1, 1)
    desk.happens(kind="bot.healthy", bot="m")
    desk.passes(300)
    assert desk.heard()[-1][1:] == ("resolved", 0, 1)


def test_a_state_rebuilt_from_the_records_goes_on_where_it_was(make):
    desk = make()
    down(desk, "a")
    desk.passes(10)
    desk.dies()
    desk.passes(25)
    assert desk.heard() == [(30, "new", 1, 0)]
    desk.dies()
    down(desk, "b")
    desk.dies()
    desk.passes(300)
    assert desk.heard()[1:] == [(330, "new", 2, 0)]
    assert [said.id for _, said in desk.said] == ["ops-1", "ops-2"]


def test_what_became_due_while_nobody_ran_is_told_at_once(make):
    desk = make()
    down(desk)
    desk.now_us += 3600 * 1_000_000
    desk.dies()
    assert desk.heard() == [(3600, "new", 1, 0)]


def test_changed_rules_move_alerts_that_fire(make, make_settings, channel_of):
    desk = make()
    down(desk)
    desk.passes(31)
    desk.dies(make_settings(channels={"new": channel_of()}))
    desk.passes(60)
    assert desk.heard("new") == [(61, "new", 1, 0)]
    assert {group.channel for group in desk.state.groups.values()} == {"new"}


def test_a_rule_that_is_gone_ends_its_alerts(make, make_settings, rules):
    desk = make()
    down(desk)
    desk.passes(31)
    desk.dies(make_settings(rules=[rules["trade"]]))
    desk.passes(600)
    assert desk.heard()[-1][1:] == ("resolved", 0, 1)
    assert desk.state.alerts == {}


def test_the_input_state_is_left_alone(make):
    desk = make()
    down(desk)
    before = AlertsFold().dump(desk.state)
    state = desk.state
    down(desk, "b")
    desk.passes(400)
    assert AlertsFold().dump(state) == before


def test_a_state_survives_its_snapshot(make):
    desk = make()
    down(desk)
    desk.passes(31)
    desk.operator(
        "alert.silenced",
        {"id": "s1", "match": {"bot": {"one_of": ["x"]}}, "reason": "r", "until_us": 2**60},
    )
    fold = AlertsFold()
    loaded = fold.load(fold.dump(desk.state))
    assert loaded == desk.state
    assert loaded.by_bot == desk.state.by_bot
