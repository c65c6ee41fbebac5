"""The real freqtrade command against the simulator."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from automation.simulator import (
    freqtrade_configuration,
    open_market,
    serving,
    write_data_folder,
)

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
FREQTRADE = Path(sys.executable).with_name("freqtrade")
START, END = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 21, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not FREQTRADE.exists(), reason="freqtrade is not installed")


@pytest.fixture
def freqtrade(tmp_path):
    """Run freqtrade with a complete configuration for the simulator at a URL."""
    user_data = tmp_path / "user_data"
    user_data.mkdir()

    def run(url, *arguments, pairs=PAIRS, prefix=()):
        config = tmp_path / "config.json"
        config.write_text(json.dumps(freqtrade_configuration(url, pairs)))
        command = [*prefix, FREQTRADE, *arguments, "-c", config, "--userdir", user_data]
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "COLUMNS": "200"},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def frames(folder):
    return {path.name: pd.read_feather(path) for path in sorted((folder / "futures").glob("*"))}


def within(frame, start, end):
    """Rows of a range; times in ms, because Freqtrade writes µs where it did not read them back."""
    frame = frame.assign(date=frame["date"].dt.as_unit("ms"))
    return frame[(frame["date"] >= start) & (frame["date"] < end)].reset_index(drop=True)


def test_list_markets(freqtrade):
    with serving(open_market(2)) as sim:
        out = freqtrade(sim.url, "list-markets", "--print-list")
    assert "10 active markets" in out


def test_download_data_writes_what_the_synthetic_market_has(freqtrade, tmp_path):
    source = write_data_folder(tmp_path / "source", PAIRS, ["5m", "4h"], START, END, seed=8)
    with serving(open_market(8)) as sim:
        freqtrade(
            sim.url,
            "download-data",
            "--timerange=20240301-20240321",
            "--timeframes",
            "5m",
            "4h",
            f"--datadir={tmp_path / 'copy'}",
        )
    written, expected = frames(tmp_path / "copy"), frames(source)
    assert written.keys() == expected.keys()
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(within(written[name], START, END), frame, check_exact=True)


@pytest.mark.real_data
def test_download_data_writes_what_the_files_have(freqtrade, tmp_path, data_dir):
    with serving(open_market(data_dir)) as sim:
        freqtrade(
            sim.url,
            "download-data",
            "--timerange=20240301-20240321",
            "--timeframes",
            "5m",
            "1h",
            f"--datadir={tmp_path / 'copy'}",
        )
    written = frames(tmp_path / "copy")
    assert len(written) == 8
    for name, frame in written.items():
        original = pd.read_feather(data_dir / "futures" / name)
        pd.testing.assert_frame_equal(
            within(frame, START, END), within(original, START, END), check_exact=True
        )


SERVE = """
import json, subprocess, sys
from automation.simulator import freqtrade_configuration, open_market, serving
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with serving(open_market(2)) as sim:
    config = sys.argv[2] + "/config.json"
    with open(config, "w") as file:
        json.dump(freqtrade_configuration(sim.url, ["BTC/USDT:USDT"]), file)
    for command in (["list-markets"], ["download-data", "--timerange=20240301-20240303", "-t=1h"]):
        subprocess.run([sys.argv[1], *command, "-c", config, "--userdir", sys.argv[2]], check=True)
"""


def can_unshare():
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    probe = ["unshare", "-rn", "ip", "link", "set", "lo", "up"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="network namespaces are not permitted here")
def test_nothing_calls_out_of_the_machine(tmp_path):
    """Without any network but the loopback, listing and downloading work all the same."""
    command = ["unshare", "-rn", sys.executable, "-c", SERVE, str(FREQTRADE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 active markets" in done.stdout + done.stderr
    assert list(tmp_path.rglob("BTC_USDT_USDT-1h-futures.feather"))
