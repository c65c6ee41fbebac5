"""What reaches a bot: layers, credentials, secrets, command and environment."""

import stat
from pathlib import Path

import orjson
import pytest

from automation.core.errors import ConfigError, TransientError
from automation.core.model import Wish
from automation.fleet.credentials import ApiAccess, ensure_access, read_access
from automation.fleet.render import database, launch_of, overlay, render_bot

ACCESS = ApiAccess(18080, "freqfleet", "pass-word", "jwt-key", "ws-token")
LIVE = {
    "exchange": {
        "venue": "binance",
        "accounts": {
            "main": {"key": "env:MY_KEY", "secret": "env:MY_SECRET", "capital_usdt": 5000}
        },
    },
    "bots": [
        {
            "name": "a",
            "strategy": "FakeStrategy",
            "mode": "live",
            "account": "main",
            "pairs": ["ETH/USDT:USDT"],
            "capital_usdt": 500,
        }
    ],
}


def said_of(site, wish=Wish.RUN):
    return overlay(site, site.fleet.bots[0], ACCESS, wish)


def test_what_the_fleet_file_leaves_unsaid_stays_with_the_configurations(site_of):
    said, unsaid = said_of(site_of())
    assert unsaid == {"max_open_trades": 3, "stake_amount": "unlimited", "dry_run_wallet": 1000.0}
    assert not set(unsaid) & set(said)


def test_what_the_fleet_file_says_wins(site_of):
    bot = {"name": "a", "strategy": "FakeStrategy", "max_open_trades": 7, "capital_usdt": 250}
    said, unsaid = said_of(site_of(bots=[bot]))
    assert (said["max_open_trades"], said["dry_run_wallet"]) == (7, 250)
    assert list(unsaid) == ["stake_amount"]


def test_defaults_count_as_said(site_of):
    site = site_of(defaults={"max_open_trades": 9})
    assert said_of(site)[0]["max_open_trades"] == 9


def test_mode_api_and_account_are_never_left_to_a_configuration(site_of):
    said, _ = said_of(site_of())
    assert said["dry_run"] is True
    api = said["api_server"]
    assert (api["listen_ip_address"], api["listen_port"]) == ("127.0.0.1", 18080)
    assert api["password"] == "pass-word"
    assert {"http://localhost:3000", "http://127.0.0.1:18080"} <= set(api["CORS_origins"])


def test_a_paused_bot_is_rendered_paused(site_of):
    assert said_of(site_of(), Wish.PAUSE)[0]["initial_state"] == "paused"
    assert said_of(site_of(), Wish.RUN)[0]["initial_state"] == "running"


def test_a_live_bot_gets_its_capital_and_its_secrets(site_of, monkeypatch):
    monkeypatch.setenv("MY_KEY", "12345678901234567890")
    monkeypatch.setenv("MY_SECRET", "sssh-secret")
    site = site_of(**LIVE)
    launch = render_bot(site, site.fleet.bots[0], ACCESS, Wish.RUN)
    config = orjson.loads((launch.folder / "config.json").read_bytes())
    secrets = orjson.loads((launch.folder / "secrets.json").read_bytes())
    assert config["dry_run"] is False
    assert config["available_capital"] == 500
    assert config["exchange"]["pair_whitelist"] == ["ETH/USDT:USDT"]
    # A key that looks like a number stays a string; as an environment variable it would not.
    assert secrets["exchange"] == {"key": "12345678901234567890", "secret": "sssh-secret"}
    assert "sssh" not in str(launch)
    assert "sssh" not in " ".join(launch.argv)
    assert "MY_SECRET" not in launch.env


def test_a_missing_secret_is_a_sentence(site_of, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    site = site_of(**LIVE)
    with pytest.raises(ConfigError, match=r"exchange.accounts.main.key.*MY_KEY"):
        render_bot(site, site.fleet.bots[0], ACCESS, Wish.RUN)


def test_secrets_go_when_they_are_no_longer_needed(site_of, monkeypatch):
    monkeypatch.setenv("MY_KEY", "kkkkkk")
    monkeypatch.setenv("MY_SECRET", "ssssss")
    live = site_of(**LIVE)
    path = render_bot(live, live.fleet.bots[0], ACCESS, Wish.RUN).folder / "secrets.json"
    assert path.exists()
    dry = site_of()
    launch = render_bot(dry, dry.fleet.bots[0], ACCESS, Wish.RUN)
    assert not path.exists()
    assert str(path) not in launch.argv


def test_all_files_are_closed_to_others(site_of):
    site = site_of()
    launch = render_bot(site, site.fleet.bots[0], ACCESS, Wish.RUN)
    for path in [launch.folder, *launch.folder.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_command_names_layers_in_order(site_of, checkout):
    (checkout / "configs" / "mine.json").write_text("{}")
    bot = {"name": "a", "strategy": "FakeStrategy", "configs": ["configs/mine.json"]}
    site = site_of(bots=[bot])
    launch = launch_of(site, site.fleet.bots[0])
    names = [
        launch.argv[n + 1].rsplit("/", 1)[1] for n, word in enumerate(launch.argv) if word == "-c"
    ]
    assert names == ["base.json", "futures.json", "defaults.json", "mine.json", "config.json"]
    assert launch.mark in launch.argv
    assert launch.argv[1:4] == ("-m", "freqtrade", "trade")


def test_stray_freqtrade_variables_do_not_reach_a_bot(site_of, monkeypatch):
    monkeypatch.setenv("FREQTRADE__DRY_RUN", "false")
    launch = launch_of(site_of(), site_of().fleet.bots[0])
    assert "FREQTRADE__DRY_RUN" not in launch.env
    assert Path(launch.env["PYTHONPATH"].split(":")[0]).name == "strategies"


def test_databases_of_modes_and_venues_are_kept_apart(site_of):
    dry, live = site_of(), site_of(**LIVE)
    simulated = site_of(exchange={"venue": "simulator"})
    names = {database(site, site.fleet.bots[0]).name for site in (dry, live, simulated)}
    assert len(names) == 3


def test_an_existing_database_is_taken_as_it_is(site_of, tmp_path):
    mine = tmp_path / "mine.sqlite"
    bot = {"name": "a", "strategy": "FakeStrategy", "database": str(mine)}
    site = site_of(bots=[bot])
    assert database(site, site.fleet.bots[0]) == mine


def test_without_the_simulators_word_nothing_is_rendered(site_of):
    site = site_of(exchange={"venue": "simulator"})
    with pytest.raises(TransientError, match="simulator"):
        render_bot(site, site.fleet.bots[0], ACCESS, Wish.RUN)


def test_credentials_survive(tmp_path):
    first = ensure_access(tmp_path / "a")
    assert ensure_access(tmp_path / "a") == first
    assert first.password not in repr(first)
    other = ensure_access(tmp_path / "b")
    assert other.password != first.password
    moved = ensure_access(tmp_path / "a", wanted_port=23456)
    assert (moved.port, moved.password) == (23456, first.password)


def test_broken_credentials_are_those_that_the_bot_was_rendered_with(site_of):
    site = site_of(exchange={"venue": "binance"})
    bot, folder = site.fleet.bots[0], site.home.unit(site.fleet.bots[0].name)
    first = ensure_access(folder)
    render_bot(site, bot, first, Wish.RUN)
    path = folder / "api.json"
    path.write_bytes(path.read_bytes()[:7])
    assert ensure_access(folder) == first
    assert read_access(folder) == first
    path.unlink()  # as for a fresh start: what held on to the old ones is left behind
    assert ensure_access(folder).password != first.password
