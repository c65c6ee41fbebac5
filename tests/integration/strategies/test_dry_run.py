"""A dry-run bot on the simulator: the entry is bounded as in a backtest, and survives a restart."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from automation.simulator import freqtrade_overlay, open_market, serving

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"]
AT = datetime(
    2024, 2, 10, 14, 1, tzinfo=UTC
)  # a calm day: no entry is refused for a price that ran away

pytestmark = [pytest.mark.real_data, pytest.mark.long, pytest.mark.xdist_group("freqtrade")]


@contextlib.contextmanager
def bot(root, folder, overlay):
    """Run the demo strategy with the demo layers until the block ends; yield its log file."""
    names = ("base", "futures", "offline", "demo")
    layers = [*(str(root / "configs" / f"{name}.json") for name in names), str(overlay)]
    log = folder / "bot.log"
    (folder / "user_data").mkdir(exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("freqtrade")), "trade", "--no-color",
                *(word for layer in layers for word in ("-c", layer)),
                "--strategy", "DemoPulseStrategy", "--strategy-path", str(root / "strategies"),
                "--userdir", str(folder / "user_data"), "--db-url", f"sqlite:///{folder}/bot.sqlite",
            ],
            cwd=folder, stdout=output, stderr=output,
            env={**os.environ, "PYTHONPATH": str(root / "strategies")},
        )  # fmt: skip
        try:
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def rows_of(folder, query):
    """Read from the bot's database; nothing while it is being made."""
    readable = f"file:{folder}/bot.sqlite?mode=ro"
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(readable, uri=True)) as database,
    ):
        return database.execute(query).fetchall()
    return []


def wait_for(condition, timeout_s=240):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(1)
    raise AssertionError("waited in vain")


TRADES = "select id, is_short, open_rate, stop_loss, leverage, liquidation_price from trades"
SIZINGS = "select cd_value from trade_custom_data where cd_key = 'sizing'"
STOPS = "select ft_trade_id, cd_value from trade_custom_data where cd_key = 'stop_dist_frac'"


def stops_are_set(folder):
    """Tell whether Freqtrade has moved every trade from its static stop to the strategy's own."""
    return all(abs(row[3] / row[2] - 1.0) < 0.06 for row in rows_of(folder, TRADES))


@pytest.mark.timeout(600)
def test_the_stop_is_kept_over_a_restart(root, data_dir, tmp_path):
    with serving(open_market(data_dir, PAIRS), at=AT) as sim:
        overlay = tmp_path / "simulator.json"
        overlay.write_text(json.dumps(freqtrade_overlay(sim.url, PAIRS)))
        with bot(root, tmp_path, overlay):
            wait_for(lambda: len(rows_of(tmp_path, STOPS)) == 3 and stops_are_set(tmp_path))
        stops = {key: float(value) for key, value in rows_of(tmp_path, STOPS)}
        for (told,) in rows_of(tmp_path, SIZINGS):
            sizing = json.loads(told)
            assert sizing["stake"] == pytest.approx(min(sizing["stakes"].values()), abs=0.01)
            assert sizing["bound_by"] in sizing["stakes"]
        first_log = (tmp_path / "bot.log").read_text()
        assert first_log.count("bound by") >= 3
        assert "funding_rate)." not in first_log  # "No data found for (…, funding_rate)."
        before = rows_of(tmp_path, TRADES)
        for trade_id, is_short, open_rate, stop, leverage, liquidation in before:
            away = stops[trade_id] if is_short else -stops[trade_id]
            assert stop == pytest.approx(open_rate * (1 + away), rel=1e-3)  # to the tick
            assert leverage == int(leverage)
            assert abs(open_rate - stop) < 0.5 * abs(open_rate - liquidation)
        with bot(root, tmp_path, overlay) as log:
            wait_for(lambda: "state='RUNNING'" in log.read_text())
            time.sleep(5)
            assert "Unexpected error" not in log.read_text()
        after = {row[0]: row for row in rows_of(tmp_path, TRADES)}
        assert all(after[row[0]] == row for row in before)
