"""What `freqfleet backtest` costs over a bare `freqtrade backtesting` of the same job."""

import json
import os
import statistics
import subprocess
import sys
import time

import pytest

from automation.simulator import freqtrade_overlay, open_market, serving

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
RANGE = "20240101-20240501"
STRATEGY = "TrendFollowingStrategy"


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


@pytest.mark.bench
@pytest.mark.real_data
@pytest.mark.timeout(1200)
def test_overhead_over_bare_freqtrade(data_dir, root, tmp_path):
    """Five pairs of runs, in turn; the median of the ratios is what counts."""
    environment = {**os.environ, "PYTHONPATH": str(root / "strategies"), "TZ": "UTC"}
    layers = [a for n in ("base", "futures", "offline") for a in ("-c", f"{root}/configs/{n}.json")]
    with serving(open_market(data_dir)) as simulator:
        overlay = tmp_path / "overlay.json"
        overlay.write_text(json.dumps(freqtrade_overlay(simulator.url, PAIRS)))
        bare = [
            *(sys.executable, "-m", "freqtrade", "backtesting", *layers, "-c", str(overlay)),
            *("--strategy", STRATEGY, "--strategy-path", str(root / "strategies")),
            *("--userdir", str(tmp_path), "--datadir", str(data_dir), "--timerange", RANGE),
            *("--cache", "none", "--export", "trades", "--pairs", *PAIRS),
        ]
        ours = [
            *(sys.executable, "-m", "automation", "backtest", STRATEGY, "--data", str(data_dir)),
            *("--timerange", RANGE, "--pairs", ",".join(PAIRS), "--results", str(tmp_path / "r")),
        ]
        (tmp_path / "backtest_results").mkdir()
        _seconds(bare, environment)
        pairs = [(_seconds(ours, environment), _seconds(bare, environment)) for _ in range(5)]
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"\nfreqfleet backtest over bare freqtrade: {ratio:.3f} (median of 5)")
    print("  seconds, ours and bare:", [(round(a, 1), round(b, 1)) for a, b in pairs])
    assert ratio < 1.10
