from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from automation.app import journals
from automation.app.outcomes import TuningDone, tell_tuning
from automation.cli.journal import journal as commands
from automation.fleet.home import Home
from automation.journal import Journal
from automation.journal.export import read_export
from automation.testing import ManualClock

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FREQFLEET_ANCHORS", str(tmp_path / "anchors"))
    folder = Home(tmp_path / "home")
    folder.make()
    return folder


@pytest.fixture
def filled(home):
    clock = ManualClock(START)
    with Journal.open(home.journal, clock=clock) as journal:
        for n in range(10):
            known = {"database": "db", "closed_total": n, "last_closed_id": n}
            kind, payload = ("trade.known", known) if n % 2 else ("test.noted", {"n": n})
            address = "10.0.0.7" if n == 3 else ""
            journal.append(kind, actor="a", source="s", bot="m", payload=payload, address=address)
            clock.advance(3600)
    return home


def run(*words):
    return CliRunner().invoke(commands, list(words))


def test_old_details_go_by_the_command_and_trades_stay(filled, tmp_path):
    archive = tmp_path / "old.jsonl"
    done = run("seal", "--before", "2025-01-01T06:00", "--archive", str(archive))
    assert done.exit_code == 0, done.output
    assert "details of 3 events, 1 to 6" in done.output
    with journals.reading() as journal:
        events = journal.read(limit=10)
    assert [e.sequence for e in events if e.is_sealed] == [1, 3, 5]
    assert len(list(read_export(archive))) == 6
    assert run("verify").exit_code == 0
    again = run("seal", "--before", "2025-01-01T06:00")
    assert (again.exit_code, "sealed already" in again.output) == (1, True)


def test_a_seal_takes_an_instant(filled):
    done = run("seal", "--before", "yesterday-ish")
    assert done.exit_code != 0
    assert "--before" in str(done.exception)


def test_events_are_found_by_address(filled):
    done = run("search", "--address", "10.0.0.7")
    assert done.output.count("trade") == 1 or done.output.count("brings") == 1


def test_a_tuning_is_told_where_there_is_a_fleets_journal(home):
    facts = TuningDone(strategy="S", study="s", trials=9, took_s=1.0, best="profit 3 %")
    tell_tuning(facts)
    assert not home.journal.exists()
    Journal.open(home.journal).close()
    tell_tuning(facts)
    with journals.reading() as journal:
        (event,) = journal.search(kind="tuning.done")
    assert (
        "Tuning of S is done after 9 trials: profit 3 %" in journals.as_document(event)["sentence"]
    )
    assert event.time - START > timedelta(0)


def test_what_a_study_came_to_is_told_in_a_sentence():
    from types import SimpleNamespace

    from automation.app.tuning import _done

    study = SimpleNamespace(name="s", job={"strategy": "S"})
    found = SimpleNamespace(study=study, answered=9, engine_s=1.23456, best=None)
    assert _done(found).best == "no trial was good enough"
    found.best = SimpleNamespace(number=4)
    assert (_done(found).best, _done(found).took_s) == ("trial 4 is the best", 1.235)
