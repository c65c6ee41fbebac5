"""Which commands become containers, and what of the machine these see."""

import json
from pathlib import Path

import pytest

from automation.app import jobs
from automation.app.jobs import job_of, run_contained
from automation.core.config import Docker
from automation.core.errors import ConfigError
from automation.core.paths import configs, root, strategies

BACKTEST = ("backtest", "S", "--timerange", "20240101-20240201")


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("FREQFLEET_HOME", str(folder))
    monkeypatch.delenv("FREQFLEET_JOBS", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def without_freqtrade(monkeypatch):
    monkeypatch.setattr(jobs, "find_spec", lambda _: None)


def flew_in_containers(home: Path) -> None:
    (home / "fleet.json").write_text(json.dumps({"docker": {"image": "bots:1"}}))


def test_where_freqtrade_is_installed_everything_runs_here(home):
    flew_in_containers(home)
    assert run_contained(BACKTEST) is None


@pytest.mark.usefixtures("without_freqtrade")
def test_without_freqtrade_the_fleet_that_flew_in_containers_names_the_image(home, monkeypatch):
    assert jobs._settings(BACKTEST) is None  # nobody said that bots are containers
    flew_in_containers(home)
    assert jobs._settings(BACKTEST).image == "bots:1"
    for words in (("status",), ("tune", "show"), (*BACKTEST, "--help"), ()):
        assert jobs._settings(words) is None
    monkeypatch.setenv("FREQFLEET_JOBS", "here")
    assert jobs._settings(BACKTEST) is None


def test_a_person_can_ask_for_containers(home, monkeypatch):
    monkeypatch.setenv("FREQFLEET_JOBS", "docker")
    assert jobs._settings(BACKTEST) == Docker()
    (home / "fleet.json").write_text(json.dumps({"docker": {"imgae": "bots:1"}}))
    with pytest.raises(ConfigError, match=r"fleet\.json: cannot be used"):
        jobs._settings(BACKTEST)
    monkeypatch.setenv("FREQFLEET_JOBS", "there")
    with pytest.raises(ConfigError, match="'there' is no place for jobs"):
        jobs._settings(BACKTEST)


def test_a_job_reads_what_is_named_and_writes_its_results_alone(home, tmp_path):
    data, config, results = tmp_path / "data", tmp_path / "c.json", tmp_path / "new" / "results"
    data.mkdir()
    config.write_text("{}")
    words = (*BACKTEST, "--data", "data", f"--config={config}", "--results", str(results))
    job = job_of(words, Docker(image="bots:1", user="7:8"))
    assert {strategies(), configs(), data, config} <= set(job.readable)
    assert job.writable == (results,)
    assert results.is_dir()
    assert (job.words, job.image, job.user, job.cwd) == (words, "bots:1", "7:8", tmp_path)
    assert job.environment["FREQFLEET_HOME"] == str(home)
    assert home not in job.readable
    assert not any(home.is_relative_to(path) for path in (*job.readable, *job.writable))


def test_each_command_writes_to_its_own_folder(home, tmp_path):
    assert job_of(("tune", "run", "S"), Docker()).writable == (home / "tuning",)
    assert job_of(("gate", "run"), Docker()).writable == (home / "gate",)
    assert list(jobs._results(BACKTEST)) == [root() / "user_data" / "backtest_results"]
    own = ("tune", "run", "S", "--storage", f"sqlite:///{tmp_path}/s/one.sqlite")
    assert list(jobs._results(own)) == [tmp_path / "s", home / "tuning"]
    report = ("gate", "run", "--report", "report", "--summary=page/gate.md")
    assert list(jobs._results(report)) == [tmp_path / "page", tmp_path / "report", home / "gate"]


def test_a_training_writes_its_file_even_over_the_last_one(home, tmp_path):
    train = ("train", "regime", "--data", str(tmp_path / "data"), "--until", "2024-06-30")
    (tmp_path / "data").mkdir()
    assert list(jobs._results(train)) == [root() / "user_data" / "models"]
    kept = tmp_path / "kept" / "regime.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    for words in ((*train, "-o", str(kept)), (*train, f"--output={kept}")):
        job = job_of(words, Docker())
        assert job.writable == (kept.parent,)
        assert tmp_path / "data" in job.readable
        assert kept not in job.readable  # a file that is mounted cannot be replaced


def test_a_gate_sees_the_folder_it_judges_but_neither_state_nor_history(home, tmp_path):
    for name in ("strategies", "user_data", "deploy", ".git"):
        (tmp_path / name).mkdir()
    seen = {path.name for path in job_of(("gate", "run"), Docker()).readable}
    assert "strategies" in seen
    assert not {"user_data", "deploy", ".git"} & seen


def test_a_database_on_a_server_cannot_be_reached(home):
    with pytest.raises(ConfigError, match="has no network"):
        job_of(("tune", "run", "S", "--storage", "postgresql://h/d"), Docker())


def test_limits_are_the_fleet_files_but_never_more_cores_than_there_are(home):
    job = job_of(BACKTEST, Docker(jobs={"memory_mb": 900, "cpus": 900, "timeout_h": 2}))
    assert (job.memory_mb, job.limit_s) == (900, 7200)
    assert job.cpus < 900
