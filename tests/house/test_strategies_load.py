"""Every strategy and loss loads through Freqtrade's own resolvers, from a foreign folder and in a worker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = sorted(path.stem for path in (ROOT / "strategies").glob("*.py"))
LOSSES = sorted(path.stem for path in (ROOT / "hyperopts").glob("*.py"))

PROGRAM = """
import json, sys
from pathlib import Path

import pandas as pd
from freqtrade.resolvers import StrategyResolver
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver
from joblib import Parallel, delayed, wrap_non_picklable_objects

root, strategies, losses = Path(sys.argv[1]), *map(json.loads, sys.argv[2:4])

def load(name):
    return StrategyResolver.load_strategy({
        "strategy": name, "strategy_path": str(root / "strategies"), "user_data_dir": Path("."),
        "trading_mode": "futures",
    })

def analyse(strategy):
    rows = 3_000
    close = [100 + (row % 700) * 0.05 + (row % 13) * 0.2 for row in range(rows)]
    frame = pd.DataFrame({
        "date": pd.date_range("2024-01-01", periods=rows, freq="5min", tz="UTC"),
        "open": close, "high": [c * 1.002 for c in close], "low": [c * 0.998 for c in close],
        "close": close, "volume": 1.0,
    })
    metadata = {"pair": "BTC/USDT:USDT"}
    frame = strategy.advise_indicators(frame, metadata)
    frame = strategy.advise_exit(strategy.advise_entry(frame, metadata), metadata)
    return int(frame["exit_long"].sum() + frame["exit_short"].sum())

loaded = {name: load(name) for name in strategies}
for name in losses:
    HyperOptLossResolver.load_hyperoptloss({
        "hyperopt_loss": name, "hyperopt_path": str(root / "hyperopts"), "timeframe": "5m",
        "user_data_dir": Path("."),
    })
here = {name: analyse(strategy) for name, strategy in loaded.items()}
work = delayed(wrap_non_picklable_objects(analyse))
there = dict(zip(loaded, Parallel(n_jobs=2)(work(one) for one in loaded.values())))
print(json.dumps({"here": here, "there": there}))
"""


@pytest.mark.timeout(120)
def test_they_load_and_work_from_anywhere(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), json.dumps(STRATEGIES), json.dumps(LOSSES)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "strategies")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert sorted(found["here"]) == STRATEGIES
    assert found["here"] == found["there"]
    assert all(count > 0 for count in found["here"].values())


@pytest.mark.parametrize("folder", ["strategies", "hyperopts"])
def test_one_class_per_file_named_as_its_file(folder):
    for path in (ROOT / folder).glob("*.py"):
        text = path.read_text()
        assert text.count("\nclass ") == 1, path.name
        assert f"\nclass {path.stem}(" in text, path.name  # the loader looks for these very words
        # a dataclass under postponed annotations fails to load, with only a warning
        assert "from __future__" not in text, path.name


def test_the_kit_needs_only_what_the_stock_image_has():
    standard = {
        "math",
        "collections",
        "typing",
        "statistics",
        "json",
        "hashlib",
        "itertools",
        "functools",
        "datetime",
    }
    allowed = {"numpy", "pandas", "talib", "tradekit"} | standard
    allowed_in_base = allowed | {"freqtrade", "pathlib", "abc", "logging", "datetime", "time"}
    for path in (ROOT / "strategies" / "tradekit").glob("*.py"):
        words = (line.split() for line in path.read_text().splitlines())
        used = {
            w[1].split(".")[0] for w in words if w and w[0] in {"import", "from"} and len(w) > 1
        }
        assert used <= (allowed_in_base if path.stem == "base" else allowed), path.name
