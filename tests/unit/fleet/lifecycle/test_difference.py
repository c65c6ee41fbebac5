"""What a changed fleet file means for each bot."""

import pytest

from automation.core.config import Bot, Fleet
from automation.core.errors import ConfigError
from automation.fleet.lifecycle.difference import (
    RELOADED,
    RESTARTED,
    Effect,
    compare,
)

A = {"name": "a", "strategy": "S", "max_open_trades": 3}


def fleet(*bots, **more):
    return Fleet.model_validate({"fleet": "test", "bots": list(bots) or [A], **more})


def steps(was, now, **trades):
    return compare(was, now, trades).steps


def test_the_same_file_means_nothing():
    assert steps(fleet(), fleet()) == ()


@pytest.mark.parametrize(
    ("field", "value", "effect"),
    [
        ("max_open_trades", 5, Effect.RELOAD),
        ("profile", "conservative", Effect.RELOAD),
        ("capital_usdt", 500, Effect.RELOAD),
        ("pairs", ["ETH/USDT:USDT"], Effect.RELOAD),
        ("strategy", "T", Effect.RESTART),
        ("resources", {"nice": 5}, Effect.RESTART),
        ("apply", "now", Effect.NOTHING),
    ],
)
def test_each_field_has_its_effect(field, value, effect):
    (step,) = steps(fleet(), fleet(A | {field: value}), a=2)
    assert step.effect is effect
    assert [change.field for change in step.changes] == [field]
    assert step.must_be_asked is (effect is Effect.RESTART)


def test_a_limit_is_told_with_its_old_and_new_value():
    (step,) = steps(fleet(), fleet(A | {"max_open_trades": 5}))
    assert step.sentences() == ("a: max_open_trades from 3 to 5 (reload)",)


def test_bots_that_come_and_go():
    b = {"name": "b", "strategy": "S"}
    gone, new = steps(fleet(A), fleet(b), a=1)[::-1]
    assert (gone.bot, gone.effect, gone.must_be_asked) == ("a", Effect.STOP, True)
    assert (new.bot, new.effect, new.must_be_asked) == ("b", Effect.START, False)


def test_a_value_that_is_said_for_the_first_time_counts():
    (step,) = steps(fleet(), fleet(A | {"capital_usdt": 1000}))
    assert step.effect is Effect.RELOAD  # until now the bot's own configuration had the word


@pytest.mark.parametrize(
    "more",
    [
        {"fleet": "other"},
        {"exchange": {"venue": "binance"}},
        {"exchange": {"margin_mode": "cross"}},
        {"docker": {"image": "another:1"}},
        {"exchange": {"accounts": {"m": {"key": "env:K", "secret": "env:S", "capital_usdt": 1}}}},
    ],
)
def test_what_the_whole_fleet_stands_on_is_refused(more):
    now = Fleet.model_validate({"fleet": "test", "bots": [A], **more})
    with pytest.raises(ConfigError, match="while the fleet runs"):
        steps(fleet(), now)


def test_the_simulator_goes_on_with_its_market():
    was = fleet(exchange={"simulator": {"seed": 7}})
    assert compare(was, fleet(), {}).fleet.exchange.simulator.seed == 7


def test_every_field_that_reaches_a_bot_is_known_by_name():
    known = RELOADED | RESTARTED
    assert known <= set(Bot.model_fields)
    assert {"name", "starts", "apply"} <= set(Bot.model_fields) - known


ENTRY = {"name": "nightly", "cron": "30 2 * * *", "command": "journal verify"}


def test_a_changed_schedule_is_the_fleets_own():
    (step,) = steps(fleet(), fleet(schedule=[ENTRY]), a=2)
    assert (step.bot, step.effect, step.must_be_asked) == ("", Effect.NOTHING, False)
    assert step.sentences() == (
        "the fleet: schedule.nightly from none to cron 30 2 * * *, command journal verify",
    )
    (later,) = steps(fleet(schedule=[ENTRY]), fleet(schedule=[ENTRY | {"cron": "0 3 * * *"}]))
    assert "from cron 30 2 * * *, command journal verify to cron 0 3" in later.sentences()[0]
    (gone,) = steps(fleet(schedule=[ENTRY]), fleet())
    assert gone.sentences()[0].endswith("to none")
    assert not steps(fleet(schedule=[ENTRY]), fleet(schedule=[ENTRY]))


def test_the_fleets_own_guards_can_be_changed():
    (step,) = steps(fleet(), fleet(guards={"drawdown_frac": 0.1}))
    assert step.sentences() == ("the fleet: guards from none to drawdown_frac 0.1",)


def test_a_key_that_may_only_read_is_no_bots_business():
    def live(**more):
        main = {"key": "env:K", "secret": "env:S", "capital_usdt": 2000, **more}
        venue = {"venue": "binance", "accounts": {"main": main}}
        return fleet(A | {"mode": "live", "account": "main"}, exchange=venue)

    read = {"read_key": "env:R", "read_secret": "env:T"}
    (step,) = steps(live(), live(**read), a=1)
    assert (step.bot, step.must_be_asked) == ("", False)
    assert step.sentences() == (
        "the fleet: exchange.accounts from none to main is read with env:R",
    )
    (rekeyed,) = steps(live(), live(key="env:OTHER"), a=1)
    assert (rekeyed.bot, rekeyed.effect) == ("a", Effect.RESTART)
