"""kill -9 anywhere during appends and deliveries: nothing acknowledged is lost."""

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from automation.journal import Journal
from automation.journal.outbox import Outbox, Patience

WRITER = Path(__file__).with_name("writer_process.py")


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_loses_nothing(tmp_path, seed):
    run_and_kill(tmp_path, seed)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1000, 1050))
def test_kill_9_loses_nothing_fifty_times(tmp_path, seed):
    run_and_kill(tmp_path, seed)


def run_and_kill(tmp_path, seed):
    chance = random.Random(seed)
    path, received = tmp_path / "journal.db", tmp_path / "received"
    received.touch()
    acknowledged = {}
    for life in range(2):
        for line in live_and_die(path, received, seed * 10 + life, 0.1 + chance.random() * 0.5):
            key, *sequences = line.split()
            acknowledged[key] = [int(sequence) for sequence in sequences]
    assert acknowledged, "the writers never came to write"
    with Journal.open(path) as journal:
        found = journal.verify()
        assert found.is_whole, found.sentence
        by_sequence = {e.sequence: e.payload["id"] for e in read_all(journal)}
        for key, sequences in acknowledged.items():
            assert [by_sequence.get(sequence) for sequence in sequences] == [key] * len(sequences)
        asyncio.run(deliver_rest(journal, received))
        keys = Counter(received.read_text().split())
        assert set(keys) == set(by_sequence.values()), "an effect for every event, none invented"
        assert {e.key for e in journal.store.effects("done", 1_000_000)} == set(keys)


def live_and_die(path, received, seed, seconds):
    """Start two writers, kill both after they have written for a while, give what they said."""
    writers = [
        subprocess.Popen(
            [sys.executable, WRITER, path, received, str(seed + n)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in (0, 5)
    ]
    first = [writer.stdout.readline() for writer in writers]
    time.sleep(seconds)
    for writer in writers:
        writer.kill()
    lines = [line for writer in writers for line in writer.communicate()[0].splitlines(True)]
    # A line cut short by the kill was never heard.
    return [line for line in first + lines if line.endswith("\n")]


def read_all(journal):
    after = 0
    while page := journal.read(after, 5_000):
        yield from page
        after = page[-1].sequence


async def deliver_rest(journal, received):
    async def send(task):
        with received.open("a") as file:
            file.write(f"{task.key}\n")
        return "ok"

    outbox = Outbox(journal, {"mail": send}, patience=Patience(lease_s=1, at_once=500))
    async with asyncio.timeout(60):
        while journal.store.effects("pending", 1):
            if not await outbox.run_once():
                await asyncio.sleep(0.1)
            await journal.append_async("bot.up", actor="a", source="s", payload={"id": "end"})
    with received.open("a") as file:
        file.write("end\n" if journal.search(text='"id":"end"') else "")
