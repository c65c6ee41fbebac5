"""What goes wrong with real bots: no network, Ctrl-C, broken strategies; each fleet of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("demo"), pytest.mark.timeout(600)]


def write_fleet(folder: Path, *bots: dict, **exchange) -> str:
    path = folder / "fleet.yaml"
    document = {
        "fleet": "faults",
        "exchange": {"venue": "simulator", **exchange},
        "bots": list(bots),
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_the_demo_flies_without_a_network(apart):
    """In a network of its own with nothing but the loopback."""
    script = (
        "import sys, fcntl, socket, struct, os\n"
        "s = socket.socket()\n"
        "request = struct.pack('16sh', b'lo', 0x41)\n"  # IFF_UP | IFF_RUNNING
        "fcntl.ioctl(s, 0x8914, request)\n"  # SIOCSIFFLAGS
        "s.close()\n"
        "os.execvp(sys.argv[1], sys.argv[1:])\n"
    )
    alone = ["unshare", "--map-root-user", "--net", sys.executable, "-c", script]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let a user make a network namespace")
    fleet = subprocess.Popen(
        [*alone, sys.executable, "-m", "automation", "up"],
        cwd=apart.root,
        env=apart.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until_there(apart)
        apart.until(lambda s: s["healthy"])
        deadline = time.monotonic() + 60
        while not apart.journal("--kind", "trade.opened"):
            assert time.monotonic() < deadline
            time.sleep(1)
    finally:
        fleet.send_signal(signal.SIGINT)
        _, said = fleet.communicate(timeout=120)
    assert fleet.returncode == 0, said
    assert apart.processes() == []


def until_there(apart) -> None:
    deadline = time.monotonic() + 60
    while not (apart.home / "supervisor.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start_in_foreground(apart) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "automation", "up"],
        cwd=apart.root,
        env=apart.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_takes_everything_down_and_twice_does_it_faster(apart):
    fleet = start_in_foreground(apart)
    until_there(apart)
    status = apart.until(lambda s: s["healthy"])
    hung = next(bot["pid"] for bot in status["bots"] if bot["name"] == "trend")
    psutil.Process(hung).suspend()
    os.kill(fleet.pid, signal.SIGINT)
    time.sleep(1)
    os.kill(fleet.pid, signal.SIGINT)
    began = time.monotonic()
    said, _ = fleet.communicate(timeout=60)
    assert fleet.returncode == 0, said
    assert time.monotonic() - began < 20
    assert apart.processes() == []


def test_a_trade_is_opened_and_closed_and_stands_in_the_journal_once(apart):
    assert apart("up", "--detach").returncode == 0
    deadline = time.monotonic() + 500
    while not (closed := apart.journal("--kind", "trade.closed")):
        assert time.monotonic() < deadline
        time.sleep(5)
    opened = {_key(e) for e in apart.journal("--kind", "trade.opened")}
    assert {_key(e) for e in closed} <= opened
    assert len({_key(e) for e in closed}) == len(closed)


def _key(event: dict) -> tuple:
    payload = event["payload"]
    return event["bot"], payload["trade_id"], payload["opened_ms"]


def test_a_strategy_that_breaks_is_told_with_its_own_words(apart, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "Broken.py").write_text(
        "import no_such_module\n\nclass Broken(IStrategy):\n    pass\n"
    )
    broken = {"name": "broken", "strategy": "Broken", "strategy_path": str(folder)}
    good = {"name": "good", "strategy": "DemoPulseStrategy"}
    fleet = write_fleet(tmp_path, broken, good)
    assert apart("up", "--detach", "-c", fleet).returncode == 0
    status = apart.until(
        lambda s: s["bots"][0]["restarts"] >= 1 and s["bots"][0]["state"] == "failed"
    )
    assert "starts again" in status["bots"][0]["reason"]
    assert "Broken" in status["bots"][0]["reason"]
    apart.until(lambda s: s["bots"][1]["health"] == "healthy")


def test_an_existing_setup_is_taken_as_it_is(apart, tmp_path):
    """Own configuration with comments, own strategy, a database with history."""
    strategies = tmp_path / "mine"
    strategies.mkdir()
    source = (apart.root / "strategies" / "DemoPulseStrategy.py").read_text()
    (strategies / "Mine.py").write_text(source.replace("DemoPulseStrategy", "MyOwnStrategy"))
    config = tmp_path / "mine.json"
    config.write_text('{\n  // mine\n  "max_open_trades": 2, "stake_amount": 55,\n}\n')
    bot = {
        "name": "mine",
        "strategy": "MyOwnStrategy",
        "strategy_path": str(strategies),
        "configs": [str(config)],
        "database": str(tmp_path / "mine.sqlite"),
    }
    fleet = write_fleet(tmp_path, bot)
    assert apart("up", "--detach", "-c", fleet).returncode == 0
    apart.until(lambda s: s["healthy"] and s["bots"][0]["open_trades"])
    assert apart("down").returncode == 0
    assert (tmp_path / "mine.sqlite").stat().st_size > 0
    # The history of a database that comes from elsewhere is not told again.
    shutil.rmtree(apart.home)
    assert apart("up", "--detach", "-c", fleet).returncode == 0
    status = apart.until(lambda s: s["healthy"])
    assert status["bots"][0]["open_trades"] <= 2


def test_a_bot_that_is_stopped_in_its_tracks_is_noticed(apart, tmp_path):
    fleet = write_fleet(tmp_path, {"name": "one", "strategy": "DemoPulseStrategy"})
    assert apart("up", "--detach", "-c", fleet).returncode == 0
    pid = apart.until(lambda s: s["healthy"])["bots"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    apart.until(lambda s: s["bots"][0]["health"] == "degraded")
    os.kill(pid, signal.SIGCONT)
    status = apart.until(lambda s: s["healthy"])
    assert status["bots"][0]["pid"] == pid
