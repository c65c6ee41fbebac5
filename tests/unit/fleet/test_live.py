"""Real money asks a person: once, and again after any change."""

from datetime import UTC, datetime

import pytest

from automation.core.errors import ConfigError
from automation.fleet.live import check_live, confirm_live, live_question, refuse_unconfirmed

AT = datetime(2025, 1, 1, tzinfo=UTC)


def live_fleet(site_of, venue="binance", bots=("a",), **more):
    account = {"key": "env:K", "secret": "env:S", "capital_usdt": 5000}
    listed = [
        {
            "name": name,
            "strategy": "FakeStrategy",
            "mode": "live",
            "account": "main",
            "capital_usdt": 500,
            "pairs": [f"{pair}/USDT:USDT"],
            **more,
        }
        for name, pair in zip(bots, ("BTC", "ETH", "SOL"), strict=False)
    ]
    return site_of(exchange={"venue": venue, "accounts": {"main": account}}, bots=listed)


def confirm(site, typed, **more):
    confirm_live(site.fleet, site.home, typed, has_live_option=True, at=AT, **more)


def test_live_needs_the_option(site_of):
    site = live_fleet(site_of)
    with pytest.raises(ConfigError, match="--live"):
        check_live(site.fleet, site.home, has_live_option=False)
    question = check_live(site.fleet, site.home, has_live_option=True)
    assert question.phrase == "trade 500 USDT live"
    assert "a will trade 500 USDT of account main live" in question.sentences()[0]


def test_a_wrong_phrase_starts_nothing(site_of):
    site = live_fleet(site_of)
    with pytest.raises(ConfigError, match="nothing was started"):
        confirm(site, "yes")
    with pytest.raises(ConfigError, match="not confirmed for a"):
        refuse_unconfirmed(site.fleet, site.home)


def test_what_was_confirmed_is_asked_once(site_of):
    site = live_fleet(site_of)
    confirm(site, " trade 500 USDT live\n")
    refuse_unconfirmed(site.fleet, site.home)
    assert check_live(site.fleet, site.home, has_live_option=False) is None


@pytest.mark.parametrize(
    "change", [{"capital_usdt": 600}, {"strategy": "OtherStrategy"}, {"max_open_trades": 9}]
)
def test_any_change_asks_again(site_of, change):
    site = live_fleet(site_of)
    confirm(site, "trade 500 USDT live")
    changed = live_fleet(site_of, **change)
    assert [bot.name for bot in live_question(changed.fleet, site.home).bots] == ["a"]


def test_only_what_is_new_is_asked(site_of):
    site = live_fleet(site_of)
    confirm(site, "trade 500 USDT live")
    more = live_fleet(site_of, bots=("a", "b"))
    assert [bot.name for bot in live_question(more.fleet, site.home).bots] == ["b"]


def test_a_bot_that_was_away_is_new(site_of):
    site = live_fleet(site_of)
    confirm(site, "trade 500 USDT live")
    away = site_of()
    check_live(away.fleet, site.home, has_live_option=False)
    assert live_question(site.fleet, site.home) is not None


def test_live_mode_on_the_simulator_asks_nobody(site_of):
    site = live_fleet(site_of, venue="simulator")
    assert check_live(site.fleet, site.home, has_live_option=False) is None
    refuse_unconfirmed(site.fleet, site.home)
