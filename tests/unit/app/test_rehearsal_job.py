"""Where a rehearsal runs, and what it is told: never a secret."""

import json
import subprocess
import sys

import pytest

from automation.app import rehearsal_job
from automation.app.rehearsal_job import (
    Rehearsals,
    Verdict,
    job_of,
    read_asked,
    rehearse,
    settled,
)
from automation.core.config import Bot, Docker
from automation.core.errors import ConfigError, DependencyError, Refusal
from automation.core.masking import register_secret
from automation.core.paths import configs
from automation.fleet.containers.jobs import Done
from automation.fleet.lifecycle.changes import Rehearsal

SETTINGS = {
    "exchange": {
        "name": "binance", "key": "hush-1", "secret": "hush-2", "uid": "hush-3",
        "ccxt_config": {"apiKey": "hush-4"}, "pair_blacklist": ["BNB/.*"],
    },
    "telegram": {"token": "hush-5"},
    "discord": {"webhook_url": "hush-6"},
    "db_url": "postgresql://bot:hush-7@host/db",
    "of_a_strategy": {"api_token": "hush-8", "place": "https://me:hush-9@host/", "depth": 3},
    "note": "it is hush-registered",
    "stake_currency": "USDT",
    "available_capital": 5,
}  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FREQFLEET_JOBS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def asked(tmp_path, home):
    folder = tmp_path / "candidate"
    (folder / "tradekit").mkdir(parents=True)
    (folder / "S.py").write_text("class S(IStrategy): pass\n")
    (folder / "tradekit" / "risk.py").write_text("")
    layer = tmp_path / "own.json"
    layer.write_text(json.dumps(SETTINGS))
    telegram = {"token": "env:HUSH_TOKEN", "chat_id": "env:HUSH_CHAT"}
    raw = {"name": "trend", "strategy": "S", "capital_usdt": 700, "telegram": telegram}
    said = {"max_open_trades": 2, "stake_amount": "unlimited", "dry_run_wallet": 700}
    return Rehearsal(Bot.model_validate(raw), folder, (layer,), said)


def test_settings_are_told_without_secrets_and_without_what_reaches_others(asked):
    register_secret("hush-registered")
    told = settled(asked)
    assert "hush" not in json.dumps(told)
    assert told["of_a_strategy"] == {"api_token": "***", "place": "https://***@host/", "depth": 3}
    assert (told["stake_currency"], told["max_open_trades"], told["dry_run_wallet"]) == (
        "USDT", 2, 700,
    )  # fmt: skip
    assert told["exchange"]["pair_blacklist"] == ["BNB/.*"]
    assert not {"telegram", "discord", "db_url", "available_capital"} & told.keys()


def test_a_job_is_handed_copies_and_writes_beside_nobody(asked, home, tmp_path):
    register_secret("hush-registered")
    job = job_of(asked, Docker(image="bots:1", jobs={"cpus": 8, "timeout_h": 100}))
    assert (job.image, job.cpus, job.limit_s) == ("bots:1", 1.0, 1440.0)
    assert job.readable == (configs(),)
    assert job.writable == (home / "rehearsal",)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    job.furnish(scratch)
    handed = {path: path.read_text() for path in scratch.rglob("*") if path.is_file()}
    assert not any("hush" in text.lower() for text in handed.values())
    assert "hush" not in json.dumps(dict(job.environment)).lower()
    found = read_asked(scratch / job.words[1])
    assert (found.bot.name, found.bot.strategy, found.bot.capital_usdt) == ("trend", "S", 700)
    assert (found.strategies / "tradekit" / "risk.py").exists()
    assert settled(found) == settled(asked)


def test_short_limits_of_the_fleet_file_hold(asked):
    job = job_of(asked, Docker(jobs={"cpus": 0.5, "timeout_h": 0.1, "memory_mb": 900}))
    assert (job.cpus, job.limit_s, job.memory_mb) == (0.5, 360.0, 900)


async def test_where_nothing_can_rehearse_it_is_refused_with_the_cure(asked, home, monkeypatch):
    monkeypatch.setattr(rehearsal_job, "find_spec", lambda _: None)
    monkeypatch.setenv("FREQFLEET_JOBS", "here")
    refusal = await rehearse(asked)
    assert "there is no Freqtrade beside the supervisor" in refusal.reason
    assert "freqfleet bot restart trend" in refusal.reason
    monkeypatch.setenv("FREQFLEET_JOBS", "there")
    with pytest.raises(ConfigError, match="is no place for jobs"):
        await Rehearsals().hold(asked)


async def test_an_engine_that_is_away_is_told(asked, home, tmp_path, monkeypatch):
    home.mkdir()
    engine = f"unix://{tmp_path}/nobody.sock"
    (home / "fleet.json").write_text(json.dumps({"docker": {"engine": engine}}))
    monkeypatch.setenv("FREQFLEET_JOBS", "docker")
    with pytest.raises(DependencyError, match="the Docker Engine does not answer"):
        await Rehearsals().hold(asked)
    assert list((home / "jobs").iterdir()) == []


def test_a_verdict_is_one_document_and_anything_else_is_told():
    def verdict(out: str, err: str = "", code: int = 0):
        done = Done(code, (), out.encode(), err.encode())
        return rehearsal_job._verdict(done, Docker(image="bots:1"))

    assert verdict(Verdict(refusal=None).model_dump_json()) is None
    said = verdict(Verdict(refusal="x" * 5000).model_dump_json())
    assert said == Refusal("x" * 600)
    for out in ("", "{}", "null", '{"refusal": 5}'):
        with pytest.raises(DependencyError, match=r"rehearsal in bots:1: it gave no verdict \(no"):
            verdict(out, "freqfleet: no such image\n", 3)
    old = "Usage: freqfleet\n╭─ Error ──╮\n│ No such command 'rehearse'. │\n╰──╯\n"
    with pytest.raises(DependencyError, match=r"\(No such command 'rehearse'\.\); if the image is"):
        verdict("", old, 2)


def test_a_supervisor_that_only_might_rehearse_loads_nothing_for_it():
    loaded = "import sys, automation.app.fleets; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    for name in ("freqtrade", "pandas", "talib", "docker", "automation.gates"):
        assert f"'{name}'" not in done.stdout
