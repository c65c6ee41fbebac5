"""Reading fleet.yaml: what is accepted, and every complaint with its line and cure."""

from pathlib import Path

import pytest

from automation.core.config import Mode, Venue
from automation.core.configfile import load_fleet
from automation.core.errors import ConfigError, ConfigErrors

GOOD = """
fleet: demo
defaults:
  strategy: TrendFollowingStrategy
  capital_usdt: 500
bots:
  - name: one
    pairs: [BTC/USDT:USDT]
  - name: two
    capital_usdt: 250
"""

LIVE = """
fleet: live
exchange:
  venue: binance
  accounts:
    main: {key: "env:KEY", secret: "env:SECRET", capital_usdt: 1000}
defaults: {strategy: S, mode: live, account: main, capital_usdt: 400}
bots:
  - {name: one, pairs: [BTC/USDT:USDT]}
  - {name: two, pairs: [ETH/USDT:USDT]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "fleet.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_fleet(write(folder, text))
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_defaults_are_laid_under_each_bot(tmp_path):
    fleet = load_fleet(write(tmp_path, GOOD))
    assert [bot.capital_usdt for bot in fleet.bots] == [500, 250]
    assert {bot.strategy for bot in fleet.bots} == {"TrendFollowingStrategy"}
    assert fleet.exchange.venue is Venue.SIMULATOR
    assert fleet.bots[0].mode is Mode.DRY_RUN


def test_model_is_frozen(tmp_path):
    fleet = load_fleet(write(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        fleet.bots[0].capital_usdt = 1


def test_every_fault_is_reported_at_once_with_its_line(tmp_path):
    text = GOOD.replace("capital_usdt: 250", "capital_usdt: -1\n    stratgy: X")
    text = text.replace("fleet: demo", "fleet: Demo Fleet")
    with pytest.raises(ConfigErrors) as caught:
        load_fleet(write(tmp_path, text))
    told = [str(error) for error in caught.value.errors]
    assert len(told) == 3
    assert any(":2: fleet: 'Demo Fleet' is not a name" in one for one in told)
    assert any(":10: bots.1.capital_usdt: should be greater than 0, not -1" in one for one in told)
    assert any(":11: bots.1.stratgy: unknown key; did you mean strategy?" in one for one in told)


def test_fault_in_defaults_is_shown_there_once(tmp_path):
    told = complaints(tmp_path, GOOD.replace("capital_usdt: 500", "capitl_usdt: 500"))
    assert told.count("capitl_usdt") == 1
    assert ":5: defaults.capitl_usdt: unknown key; did you mean capital_usdt?" in told


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("[ETH/USDT:USDT]", "[BTC/USDT:USDT]"), "share BTC/USDT:USDT; give them disjoint pairs"),
        (("capital_usdt: 400", "capital_usdt: 600"), "declare 1200 USDT on an account that holds"),
        (("name: two, pairs: [ETH/USDT:USDT]", "name: two"), "lists no pairs"),
        (("name: two", "name: one"), "2 bots are named one"),
        (("account: main", "account: other"), "which exchange.accounts lacks"),
        (("account: main, ", ""), "is live without an account"),
        (("capital_usdt: 1000", 'capital_usdt: 1000, read_key: "env:R"'), "add read_secret"),
        (
            ("capital_usdt: 1000", 'capital_usdt: 1000, read_key: "env:KEY", read_secret: "env:T"'),
            "read_key is the key that trades",
        ),
        (('key: "env:KEY"', 'key: "abcdef"'), "write env:NAME or file:PATH"),
        (
            ("capital_usdt: 400}", "capital_usdt: 400, stake_usdt: 500}"),
            "is more than capital_usdt",
        ),
        (("capital_usdt: 400}", "capital_usdt: 400, api_port: 8080}"), "2 bots want api_port 8080"),
        (
            (
                "capital_usdt: 400}",
                'capital_usdt: 400, telegram: {token: "env:T", chat_id: "env:C"}}',
            ),
            "2 bots poll one Telegram token",
        ),
    ],
)
def test_guard_rails(tmp_path, change, expected):
    assert expected in complaints(tmp_path, LIVE.replace(*change))


def test_disjoint_live_bots_pass(tmp_path):
    assert len(load_fleet(write(tmp_path, LIVE)).bots) == 2


def test_dry_run_bots_may_share_pairs(tmp_path):
    text = LIVE.replace("mode: live", "mode: dry-run").replace("ETH", "BTC")
    assert len(load_fleet(write(tmp_path, text)).bots) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fleet: [", "not valid YAML"),
        ("- a\n- b\n", "holds no mapping"),
        ("", "holds no mapping"),
        ("fleet: x\nbots: []\n", "at least 1 item"),
        ("fleet: x\nbots: 5\n", "bots"),
        ("fleet: x\ndefaults: 5\nbots: [{name: a}]\n", "defaults must be a mapping"),
        ("fleet: x\nbots: [5]\n", "bots.0"),
    ],
)
def test_files_that_are_no_fleet(tmp_path, text, expected):
    assert expected in complaints(tmp_path, text)


def test_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file; name one with -c"):
        load_fleet(tmp_path / "none.yaml")


def test_binary_file_is_one_sentence(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_fleet(path)
