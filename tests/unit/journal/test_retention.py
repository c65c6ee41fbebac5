from datetime import UTC, datetime, timedelta

import pytest

from automation.core.errors import ConfigError, Refusal
from automation.journal import Journal
from automation.journal.checkpoints import Notary, SigningKey
from automation.journal.export import read_export, verify_export
from automation.journal.retention import canonical, proves, resume_seals, seal
from automation.testing import ManualClock

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    clock = ManualClock(START)
    with Journal.open(tmp_path / "journal.db", clock=clock) as journal:
        for n in range(10):
            kind = "trade.done" if n % 5 == 0 else "bot.up"
            journal.append(kind, actor="a", source="s", payload={"n": n})
            clock.advance(3600)
        yield journal


def test_details_go_and_the_proof_stays(journal, tmp_path):
    before = journal.read()
    done = seal(journal, 6, actor="ann", archive=tmp_path / "old.jsonl", keep_kinds=["trade.done"])
    assert done.dropped == 4
    after = journal.read(limit=10)
    assert [e.sequence for e in after if e.is_sealed] == [2, 3, 4, 5]
    assert [e.hash for e in after] == [e.hash for e in before]
    found = journal.verify()
    assert (found.is_whole, found.sealed_events) == (True, 4)
    assert verify_export(tmp_path / "old.jsonl").is_whole
    for archived in read_export(tmp_path / "old.jsonl"):
        assert proves(after[archived.sequence - 1], archived.payload_json)
    assert proves(after[1], canonical("bot.up", {"n": 1}))
    assert not proves(after[1], canonical("bot.up", {"n": 2}))


def test_segments_follow_each_other(journal):
    assert seal(journal, 4, actor="ann").event.payload["first"] == 1
    assert seal(journal, START + timedelta(hours=7), actor="ann").event.payload["first"] == 5
    assert journal.read(6, 1)[0].is_sealed
    assert not journal.read(7, 1)[0].is_sealed
    assert "sealed already" in seal(journal, 7, actor="ann").reason
    assert journal.verify().is_whole


def test_a_seal_that_a_crash_cut_short_is_finished(journal, monkeypatch):
    monkeypatch.setattr(journal.store, "drop_payloads", lambda *_: 0)
    seal(journal, 8, actor="ann")
    monkeypatch.undo()
    assert resume_seals(journal) == 8
    assert resume_seals(journal) == 0
    assert journal.verify().sealed_events == 8


def test_dropping_without_a_seal_is_tampering(journal):
    seal(journal, 3, actor="ann")
    journal.store.drop_payloads(5, 5, ())
    found = journal.verify()
    assert (found.broken.sequence, "no seal" in found.sentence) == (5, True)


def test_nothing_is_sealed_that_is_not_signed_where_signing_is_on(journal, tmp_path):
    notary = Notary(journal, SigningKey.create(tmp_path / "k"), tmp_path / "anchor")
    notary.checkpoint()
    journal.append("bot.up", actor="a", source="s")
    assert isinstance(seal(journal, 11, actor="ann"), Refusal)
    assert seal(journal, 10, actor="ann").dropped == 10


def test_what_is_not_there_cannot_be_sealed(journal):
    with pytest.raises(ConfigError, match="no event 99"):
        seal(journal, 99, actor="ann")
    with Journal.in_memory() as empty, pytest.raises(ConfigError, match="empty"):
        seal(empty, 1, actor="ann")
