"""Killed at any moment, the alerts lose nothing, and what comes twice comes with its name."""

import asyncio
import json
import random
import re
import signal
import sys
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("serve_alerts.py")


def names_of(text):
    """Give the messages that a text stands for: `#slack-3`, or `#slack-3~slack-7`."""
    shown = text.replace("\u2060", "")  # Slack shows a ~ between two joiners
    first, last = re.search(r"#slack-(\d+)(?:~slack-(\d+))?", shown).groups()
    return set(range(int(first), int(last or first) + 1))


def bots_of(text):
    return set(re.findall(r"\bbot-\d+\b", text))


class Server:
    """The alerts as a process."""

    def __init__(self, journal_path, settings_path):
        self._argv = [sys.executable, str(SERVER), str(journal_path), str(settings_path)]
        self.process = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(*self._argv)

    async def kill(self):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@pytest.fixture
async def server(tmp_path, channels, rules):
    settings = {
        "rules": rules,
        "channels": {"slack": {**channels["slack"], "limit": {"messages": 1000, "per": "1s"}}},
        "route": {"group_by": ["bot", "rule"], "group_wait": "0", "group_interval": "1s"},
    }
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings))
    server = Server(tmp_path / "journal.db", path)
    yield server
    await server.kill()


async def run_and_kill(seed, kills, journal, server, receivers, happen, until):
    source = random.Random(seed)
    await server.start()
    # How long a process takes to start on a busy machine is not what is judged here.
    await until(lambda: journal.search(kind="alert.policy"), 120)
    await until(lambda: "alerts" in journal.store.offsets(), 120)
    bots = 0
    for _ in range(kills):
        for _ in range(source.randrange(5, 15)):
            happen.exited(f"bot-{bots}")
            bots += 1
            if source.random() < 0.3:
                receivers.answers.append(source.choice([(500, 0), (429, 0.2)]))
            await asyncio.sleep(source.random() * 0.05)
        await asyncio.sleep(source.random() * 0.6)
        await server.kill()
        happen.exited(f"bot-{bots}")  # while nobody runs
        bots += 1
        await server.start()
        await asyncio.sleep(source.random() * 1.5)
    expected = {f"bot-{number}" for number in range(bots)}
    receivers.answers.clear()  # the other side is well again
    await until(lambda: set().union(*map(bots_of, receivers.texts)) == expected, 120)
    await until(lambda: not journal.store.effects("pending", 10), 60)
    await server.kill()
    return expected


def judge(journal, receivers, expected):
    by_bot: dict[str, list[set[int]]] = {}
    for text in receivers.texts:
        for bot in bots_of(text):
            by_bot.setdefault(bot, []).append(names_of(text))
    assert set(by_bot) == expected
    for bot, messages in by_bot.items():
        # However often it came, it came with the name of the same message.
        assert set.intersection(*messages), (bot, messages)
    told = [event.payload["message"] for event in journal.search(kind="alert.told", limit=10_000)]
    assert len(told) == len(set(told))
    fired = [event.bot for event in journal.search(kind="alert.fired", limit=10_000)]
    assert sorted(fired) == sorted(expected)
    assert journal.verify().is_whole


async def test_nothing_is_lost_when_it_is_killed(journal, server, receivers, happen, until):
    expected = await run_and_kill(1, 2, journal, server, receivers, happen, until)
    judge(journal, receivers, expected)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_in_a_sample_of_runs(seed, journal, server, receivers, happen, until):
    expected = await run_and_kill(seed, 4, journal, server, receivers, happen, until)
    judge(journal, receivers, expected)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(50))
async def test_nothing_is_lost_in_fifty_runs(seed, journal, server, receivers, happen, until):
    expected = await run_and_kill(1000 + seed, 4, journal, server, receivers, happen, until)
    judge(journal, receivers, expected)


def test_the_names_of_a_backlog_are_read_as_slack_shows_them():
    assert names_of("x\n#slack-3\u2060~\u2060slack-7") == {3, 4, 5, 6, 7}
