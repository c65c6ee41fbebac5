"""Trials a second of a whole search beside `freqtrade hyperopt`'s epochs, in one run on the same job.

CPU seconds of all processes, so that what else the machine does counts for neither. FREQFLEET_TUNE_TRIALS
shortens the searches.
"""

import json
import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from automation.app.tuning import TuneRequest, tune
from automation.core.paths import configs, root, strategies
from automation.simulator import freqtrade_overlay, open_market, serving
from automation.tuning.search import Search
from automation.tuning.storage import open_storage

pytestmark = [
    pytest.mark.bench,
    pytest.mark.real_data,
    pytest.mark.timeout(7200),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]

FIVE = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "BNB/USDT:USDT", "XRP/USDT:USDT")
PROBES = Path(__file__).parents[1] / "integration" / "worker" / "strategies"
LOSS = "CalmarTailLoss"
TRIALS = int(os.environ.get("FREQFLEET_TUNE_TRIALS", "5000"))


def request_of(data_dir, tmp_path, strategy="TrendFollowingStrategy", year=False, **more):
    job = {"timerange": "20240101-20250101", "pairs": FIVE[:3]} if year else {
        "timerange": "20250101-20250501", "pairs": FIVE,
    }  # fmt: skip
    given = {
        "strategy": strategy,
        "data": data_dir,
        "trials": TRIALS,
        "spaces": ("buy", "sell", "stoploss", "roi", "trailing"),
        "storage": str(tmp_path / f"{strategy}-{year}.sqlite"),
        "losses": (LOSS,),
        **job,
    }
    return TuneRequest(**{**given, **more})


def cpu_s():
    """CPU of this process and of all its children that have ended."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def searched(request):
    """Run a search; the report and the CPU seconds of everything, start-up included."""
    begun = cpu_s()
    report = tune(request, lambda _: None, lambda _: None)
    return report, cpu_s() - begun


def hyperopt_epoch_s(request, folder, tmp_path, few, many):
    """CPU seconds of one epoch of `freqtrade hyperopt`: what more epochs cost more."""
    with serving(open_market(request.data)) as simulator:
        overlay = tmp_path / "overlay.json"
        overlay.write_text(json.dumps(freqtrade_overlay(simulator.url, request.pairs)))
        layers = [
            *(configs() / name for name in ("base.json", "futures.json", "offline.json")),
            overlay,
        ]
        spent = []
        for epochs in (few, many):
            command = [
                sys.executable,
                "-m",
                "freqtrade",
                "hyperopt",
                "--strategy",
                request.strategy,
            ]
            command += [
                "--strategy-path",
                str(folder),
                "--hyperopt-path",
                str(root() / "hyperopts"),
            ]
            command += [
                "--hyperopt-loss",
                LOSS,
                "--spaces",
                *request.spaces,
                "-e",
                str(epochs),
                "-j",
                "1",
            ]
            command += ["--timerange", request.timerange, "--datadir", str(request.data)]
            command += ["--userdir", str(tmp_path / f"user{epochs}"), "--pairs", *request.pairs]
            command += ["--disable-param-export", "--random-state", "1", "--no-color"]
            (tmp_path / f"user{epochs}").mkdir(exist_ok=True)
            for layer in layers:
                command += ["-c", str(layer)]
            begun = cpu_s()
            done = subprocess.run(
                command,
                env={**os.environ, "PYTHONPATH": str(strategies())},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            spent.append(cpu_s() - begun)
    return (spent[1] - spent[0]) / (many - few)


@pytest.mark.parametrize(
    ("strategy", "year", "least"),
    [
        ("TrendFollowingStrategy", False, 100.0),
        ("TrendFollowingStrategy", True, 100.0),
        ("CrossStrategy", False, 30.0),
    ],
)
def test_a_trial_costs_a_fraction_of_an_epoch(data_dir, tmp_path, strategy, year, least):
    foreign = strategy == "CrossStrategy"
    request = request_of(data_dir, tmp_path, strategy, year)
    if foreign:  # lengths that indicators read are not in the spaces: hyperopt computes those once
        request = replace(request, spaces=("sell", "stoploss", "roi"), trials=max(60, TRIALS // 10))
        request = replace(request, strategy_path=PROBES)
    epoch_s = hyperopt_epoch_s(
        request, PROBES if foreign else strategies(), tmp_path, 2, 5 if foreign or year else 8
    )
    report, spent_s = searched(request)
    ended = report.summary.finished
    trial_s = spent_s / ended
    told = report.spent
    print(
        f"\nload {os.getloadavg()[0]:.1f}: {strategy}, {request.timerange}, {len(request.pairs)} pairs: {ended} trials run to the end "
        f"({report.summary.stopped} stopped) in {spent_s:.1f} CPU s with start-up, {told.wall_s:.0f} s wall; "
        f"{1 / trial_s:.1f} trials/s and core; a trial: {trial_s * 1e3:.1f} ms, of it sampling "
        f"{told.sampling_s / told.trials * 1e3:.2f} ms, storage {told.storage_s / told.trials * 1e3:.2f} ms; "
        f"hyperopt {epoch_s:.2f} CPU s an epoch, {1 / epoch_s:.3f} epochs/s; ratio {epoch_s / trial_s:.0f}"
    )
    size = sum(path.stat().st_size for path in tmp_path.glob("*.sqlite*"))
    print(f"storage: {size / report.summary.answered:.0f} bytes a trial")
    assert size / report.summary.answered <= 4096
    assert epoch_s / trial_s >= least


def test_two_workers_share_the_data_and_nearly_double_the_rate(data_dir, tmp_path, monkeypatch):
    memory = {}
    genuine = Search._flush

    def watched(search):
        if workers not in memory and search.history.answered >= count // 2:
            # once, half-way: to add up the pages of such processes takes as long as several trials
            engines = psutil.Process(search.engines.processes[0])
            found = [engines, *engines.children(recursive=True)]
            memory[workers] = sum(p.memory_full_info().pss for p in found)
        genuine(search)

    monkeypatch.setattr(Search, "_flush", watched)
    count = min(TRIALS, 2000)
    rates, shares = {}, {}
    for workers in (1, 2):
        request = request_of(
            data_dir,
            tmp_path,
            trials=count,
            workers=workers,
            storage=str(tmp_path / f"w{workers}"),
        )
        report = tune(request, lambda _: None, lambda _: None)
        shares[workers] = (report.spent.sampling_s + report.spent.storage_s) / report.spent.trials
        rates[workers] = report.spent.trials / report.spent.wall_s
    ratio, grown = rates[2] / rates[1], memory[2] / memory[1]
    print(
        f"\nload {os.getloadavg()[0]:.1f}: one worker {rates[1]:.1f} trials/s, two {rates[2]:.1f}: {ratio:.2f} times; memory of the engines "
        f"(PSS) {memory[1] / 1e6:.0f} and {memory[2] / 1e6:.0f} MB: {grown:.2f} times; "
        f"sampling and storage took {shares[1] * 1e3:.2f} ms CPU a trial"
    )
    assert grown <= 1.2
    if os.getloadavg()[0] < 3.0 and (os.cpu_count() or 1) >= 2:
        assert ratio >= 1.8


def test_the_first_trial_comes_soon(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FREQFLEET_KERNEL_CACHE", str(tmp_path / "kernel"))
    told = {}
    for turn, kept in (
        ("compile", ()),
        ("kernel kept", ("kernel",)),
        ("all kept", ("kernel", "cache", "home")),
    ):
        for name in {"kernel", "cache", "home"} - set(kept):
            subprocess.run(["rm", "-rf", str(tmp_path / name)], check=True)
        request = request_of(data_dir, tmp_path, trials=1)
        words = [
            sys.executable,
            "-m",
            "automation",
            "tune",
            "run",
            request.strategy,
            "--data",
            str(data_dir),
        ]
        words += ["--timerange", request.timerange, "--pairs", ",".join(request.pairs), "-n", "1"]
        words += ["--storage", str(tmp_path / f"{turn}.sqlite")]
        begun, wall = cpu_s(), time.monotonic()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("compiling the engine" in done.stderr) == (turn == "compile")
        told[turn] = cpu_s() - begun
        print(
            f"\n{turn}: {told[turn]:.1f} CPU s to the end of the command, {time.monotonic() - wall:.1f} s wall"
        )
    assert told["kernel kept"] <= 12.0
    assert told["all kept"] <= 8.0
    assert told["compile"] - told["kernel kept"] <= 30.0


def test_a_hundred_thousand_quasi_random_trials_fit_into_a_gigabyte(tmp_path):
    sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "tuning"))
    from conftest import DIMENSIONS, FormulaEngines

    from automation.tuning.study import Study

    count = 20 * TRIALS
    job = {"strategy": "Formula", "timerange": "-", "pairs": []}
    study = Study(
        "q", job, DIMENSIONS, {}, ("L",), (), "qmc", 1, 20, False, "", "", "kernel", (), ""
    )
    before = psutil.Process().memory_info().rss
    with closing(open_storage(str(tmp_path / "q.sqlite"))) as storage:
        begun = time.process_time()
        search = Search(
            storage, storage.begin(study, count), FormulaEngines(width=16), lambda _: None
        )
        history = search.run()
        spent = time.process_time() - begun
    grown = psutil.Process().memory_info().rss - before
    size = sum(path.stat().st_size for path in tmp_path.glob("q.sqlite*"))
    print(
        f"\n{count} quasi-random trials: {grown / 1e6:.0f} MB more in the driver, "
        f"{size / count:.0f} bytes a trial stored, {spent / count * 1e3:.2f} ms CPU a trial"
    )
    assert history.answered >= count
    assert grown <= 400e6  # an engine has 300 to 600 MB
    assert size / count <= 4096


def test_the_estimators_cost_does_not_grow(tmp_path):
    sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "tuning"))
    from conftest import DIMENSIONS, FormulaEngines

    from automation.tuning.study import Study

    job = {"strategy": "Formula", "timerange": "-", "pairs": []}
    study = Study(
        "t", job, DIMENSIONS, {}, ("L",), (), "tpe", 1, 20, False, "", "", "kernel", (), ""
    )
    costs = []
    with closing(open_storage(str(tmp_path / "t.sqlite"))) as storage:
        for target in np.linspace(TRIALS / 5, TRIALS, 5).astype(int):
            opened = storage.begin(study, int(target))
            search = Search(storage, opened, FormulaEngines(width=4), lambda _: None)
            search.run()
            costs.append(search.spent.sampling_s / search.spent.trials * 1e3)
    print(
        "\nsampling, ms a trial, by fifths of the study: "
        + " ".join(f"{cost:.2f}" for cost in costs)
    )
    assert costs[-1] <= 2.5 * costs[0]
