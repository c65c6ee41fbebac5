"""Commands as one-shot containers of a real engine: bounded, without network, gone afterwards."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from automation.core.errors import DependencyError, TransientError
from automation.fleet.containers.engine import Engine
from automation.fleet.containers.jobs import Job, _launch, run, run_until
from automation.fleet.containers.spec import arguments
from automation.journal import Journal
from automation.simulator import write_data_folder
from tests.contract.docker_engine import BORROWED, IMAGE

REPOSITORY = Path(__file__).resolve().parents[3]
READABLE = tuple(Path(p) for p in (*BORROWED, sys.base_prefix, sys.prefix, REPOSITORY))

# A `freqfleet` for the container: what its words name, so that a test sees what a job may do.
PROGRAM = """
import json, os, socket, sys, time
from pathlib import Path

sys.path.insert(0, {repository!r})
if sys.argv[1] == "--leash":
    from automation.core.leash import main

    sys.exit(main(sys.argv[2:]))
what = sys.argv[1]
if what == "show":
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").open())
    print(json.dumps({{
        "interfaces": [line.split(":")[0].strip() for line in lines],
        "uid": os.getuid(), "capabilities": int(status["CapEff"], 16),
        "tmp": os.environ["TMPDIR"], "cwd": os.getcwd(),
    }}))
    sys.exit(int(sys.argv[2]))
if what == "write":
    for place in sys.argv[2:]:
        try:
            Path(place, "made").write_text("x")
            print(place, "written")
        except OSError as error:
            print(place, error.strerror)
if what == "hog":
    held = bytearray(int(sys.argv[2]) << 20)
if what == "wait":
    print("waits", flush=True)
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("was interrupted", file=sys.stderr, flush=True)
        sys.exit(130)
"""


@pytest.fixture
def package(tmp_path):
    """A folder whose `automation` is the program above."""
    folder = tmp_path / "inside"
    (folder / "automation").mkdir(parents=True)
    text = PROGRAM.format(repository=str(REPOSITORY)).replace(
        "sys.path.insert(0", "sys.modules.pop('automation', None); sys.path.insert(0"
    )
    (folder / "automation" / "__main__.py").write_text(text)
    (folder / "automation" / "__init__.py").write_text("")
    return folder


@pytest.fixture
def engine(docker_address):
    made = Engine(docker_address)
    yield made
    made.close()


@pytest.fixture
def job_of(package, tmp_path):
    def make(*words, **more) -> Job:
        more.setdefault("writable", ())
        return Job(
            words=words,
            image=IMAGE,
            cwd=tmp_path,
            readable=(*READABLE, package),
            environment={"PYTHONPATH": str(package)},
            python=sys.executable,
            user=more.pop("user", "0:0"),  # this machine's Python may be root's alone
            cpus=1.0,
            **more,
        )

    return make


@pytest.fixture
def finish(engine, tmp_path):
    """Run a job; gives its exit code, output and error output."""

    def do(job: Job):
        out, err = io.BytesIO(), io.BytesIO()
        done = run(engine, job, tmp_path / "jobs", out, err)
        return done.code, out.getvalue().decode(), err.getvalue().decode()

    return do


def containers(engine) -> list[dict]:
    return engine._docker().api.containers(all=True, filters={"label": "freqfleet.unit=job"})


def until(holds, within_s=30.0):
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_job_says_its_word_has_no_network_and_is_gone(finish, job_of, engine, tmp_path):
    code, said, _ = finish(job_of("show", "3"))
    assert code == 3
    seen = json.loads(said)
    assert seen["interfaces"] == ["lo"]
    assert seen["capabilities"] == 0
    assert seen["cwd"] == str(tmp_path)
    assert Path(seen["tmp"]).is_relative_to(tmp_path / "jobs")
    assert containers(engine) == []
    assert list((tmp_path / "jobs").iterdir()) == []


def test_it_writes_where_its_results_go_and_nowhere_else(finish, job_of, package, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    places = [str(results), str(package), "/", "/etc"]
    _, said, _ = finish(job_of("write", *places, writable=(results,)))
    assert said.splitlines()[0] == f"{results} written"
    assert all("Read-only" in line for line in said.splitlines()[1:]), said
    assert (results / "made").exists()


def test_it_is_not_root_unless_it_is_told_to(job_of, tmp_path):
    asked = arguments(_launch(job_of("show", user=None), tmp_path))
    assert asked["user"] != "0:0"
    assert (asked["network_mode"], asked["read_only"], asked["cap_drop"]) == ("none", True, ["ALL"])
    assert asked["mem_limit"] == asked["memswap_limit"] == 4096 * 2**20
    assert asked["environment"]["PYTHONUSERBASE"] == "/home/ftuser/.local"  # or no Freqtrade
    assert (asked["pids_limit"], asked["nano_cpus"]) == (512, 1_000_000_000)


def test_one_that_takes_too_much_memory_is_killed_and_told(finish, job_of, engine):
    with pytest.raises(DependencyError, match=r"it was killed; it may use 64 MB"):
        finish(job_of("hog", "400", memory_mb=64))
    assert containers(engine) == []


def test_one_that_takes_too_long_is_killed(finish, job_of, engine):
    with pytest.raises(DependencyError, match="it was killed"):
        finish(job_of("wait", limit_s=2.0))
    assert containers(engine) == []


def test_an_interrupt_reaches_it(finish, job_of, engine):
    def interrupt():
        until(lambda: containers(engine))
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    code, said, told = finish(job_of("wait"))
    assert (code, said, told) == (130, "waits\n", "was interrupted\n")
    assert containers(engine) == []


def test_in_a_thread_it_gives_its_answer_or_ends_as_soon_as_it_is_told(job_of, engine, tmp_path):
    seen, is_over = [], threading.Event()

    def ask(job: Job) -> threading.Thread:
        place = tmp_path / "jobs"
        thread = threading.Thread(
            target=lambda: seen.append(run_until(engine, job, place, is_over))
        )
        thread.start()
        return thread

    ask(job_of("show", "3")).join(60)
    assert (seen[0].code, json.loads(seen[0].out)["interfaces"]) == (3, ["lo"])
    waiting = ask(job_of("wait"))
    until(lambda: [out for out in (tmp_path / "jobs").glob("*/out") if out.read_text()])
    began_s = time.monotonic()
    is_over.set()
    waiting.join(60)
    assert time.monotonic() - began_s < 8  # no grace, as an interrupt has
    assert seen[1].code == 137
    assert containers(engine) == []
    assert list((tmp_path / "jobs").iterdir()) == []


def test_what_a_dead_asker_left_is_removed(finish, job_of, engine, tmp_path):
    left = tmp_path / "jobs" / "job-left"
    left.mkdir(parents=True)
    (left / "lock").touch()
    job = job_of("show", "0")
    engine.create(arguments(_launch(job, left)))  # and never started
    assert len(containers(engine)) == 1
    assert finish(job)[0] == 0
    assert containers(engine) == []
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_job_is_furnished_and_works_where_that_lies(finish, job_of, tmp_path):
    furnished = replace(
        job_of("show", "0"), cwd=None, furnish=lambda folder: (folder / "given").write_text("x")
    )
    _, said, _ = finish(furnished)
    assert Path(json.loads(said)["cwd"]).parent == tmp_path / "jobs"

    def refuse(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DependencyError, match="No space left"):
        finish(replace(furnished, furnish=refuse))
    assert list((tmp_path / "jobs").iterdir()) == []


def test_an_image_without_freqfleet_is_told(finish, job_of):
    with pytest.raises(DependencyError, match="freqfleet does not start in it; build the bot"):
        finish(replace(job_of("show"), python="/nowhere/python"))


def test_an_image_that_is_missing_and_an_engine_that_is_away_are_told(job_of, finish, tmp_path):
    with pytest.raises(DependencyError, match="no such image; run docker pull"):
        finish(replace(job_of("show"), image="freqfleet/none:1"))
    away = Engine(f"unix://{tmp_path / 'nobody.sock'}")
    with pytest.raises(TransientError, match="does not answer"):
        run(away, job_of("show"), tmp_path / "jobs", io.BytesIO(), io.BytesIO())
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.fixture
def sidecar(docker_address, tmp_path, package):
    """Start `freqfleet` as in a sidecar whose fleet flew in containers."""
    home = tmp_path / "home"
    home.mkdir()
    docker = {
        "image": IMAGE,
        "engine": docker_address,
        "python": sys.executable,
        "user": "0:0",
        "mounts": [str(path) for path in READABLE],
        "jobs": {"memory_mb": 2048, "cpus": 1.0},
    }
    (home / "fleet.json").write_text(json.dumps({"fleet": "f", "bots": [], "docker": docker}))

    def start(*words):
        environment = {
            **os.environ,
            "FREQFLEET_HOME": str(home),
            "FREQFLEET_JOBS": "docker",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "automation", *map(str, words)],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


RANGE = "20240301-20240308"


@pytest.mark.long
def test_a_backtest_runs_in_the_bot_image_as_beside_it(sidecar, engine, freqfleet, tmp_path):
    words = ("backtest", "TrendFollowingStrategy", "--timerange", RANGE, "--json")
    running = sidecar(*words, "--results", tmp_path / "there")
    found = until(lambda: containers(engine), 60)
    (mounts,) = [engine.inspect(one["Id"])["HostConfig"]["Binds"] for one in found]
    writable = [bind.split(":")[0] for bind in mounts if bind.endswith(":rw")]
    assert writable[0] == str(tmp_path / "there")
    assert all(Path(one).is_relative_to(tmp_path) for one in writable)
    said, told = running.communicate(timeout=280)
    assert running.returncode == 0, told
    here = freqfleet(*words, "--results", tmp_path / "here")
    contained, beside = json.loads(said), json.loads(here.stdout)
    for report in (contained, beside):
        report["strategies"][0].pop("result_file")
    assert contained == beside
    assert list((tmp_path / "there").glob("*.zip"))
    assert containers(engine) == []


@pytest.mark.long
def test_a_training_in_the_bot_image_writes_what_one_beside_it_writes(
    sidecar, engine, freqfleet, tmp_path
):
    data = tmp_path / "data"
    start, end = datetime(2023, 7, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    write_data_folder(data, ("BTC/USDT:USDT",), ("1h",), start, end, 7)
    words = (
        "train", "regime", "--data", data, "-p", "BTC/USDT:USDT", "--timeframe", "1h",
        "--until", "2024-02-28", "--window-days", "120", "--step-days", "60",
    )  # fmt: skip
    there, here = tmp_path / "models" / "there.json", tmp_path / "here.json"
    there.parent.mkdir()
    there.write_text("of the last time")
    running = sidecar(*words, "-o", there)
    said, told = running.communicate(timeout=280)
    assert running.returncode == 0, told
    assert str(there) in said
    assert freqfleet(*words, "-o", here).returncode == 0
    assert there.read_text() == here.read_text()
    assert containers(engine) == []


STRATEGIES = REPOSITORY / "tests" / "integration" / "tuning" / "strategies"


def remembered(home, *kinds) -> list[str]:
    with Journal.open(home / "journal.sqlite") as journal:
        return [event.kind for event in journal.search(kind=kinds)]


@pytest.fixture
def journaled(tmp_path, sidecar):
    """The state folder of a fleet that has a journal."""
    with Journal.open(tmp_path / "home" / "journal.sqlite") as journal:
        journal.append("test.begin", actor="test", source="test")
    return tmp_path / "home"


@pytest.mark.long
def test_a_tuning_runs_in_the_bot_image(sidecar, engine, journaled, tmp_path):
    data = tmp_path / "data"
    start, end = datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 13, tzinfo=UTC)
    write_data_folder(data, ("BTC/USDT:USDT",), ("5m", "1h"), start, end, 7)
    running = sidecar(
        "tune", "run", "StrangerStrategy", "--data", data, "--timerange", "20240105-20240113",
        "--trials", "5", "--strategy-path", STRATEGIES, "--loss", "SharpeHyperOptLossDaily",
        "--json",
    )  # fmt: skip
    said, told = running.communicate(timeout=280)
    assert running.returncode == 0, told
    assert json.loads(said)
    assert (journaled / "tuning" / "studies.sqlite").exists()
    assert remembered(journaled, "tuning.*") == ["tuning.done"]
    assert containers(engine) == []


@pytest.mark.long
def test_a_gate_runs_in_the_bot_image(sidecar, engine, journaled, tmp_path):
    (tmp_path / "strategies").mkdir()
    shutil.copy(STRATEGIES / "StrangerStrategy.py", tmp_path / "strategies")
    running = sidecar("gate", "run", "--smoke", "--strategy", "StrangerStrategy", "--json")
    said, told = running.communicate(timeout=900)
    assert running.returncode in (0, 1), told
    assert json.loads(said)["strategies"]
    assert remembered(journaled, "gate.*") == ["gate.done"]
    assert containers(engine) == []


def test_a_sidecar_that_is_killed_takes_its_job_along(sidecar, engine, tmp_path):
    running = sidecar("backtest", "TrendFollowingStrategy", "--timerange", "20200101-20240308")
    found = until(lambda: [c for c in containers(engine) if c["State"] == "running"], 60)
    until(lambda: list((tmp_path / "home" / "jobs").glob("*/out")))
    assert engine.inspect(found[0]["Id"]) is not None
    running.kill()
    running.communicate()
    until(lambda: not containers(engine), 15)


def test_what_is_wrong_is_told_in_a_sentence(sidecar):
    cases = {
        (
            "tune",
            "run",
            "S",
            "--data",
            ".",
            "--timerange",
            RANGE,
            "--storage",
            "postgresql://h/d",
        ): (
            2,
            "--storage: a job in a container has no network",
        ),
        ("backtest", "Ghost", "--timerange", RANGE): (2, "no strategy is named Ghost"),
    }
    for words, (code, sentence) in cases.items():
        running = sidecar(*words)
        _, told = running.communicate(timeout=120)
        assert (running.returncode, sentence in told) == (code, True), told


def test_help_is_given_here(sidecar, engine):
    running = sidecar("backtest", "--help")
    said, _ = running.communicate(timeout=60)
    assert "--timerange" in said
    with suppress(StopIteration):
        assert not containers(engine)


def test_what_a_job_tells_stands_in_the_journal(tmp_path, monkeypatch):
    from automation.app.outcomes import TuningDone, take_down, tell_tuning

    home, aside = tmp_path / "home", tmp_path / "told.jsonl"
    home.mkdir()
    monkeypatch.setenv("FREQFLEET_HOME", str(home))
    monkeypatch.setenv("FREQFLEET_TOLD", str(aside))
    tell_tuning(TuningDone(strategy="S", study="s", trials=3, took_s=1.0, best="nothing"))
    monkeypatch.delenv("FREQFLEET_TOLD")
    with Journal.open(home / "journal.sqlite") as journal:
        journal.append("test.begin", actor="test", source="test")
    for line in (*aside.read_text().splitlines(), "{}", '{"kind": "fleet.live", "facts": {}}'):
        take_down(line)
    with Journal.open(home / "journal.sqlite") as journal:
        told = journal.search(kind=("tuning.*", "fleet.*"))
    assert [(event.kind, event.payload["trials"]) for event in told] == [("tuning.done", 3)]
