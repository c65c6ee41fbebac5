"""What guards a bot, as the fleet file says and leaves unsaid."""

import pytest
from pydantic import ValidationError

from automation.core.config import Fleet
from automation.fleet.guards.limits import limits_of, limits_of_all


def fleet_of(bot=None, **more):
    bots = [{"name": "a", "strategy": "S", **(bot or {})}]
    return Fleet.model_validate({"fleet": "f", "bots": bots, **more})


def of(bot=None, **more):
    return limits_of(fleet_of(bot, **more).bots[0])


def test_without_a_word_a_drawdown_of_fifteen_percent_guards_bot_and_fleet():
    assert of().drawdown_frac == limits_of_all(fleet_of()).drawdown_frac == 0.15
    assert of().daily_loss_frac == of().losing_streak == of().trades == 0


@pytest.mark.parametrize(
    ("profile", "drawdown", "day"),
    [("conservative", 0.05, 0.01), ("moderate", 0.10, 0.02), ("aggressive", 0.20, 0.04)],
)
def test_a_profile_that_is_named_guards_its_bot(profile, drawdown, day):
    found = of({"profile": profile})
    assert (found.drawdown_frac, found.daily_loss_frac) == (drawdown, day)
    named_for_all = of(defaults={"profile": profile})
    assert named_for_all == found


def test_what_is_said_comes_first_and_nought_turns_it_off():
    said = {"drawdown_frac": 0.3, "daily_loss_frac": 0}
    found = of({"profile": "moderate", "guards": said})
    assert (found.drawdown_frac, found.daily_loss_frac) == (0.3, 0.0)
    targets = {"trades": 20, "sharpe": 1.0, "profit_factor": 1.3}
    found = of({"guards": {"losing_streak": 5, "pause_h": 2, "targets": targets}})
    assert (found.losing_streak, found.pause_s, found.trades) == (5, 7200.0, 20)
    assert (found.sharpe, found.win_rate_frac, found.profit_factor) == (1.0, None, 1.3)


@pytest.mark.parametrize(
    ("guards", "words"),
    [
        ({"drawdown_frac": 15}, "less than 1"),
        ({"daily_loss_frac": 0.2, "drawdown_frac": 0.1}, "could never act"),
        ({"losing_streak": -1}, "greater than or equal to 0"),
        ({"targets": {"trades": 30}}, "name no target"),
        ({"targets": {"win_rate_frac": 55}}, "less than or equal to 1"),
        ({"draw_down": 0.1}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(guards, words):
    with pytest.raises(ValidationError, match=words):
        fleet_of({"guards": guards})
    with pytest.raises(ValidationError, match=words):
        fleet_of(guards=guards)
