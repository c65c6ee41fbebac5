import fcntl
import os
import subprocess
import sys

import pytest

from automation.core.flocks import Flock, probe
from automation.core.leash import LOCK, _is_free
from automation.fleet.containers.jobs import _is_left
from automation.fleet.process import _is_locked

HOLD = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Have another process hold the lock of a file, until it is killed."""
    begun = []

    def start(path):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        begun.append(holder)
        assert holder.stdout.readline() == b"held\n"
        return holder

    yield start
    for holder in begun:
        end(holder)


def end(holder):
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()


def test_a_lock_is_held_for_as_long_as_its_holder_lives(tmp_path, hold):
    path = tmp_path / "lock"
    assert probe(path) is Flock.NO_FILE
    assert not path.exists(), "who looks makes no file"
    holder = hold(path)
    assert probe(path) is Flock.HELD
    assert probe(path) is Flock.HELD, "looking has taken nothing"
    end(holder)
    assert probe(path) is Flock.FREE


def test_who_looks_sees_no_other_who_looks(tmp_path):
    path = tmp_path / "lock"
    looking = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert probe(path) is Flock.FREE
    os.close(looking)


def test_what_is_no_file_has_no_lock(tmp_path):
    (tmp_path / "file").touch()
    assert probe(tmp_path / "file" / "lock") is Flock.NO_FILE


def test_each_caller_makes_its_own_of_a_missing_file(tmp_path, hold):
    assert _is_free(tmp_path / LOCK), "who asked is gone, with its folder"
    assert not _is_left(tmp_path), "the folder is just being made"
    assert not _is_locked(tmp_path), "nothing was ever started there"
    holders = hold(tmp_path / LOCK), hold(tmp_path / "process.lock")
    assert not _is_free(tmp_path / LOCK)
    assert not _is_left(tmp_path)
    assert _is_locked(tmp_path)
    for holder in holders:
        end(holder)
    assert _is_free(tmp_path / LOCK)
    assert _is_left(tmp_path)
    assert not _is_locked(tmp_path)
