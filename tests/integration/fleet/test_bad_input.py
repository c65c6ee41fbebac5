"""What a person gets wrong, typed at the real command: one sentence, its exit code, nothing begun."""

import json
from dataclasses import asdict

import pytest

from automation.fleet.credentials import ApiAccess

FLEET = """
fleet: hand
defaults: {{strategy: TrendFollowingStrategy, pairs: ["BTC/USDT:USDT"]{more}}}
bots: [{{name: one}}]
"""
TOKEN = "sA8n-T3d8G5XGL3hR5pXhbZ6vTxwS44K"


@pytest.fixture
def fleet_file(tmp_path):
    def write(more: str = ""):
        path = tmp_path / "fleet.yaml"
        path.write_text(FLEET.format(more=more))
        return path

    return write


@pytest.fixture
def known_bot(tmp_path):
    """A bot that flew once, as the state folder remembers it."""
    folder = tmp_path / "home" / "bots" / "one"
    (folder / "logs").mkdir(parents=True)
    access = ApiAccess(18080, "freqfleet", "pass-word-of-the-test", "jwt-key-of-the-test", TOKEN)
    (folder / "api.json").write_text(json.dumps(asdict(access)))
    return folder


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("status",), "there is no fleet here; run freqfleet up"),
        (("panic", "--yes"), "run freqfleet up"),
        (("bot", "pause", "one"), "no supervisor runs; run freqfleet up"),
        (("bot", "show", "one"), "there is no bot one; known are: none yet"),
        (("bot", "logs", "one"), "there is no bot one; known are: none yet"),
        (("bot", "login", "one"), "there is no bot one; known are: none yet"),
        (("reload", "one"), "no supervisor runs; run freqfleet up"),
    ],
)
def test_where_no_fleet_flies_every_command_says_so(freqfleet, words, sentence):
    done = freqfleet(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_bot_is_told_with_those_that_are_known(freqfleet, known_bot):
    done = freqfleet("bot", "show", "three")
    assert done.returncode == 2
    assert "there is no bot three; known are: one" in done.stderr


def test_an_engine_that_is_away_is_told_before_anything_begins(freqfleet, fleet_file, tmp_path):
    path = fleet_file(", runner: docker")
    done = freqfleet("up", "-c", path, DOCKER_HOST=f"unix://{tmp_path / 'nobody.sock'}")
    assert done.returncode == 3
    assert "the Docker Engine does not answer" in done.stderr
    assert "start it, or give its address in DOCKER_HOST" in done.stderr
    assert freqfleet("journal", "search", "--kind", "fleet.up").stdout.strip() in {"", "[]"}
    assert not (tmp_path / "home" / "fleet.json").exists()


def test_secrets_in_a_bots_log_are_masked(freqfleet, known_bot):
    (known_bot / "logs" / "freqtrade.log").write_text(
        f'"WebSocket /api/v1/message/ws?token={TOKEN} [accepted]\n'
        f"and once more {TOKEN}, pass-word-of-the-test\nplain words\n"
    )
    done = freqfleet("bot", "logs", "one")
    assert done.returncode == 0
    assert done.stdout == (
        '"WebSocket /api/v1/message/ws?token=*** [accepted]\nand once more ***, ***\nplain words\n'
    )
