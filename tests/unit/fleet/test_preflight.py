"""Faults in the files behind a fleet are told before anything starts."""

import pytest

from automation.core.errors import ConfigError, ConfigErrors
from automation.core.freqtradejson import read, read_layers
from automation.fleet.preflight import faults, pairs_of, refuse_faults


def bot(name="a", **more):
    return {"name": name, "strategy": "FakeStrategy", **more}


def told(site) -> str:
    return "\n".join(map(str, faults(site)))


def test_a_good_fleet_has_no_faults(site_of):
    assert faults(site_of()) == []


def test_an_unknown_strategy_gets_a_suggestion(site_of):
    site = site_of(bots=[{"name": "a", "strategy": "FakeStrateg"}])
    assert "did you mean FakeStrategy?" in told(site)


def test_a_missing_configuration_is_named(site_of):
    text = told(site_of(bots=[bot(configs=["configs/nowhere.json"])]))
    assert "bot a: configs" in text
    assert "nowhere.json: there is no such file" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"exchange": {"name": "kraken"}}', "kraken"),
        ('{"trading_mode": "spot"}', "spot"),
        ('{"exchange": {"pair_whitelist": []}}', "no pairs"),
        ("[1, 2]", "no JSON object"),
        ("{nonsense", "not valid JSON"),
    ],
)
def test_configurations_that_do_not_fit(site_of, checkout, content, words):
    (checkout / "configs" / "mine.json").write_text(content)
    assert words in told(site_of(bots=[bot(configs=["configs/mine.json"])]))


def test_one_telegram_token_has_one_poller(site_of, checkout):
    token = '{"telegram": {"enabled": true, "token": "123:abc", "chat_id": "1"}}'
    (checkout / "configs" / "mine.json").write_text(token)
    bots = [bot("a", configs=["configs/mine.json"]), bot("b", configs=["configs/mine.json"])]
    text = told(site_of(bots=bots))
    assert "a, b poll one Telegram token" in text
    assert "123:abc" not in text


def test_two_accounts_with_one_key_are_seen_through(site_of, monkeypatch):
    for name, value in (("K1", "same-key"), ("K2", "same-key"), ("K3", "other-key")):
        monkeypatch.setenv(name, value)
    exchange = {
        "venue": "binance",
        "accounts": {
            name: {"key": f"env:{key}", "secret": "env:S", "capital_usdt": 5000}
            for name, key in (("m", "K1"), ("n", "K2"), ("o", "K3"))
        },
    }
    live = {"mode": "live", "capital_usdt": 100, "pairs": ["BTC/USDT:USDT"]}
    fighting = [bot("a", account="m", **live), bot("b", account="n", **live)]
    text = told(site_of(exchange=exchange, bots=fighting))
    assert "a and b trade BTC/USDT:USDT live with one exchange key" in text
    assert "same-key" not in text
    apart = [bot("a", account="m", **live), bot("b", account="o", **live)]
    assert faults(site_of(exchange=exchange, bots=apart)) == []


def test_every_fault_is_told_at_once(site_of):
    bots = [bot("a", strategy="Nope"), bot("b", configs=["x.json"])]
    with pytest.raises(ConfigErrors) as raised:
        refuse_faults(site_of(bots=bots))
    assert len(raised.value.errors) == 2


def test_pairs_come_from_the_configurations_when_the_bot_names_none(site_of):
    site = site_of()
    assert pairs_of(site, site.fleet.bots[0]) == ("BTC/USDT:USDT",)


def test_freqtrades_json_dialect_is_read(tmp_path):
    (tmp_path / "other.json").write_text('{"b": {"y": 3}}')
    (tmp_path / "main.json").write_text(
        """{
        // a comment
        "a": "http://x//y", /* another, */
        "b": {"x": 1, "y": 2,},
        "add_config_files": ["other.json"],
        }"""
    )
    assert read(tmp_path / "main.json") == {"a": "http://x//y", "b": {"x": 1, "y": 3}}
    assert read_layers([tmp_path / "main.json", tmp_path / "other.json"])["b"]["x"] == 1


def test_files_that_include_one_another_in_a_circle(tmp_path):
    (tmp_path / "a.json").write_text('{"add_config_files": ["a.json"]}')
    with pytest.raises(ConfigError, match="circle"):
        read(tmp_path / "a.json")
