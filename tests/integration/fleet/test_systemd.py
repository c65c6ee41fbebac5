"""Under systemd: what the supervisor tells it, and the unit as systemd itself reads it."""

import asyncio
import os
import re
import shutil
import socket
import subprocess

import pytest

from automation.fleet.notify import ADDRESS, Notifier


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """The ear of a systemd."""
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(place))
        ear.setblocking(False)
        monkeypatch.setenv(ADDRESS, str(place))
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        yield ear


def heard(ear) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(ear.recv(4096).decode())
        except BlockingIOError:
            return messages


async def test_systemd_hears_that_the_fleet_is_up_alive_and_going_down(flight, systemd):
    async with flight.up() as fleet:
        assert ADDRESS not in os.environ  # no bot inherits it
        await flight.until_healthy(fleet)
        messages = heard(systemd)  # its queue holds ten
        assert messages[0] == "READY=1"
        await asyncio.sleep(1.0)
        messages += heard(systemd)
        assert sum(m.startswith("WATCHDOG=1") for m in messages) >= 3
        assert any("STATUS=1 of 1 bots are healthy" in m for m in messages)
    assert "STOPPING=1" in heard(systemd)


def test_a_loop_that_hangs_says_nothing(systemd):
    notifier = Notifier()
    notifier.alive("fine")
    notifier.alive("fine")
    assert heard(systemd) == ["WATCHDOG=1\nSTATUS=fine", "WATCHDOG=1"]
    assert heard(systemd) == []


def test_without_systemd_and_with_a_deaf_one_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.delenv(ADDRESS, raising=False)
    Notifier().ready()
    monkeypatch.setenv(ADDRESS, str(tmp_path / "nobody"))
    Notifier().ready()


@pytest.fixture
def unit(root, tmp_path):
    """The unit, with a program that is there on this machine."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze is installed")
    text = (root / "deploy" / "systemd" / "freqfleet@.service").read_text()
    program = f"ExecStart={shutil.which('true')}"
    text = re.sub(r"^ExecStart=\S+", program, text, flags=re.MULTILINE)
    text = text.replace("User=freqfleet", "User=daemon").replace("Group=freqfleet", "Group=daemon")
    copy = tmp_path / "freqfleet@main.service"
    copy.write_text(text)
    return copy


def test_systemd_finds_no_fault_with_the_unit(unit):
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "freqfleet" in line]
    # systemd before 254 does not know it, and leaves it out, as the how-to says.
    about_ours = [line for line in about_ours if "'DelegateSubgroup'" not in line]
    assert (done.returncode, about_ours) == (0, [])


def test_the_unit_exposes_little(unit):
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-800:] + done.stderr


def test_a_dead_supervisor_leaves_its_bots_alone(root):
    text = (root / "deploy" / "systemd" / "freqfleet@.service").read_text()
    assert "KillMode=process" in text
