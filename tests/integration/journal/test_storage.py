"""The fleet's journal in PostgreSQL and its forwarding, as a user sets them: by the environment."""

import asyncio

import pytest
from typer.testing import CliRunner

from automation.app import journals
from automation.app.storage import forward, forwarders, journal_address, open_journal
from automation.cli.journal import journal as commands
from automation.core.errors import ConfigError
from automation.fleet.home import Home
from automation.journal import Journal
from tests.contract.journal_servers import redis_server


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FREQFLEET_ANCHORS", str(tmp_path / "anchors"))
    folder = Home(tmp_path / "home")
    folder.make()
    return folder


def test_commands_read_and_write_where_the_environment_says(folder, postgres, monkeypatch):
    monkeypatch.setenv("FREQFLEET_JOURNAL", postgres.schema_url())
    with open_journal(folder) as journal:
        journal.append("test.noted", actor="ann", source="s", payload={"n": 1})
    assert not folder.journal.exists()
    with journals.writing() as journal:
        journal.append("test.noted", actor="bob", source="s", payload={"n": 2})
    done = CliRunner().invoke(commands, ["search", "--actor", "bob"])
    assert (done.exit_code, done.output.count("test.noted")) == (0, 1)
    none = CliRunner().invoke(commands, ["search", "--kind", "nope"])
    assert (none.exit_code, none.stdout) == (0, "")
    assert "no event matches" in none.stderr
    assert CliRunner().invoke(commands, ["verify"]).exit_code == 0


def test_the_address_may_be_a_reference(folder, tmp_path, monkeypatch):
    secret = tmp_path / "address"
    secret.write_text("postgresql://fleet:word@db/fleet")
    secret.chmod(0o600)
    monkeypatch.setenv("FREQFLEET_JOURNAL", f"file:{secret}")
    assert journal_address(folder) == "postgresql://fleet:word@db/fleet"
    monkeypatch.delenv("FREQFLEET_JOURNAL")
    assert journal_address(folder) == folder.journal


async def test_events_are_forwarded_when_an_address_is_named(folder, monkeypatch):
    import redis

    with redis_server() as server, open_journal(folder) as journal:
        monkeypatch.setenv("FREQFLEET_FORWARD", server.url)
        task = asyncio.create_task(forward(journal))
        journal.append("test.noted", actor="a", source="s")
        with redis.Redis(port=server.port) as client:
            async with asyncio.timeout(30):
                while not await asyncio.to_thread(client.exists, "freqfleet:journal"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_forwarded_by_itself(folder):
    with Journal.in_memory() as journal:
        assert forwarders(journal) == []
        await asyncio.wait_for(forward(journal), 30)


def test_an_address_that_nobody_forwards_to_is_refused_without_its_password(folder, monkeypatch):
    monkeypatch.setenv("FREQFLEET_FORWARD", "kafka://user:hidden-word@host")
    with Journal.in_memory() as journal, pytest.raises(ConfigError, match="kafka") as caught:
        forwarders(journal)
    assert "hidden-word" not in str(caught.value)
