"""Disk full, store read-only, file gone, PostgreSQL restarted: nothing lost, said, healed."""

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from automation.core.errors import DependencyError, PermanentError, TransientError
from automation.journal import Journal, sentence
from tests.contract.journal_servers import postgres_server

FULL = """
import resource, sys, signal
from automation.core.errors import TransientError
from automation.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.open(sys.argv[1])
acknowledged = [journal.append("bot.up", actor="a", source="s") for _ in range(10)]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
bulk = {"text": "x" * 20_000}
try:
    while True:
        acknowledged.append(journal.append("bot.up", actor="a", source="s", payload=bulk))
except TransientError as error:
    print(error)
posted = [journal.post("bot.posted", actor="a", source="s", payload=bulk) for _ in range(20)]
assert journal.fault and journal.backlog == 20, (journal.fault, journal.backlog)
assert journal.read(0, 5) == acknowledged[:5], "reading goes on"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
late = [future.result(20)[-1] for future in posted]
assert [e.sequence for e in late] == list(range(late[0].sequence, late[0].sequence + 20))
acknowledged.append(journal.append("bot.up", actor="a", source="s"))
assert not journal.fault and not journal.backlog
found = {e.sequence: e for e in journal.read(0, 10_000)}
assert all(found[e.sequence] == e for e in acknowledged + late)
assert journal.verify().is_whole
journal.close()
"""


def run(script, *arguments, within=()):
    done = subprocess.run(
        [*within, sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_disk_loses_nothing_and_heals(tmp_path):
    path = tmp_path / "journal.db"
    assert "free some space" in run(FULL, path)[0]
    with Journal.open(path) as journal:
        (healed,) = journal.search(kind="journal.healed")
        assert "20 events had waited" in sentence(healed)
        assert journal.verify().is_whole


SMALL = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


@pytest.mark.prove
def test_a_full_file_system_loses_nothing_and_heals(tmp_path):
    lines = FULL.splitlines()
    limits = [n for n, line in enumerate(lines) if line.startswith("resource.setrlimit")]
    lines[limits[0]] = "import subprocess, pathlib"
    lines[limits[1]] = (
        "subprocess.run(['mount', '-o', 'remount,size=16m', pathlib.Path(sys.argv[1]).parent],"
        " check=True)"
    )
    mounted = f'mount -t tmpfs -o size=1m none {tmp_path} && exec "$@"'
    said = run("\n".join(lines), tmp_path / "journal.db", within=[*SMALL, mounted, "sh"])
    assert "free some space" in said[0]


READ_ONLY = """
import os, sys
from pathlib import Path
from automation.core.errors import TransientError
from automation.journal import Journal
path = Path(sys.argv[1])
if os.geteuid() == 0:
    for place in (path.parent, *path.parent.iterdir()):
        os.chown(place, 65534, 65534)
    os.setuid(65534)
for place in (*path.parent.iterdir(), path.parent):
    place.chmod(0o555 if place.is_dir() else 0o444)
try:
    Journal.open(path)
except TransientError as error:
    print(error)
with Journal.open(path, read_only=True) as journal:
    print(journal.verify().sentence)
    try:
        journal.append("bot.up", actor="a", source="s")
    except TransientError as error:
        print(error)
path.parent.chmod(0o755)
path.chmod(0o644)
with Journal.open(path) as journal:
    print(journal.append("bot.up", actor="a", source="s").sequence)
"""


@pytest.fixture
def open_folder():
    """A folder that others reach too, which pytest's own are not: each new run closes them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_read_only_store_is_said_and_can_still_be_read(open_folder):
    folder = open_folder / "state"  # the script gives up root, for whom nothing is read-only
    folder.mkdir()
    with Journal.open(folder / "journal.db") as journal:
        journal.append("bot.up", actor="a", source="s")
    said = run(READ_ONLY, folder / "journal.db")
    assert "cannot be written; make the file and its folder writable" in said[0]
    assert "1 events verified" in said[1]
    assert "cannot be written" in said[2]
    assert said[3] == "2"


def test_a_file_that_was_moved_away_is_said_and_heals_when_put_back(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        journal.append("bot.up", actor="a", source="s")
        path.rename(tmp_path / "elsewhere")
        with pytest.raises(PermanentError, match="moved, replaced or deleted.*put it back"):
            journal.append("bot.up", actor="a", source="s")
        posted = journal.post("bot.posted", actor="a", source="s")
        time.sleep(0.2)
        assert "moved" in journal.fault
        (tmp_path / "elsewhere").rename(path)
        assert posted.result(20)[-1].sequence == 2
    with Journal.open(path) as journal:
        assert journal.verify().is_whole


def test_what_could_not_be_written_at_the_end_is_counted(tmp_path):
    path = tmp_path / "journal.db"
    journal = Journal.open(path)
    journal.append("bot.up", actor="a", source="s")
    path.rename(tmp_path / "elsewhere")
    journal.post("bot.posted", actor="a", source="s")
    with pytest.raises(DependencyError, match="1 events could not be written: .*moved"):
        journal.close(timeout_s=0.3)


def test_a_damaged_file_is_named_as_such(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        for _ in range(2_000):
            journal.post("bot.up", actor="a", source="s", payload={"text": "x" * 200})
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 20)
    with Journal.open(path, read_only=True) as journal:
        found = journal.verify()
        assert not found.is_whole
        assert "damaged" in found.sentence or "missing" in found.sentence


@pytest.fixture
def postgres():
    with postgres_server() as server:
        yield server


async def test_postgresql_restarted_and_killed_loses_and_doubles_nothing(postgres):
    url = postgres.schema_url()
    with Journal.open(url) as journal:
        acknowledged, refused, stop = [], 0, threading.Event()
        posted = []

        def append():
            nonlocal refused
            while not stop.is_set():
                posted.append(journal.post("bot.posted", actor="a", source="s"))
                try:
                    acknowledged.append(journal.append("bot.up", actor="a", source="s"))
                except TransientError:
                    refused += 1
                    time.sleep(0.02)

        followed = []

        async def follow():
            async for event in journal.subscribe(0):
                followed.append(event.sequence)  # noqa: PERF401

        follower = asyncio.create_task(follow())
        thread = threading.Thread(target=append)
        thread.start()
        for stop_it in (postgres.stop, postgres.kill, postgres.kill):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(stop_it)
            await asyncio.sleep(0.3)
            assert "check that it runs" in journal.fault
            assert f"pw-{postgres.port}" not in journal.fault
            await asyncio.to_thread(postgres.start)
            await asyncio.sleep(1.0)
        stop.set()
        await asyncio.to_thread(thread.join)
        late = [event for future in posted for event in future.result(30)]
        assert refused
        found = journal.verify()
        assert found.is_whole, found.sentence
        events = {e.sequence: e for e in journal.read(0, 1_000_000)}
        assert all(events[e.sequence] == e for e in acknowledged + late)
        written = sum(e.kind == "bot.posted" for e in events.values())
        assert written == len(posted), "posted events are written once, commits in doubt included"
        async with asyncio.timeout(30):
            while len(followed) < len(events):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert followed == sorted(events)
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        assert journal.search(kind="journal.healed")


def test_a_wrong_password_is_said_without_the_password(postgres):
    url = postgres.url.replace("pw-", "hunter2-")
    with pytest.raises(Exception, match="password authentication failed") as caught:
        Journal.open(url)
    assert "hunter2" not in str(caught.value)


def test_postgresql_refuses_to_change_events(postgres):
    import psycopg

    with Journal.open(postgres.url) as journal:
        journal.append("bot.up", actor="a", source="s")
        with psycopg.connect(postgres.url, autocommit=True) as raw:
            for statement in (
                "UPDATE freqfleet.events SET actor = 'x'",
                "DELETE FROM freqfleet.events",
                "TRUNCATE freqfleet.events",
            ):
                with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                    raw.execute(statement)
        assert journal.verify().is_whole


def test_the_clients_are_optional(monkeypatch):
    for module in ("psycopg", "redis.asyncio", "aio_pika"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        Exception, match=r"needs psycopg; run `pip install 'freqfleet\[services\]'`"
    ):
        Journal.open("postgresql://127.0.0.1/x")
    assert Path(__file__).exists()
