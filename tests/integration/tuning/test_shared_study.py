"""Several processes on one PostgreSQL: killed at random, the server restarted; one study comes out."""

import random
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from automation.core.errors import DependencyError
from automation.tuning.search import Search, read_history
from automation.tuning.storage import open_storage
from automation.tuning.study import State
from tests.contract.journal_servers import postgres_server

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "tuning"))
from conftest import DIMENSIONS, FormulaEngines

from automation.tuning.study import Study

PROGRAM = Path(__file__).parent / "formula_process.py"
JOB = {"strategy": "Formula", "timerange": "-", "pairs": []}


def progress_of(storage):
    for _ in range(200):
        with suppress(DependencyError):
            return storage.names()[0][2]
        time.sleep(0.1)
    raise TimeoutError("the storage does not come back")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("trials", "kills"),
    [
        pytest.param(700, 6, id="sample"),
        pytest.param(20_000, 150, id="full", marks=pytest.mark.prove),
    ],
)
def test_kills_and_a_restart_change_nothing(tmp_path, trials, kills):
    current = {"kind": "c", "fast": 10, "gap": 0.2, "free": 0.5, "fixed": True}
    study = Study(
        "s", JOB, DIMENSIONS, current, ("L",), (), "tpe", 3, 20, True, "", "", "kernel", (), ""
    )
    with closing(open_storage(str(tmp_path / "calm.sqlite"))) as calm:
        Search(calm, calm.begin(study, trials), FormulaEngines(), lambda _: None).run()
        wanted = read_history(calm, study)
    drawn = random.Random(20241105)
    with postgres_server() as server, closing(open_storage(server.url)) as storage:
        storage.begin(study, trials)
        words = [sys.executable, str(PROGRAM), server.url, "s", "0.02"]
        running = []
        try:
            for turn in range(kills):
                running += [subprocess.Popen(words) for _ in range(3 - len(running))]
                target = min(trials - 1, progress_of(storage) + drawn.randrange(10, 80))
                deadline = time.monotonic() + 120
                while progress_of(storage) < target:
                    time.sleep(0.05)
                    assert time.monotonic() < deadline
                if turn == kills // 2:
                    server.stop()
                    time.sleep(1.0)
                    server.start()
                victim = running.pop(drawn.randrange(len(running)))
                victim.kill()
                victim.wait(10)
            for process in running:
                assert process.wait(500) == 0
        finally:
            for process in running:
                process.kill()
                process.wait(10)
        # what the last victims had claimed is free again once one looks
        Search(storage, study, FormulaEngines(), lambda _: None).run()
        found = read_history(storage, study)
    assert (found.states[:trials] >= State.DONE).all()
    for part in ("vectors", "losses", "heads", "states"):
        ours, theirs = getattr(found, part)[:trials], getattr(wanted, part)[:trials]
        assert np.array_equal(ours, theirs, equal_nan=True), part
