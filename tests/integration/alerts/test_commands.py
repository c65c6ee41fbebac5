"""`freqfleet alerts …` as a user types it, beside alerts that run."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from automation.app.alerting import read_alerts
from automation.cli.alerts import alerts as commands
from automation.core.errors import ConfigError
from automation.fleet.home import Home
from automation.journal import Journal


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))
    folder = Home(tmp_path / "home")
    folder.make()
    return folder


@pytest.fixture
def journal(home):
    with Journal.open(home.journal) as journal:
        yield journal


@pytest.fixture
def file(tmp_path, channels, rules):
    path = tmp_path / "alerts.yaml"
    route = {
        "channels": ["telegram"], "group_by": ["bot"], "group_wait": "0", "group_interval": "1s",
    }  # fmt: skip
    chosen = {name: channels[name] for name in ("telegram", "slack")}
    path.write_text(json.dumps({"rules": rules, "channels": chosen, "route": route}))
    return path


async def run(*words):
    """Run a command beside the loop, as another program would."""
    return await asyncio.to_thread(CliRunner().invoke, commands, [str(word) for word in words])


async def test_an_alert_is_seen_explained_and_taken_care_of(
    journal, file, serve, happen, receivers, until
):
    async with serve(journal, read_alerts(file)):
        happen.exited("m")
        await until(lambda: journal.search(kind="alert.delivered"))
        listed = await run("list")
        assert "high" in listed.output
        assert " down m, firing since" in listed.output
        why = await run("explain", "telegram-1", "--config", file)
        assert why.exit_code == 0, why.output
        assert "telegram" in why.output
        done = await run("ack", "telegram-1", "--note", "on my way")
        assert done.output.startswith("acknowledged ")
        assert "takes care of it" in (await run("list")).output
    [event] = journal.search(kind="alert.acknowledged")
    assert event.payload["note"] == "on my way"
    assert event.actor
    again = await run("ack", "telegram-1")
    assert isinstance(again.exception, ConfigError)
    assert "already" in str(again.exception)


async def test_a_silence_holds_until_it_is_ended(journal, file, serve, happen, receivers, until):
    made = await run("silence", "bot=m", "--for", "2h", "--reason", "I am working on it")
    name = made.output.split()[1]
    async with serve(journal, read_alerts(file)):
        happen.exited("m")
        await until(lambda: journal.search(kind="alert.muted"))
        shown = json.loads((await run("list", "--json")).output)
        assert [one["reason"] for one in shown["silences"]] == ["I am working on it"]
        assert shown["alerts"][0]["silenced_by"]
        why = await run("explain", shown["alerts"][0]["id"], "--config", file)
        assert "I am working on it" in why.output
        assert not receivers.taken
        assert (await run("unsilence", name)).output == f"silence {name} is over\n"
        await until(lambda: receivers.taken)


async def test_a_test_message_goes_out_and_what_failed_is_told(journal, file, receivers):
    done = await run("test", "--config", file)
    assert done.exit_code == 0, done.output
    assert {one.service for one in receivers.taken} == {"telegram", "slack"}
    receivers.answers.append((403, 0))
    failed = await run("test", "slack", "--config", file)
    assert failed.exit_code == 1
    assert "failed slack: Slack: refused with 403" in failed.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ack", "nothing-like-it"), "no alert or message is called nothing-like-it"),
        (("ack", "all"), "nothing fires"),
        (("explain", "telegram-99"), "telegram-99"),
        (("unsilence", "0000"), "there is no silence 0000"),
        (("silence", "bot", "--reason", "x"), "'bot' is no label; write it like bot=trend"),
        (("silence", "bot=m", "--for", "2x", "--reason", "x"), "'2x' is no duration"),
        (("silence", "bot=m", "--for", "900d", "--reason", "x"), "within a year"),
        (("test", "--config", "no-such-file.yaml"), "no-such-file.yaml"),
    ],
)
async def test_wrong_input_is_one_sentence(journal, words, said):
    done = await run(*words)
    assert isinstance(done.exception, ConfigError), done.output
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)


def test_wrong_input_ends_with_exit_code_2(journal, home):
    command = [sys.executable, "-m", "automation", "alerts", "ack", "nothing-like-it"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 2
    assert done.stderr.startswith("freqfleet: no alert or message is called nothing-like-it")
    assert len(done.stderr.splitlines()) == 1
