import asyncio
import sqlite3
import time

import pytest

from automation.core.errors import ConfigError
from automation.journal import Journal, Query
from automation.journal.checkpoints import (
    Checkpoint,
    Notary,
    PublicKey,
    SigningKey,
    public_path,
    read_anchor,
)
from automation.journal.event import GENESIS, Draft, chain, prepare


@pytest.fixture
def key(tmp_path):
    return SigningKey.create(tmp_path / "keys" / "journal.pem")


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.db") as journal:
        for n in range(10):
            journal.append("bot.up", actor="a", source="s", payload={"n": n})
        yield journal


@pytest.fixture
def notary(journal, key, tmp_path):
    return Notary(journal, key, tmp_path / "elsewhere" / "anchor.json")


def wait_for(path):
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.05)


def rewrite(path, upto=10, actor="b"):
    """Write the chain anew, consistent in itself, as somebody without the key could."""
    entries = [prepare(Draft("bot.up", actor, "s", {"n": n}), n) for n in range(upto)]
    with sqlite3.connect(path) as raw:
        for trigger in ("events_stay", "events_keep"):
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("DELETE FROM events")
        rows = [(*e[:10], None, e.hash) for e in chain(entries, 0, GENESIS)]
        raw.executemany(f"INSERT INTO events VALUES ({','.join('?' * 12)})", rows)
    raw.close()


def test_a_checkpoint_vouches_for_everything_before_it(journal, notary, key, tmp_path):
    checkpoint = notary.checkpoint()
    anchor = read_anchor(tmp_path / "elsewhere" / "anchor.json")
    assert anchor == checkpoint
    assert journal.store.checkpoints() == [checkpoint.to_json()]
    public = PublicKey.load(public_path(tmp_path / "keys" / "journal.pem"))
    assert public.vouches_for(anchor)
    found = journal.verify(public, anchor)
    assert (found.is_whole, found.signed_until) == (True, 10)
    assert found.sentence == "10 events verified, up to number 10, signed up to 10"
    assert notary.checkpoint() is None, "nothing is new"
    journal.append("bot.up", actor="a", source="s")
    assert notary.checkpoint().sequence == 11


def test_a_chain_written_anew_without_the_key_is_found_by_the_checkpoint(
    journal, notary, key, tmp_path
):
    notary.checkpoint()
    rewrite(tmp_path / "journal.db")
    assert journal.verify_from(0, GENESIS).is_whole, "consistent in itself"
    found = journal.verify(key.public)
    assert (found.broken.sequence, "rewritten between events 1 and 10" in found.sentence) == (
        1,
        True,
    )


def test_and_by_the_anchor_when_the_checkpoints_were_removed_too(journal, notary, key, tmp_path):
    anchor = notary.checkpoint()
    rewrite(tmp_path / "journal.db")
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("DELETE FROM checkpoints")
    raw.close()
    assert journal.verify(key.public).is_whole
    assert "rewritten" in journal.verify(key.public, anchor).sentence


def test_a_truncated_journal_is_found(journal, notary, key, tmp_path):
    anchor = notary.checkpoint()
    rewrite(tmp_path / "journal.db", upto=7, actor="a")
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("DELETE FROM checkpoints")
    raw.close()
    found = journal.verify(key.public, anchor)
    assert found.broken.sequence in {1, 8}


def test_a_signature_of_another_key_counts_for_nothing(journal, notary, key, tmp_path):
    notary.checkpoint()
    rewrite(tmp_path / "journal.db")
    forger = SigningKey.create(tmp_path / "forged.pem")
    last = journal.last()
    forged = forger.sign(last.sequence, last.hash, 1)
    journal.store.add_checkpoint(forged.sequence, forged.to_json())
    assert "signature" in journal.verify(key.public).sentence


def test_a_broken_chain_is_never_signed_over_and_said_once(journal, notary, tmp_path):
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("DROP TRIGGER events_keep")
        raw.execute("UPDATE events SET actor = 'x' WHERE sequence = 4")
    raw.close()
    assert notary.checkpoint() is None
    assert notary.checkpoint() is None
    journal.append("bot.up", actor="a", source="s")
    said = journal.search(kind="journal.broken")
    assert [event.payload["sequence"] for event in said] == [4]
    assert journal.store.checkpoints() == []


async def test_the_notary_signs_by_itself_and_says_what_stops_it(journal, notary, tmp_path):
    (tmp_path / "elsewhere").write_text("a file where the folder should be")
    task = asyncio.create_task(notary.run(every_s=0.05))
    async with asyncio.timeout(30):
        await anext(journal.subscribe(0, Query(kind="journal.checkpoint_failed")))
        (tmp_path / "elsewhere").unlink()
        await asyncio.to_thread(wait_for, tmp_path / "elsewhere" / "anchor.json")
    journal.append("bot.up", actor="a", source="s")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    anchor = read_anchor(tmp_path / "elsewhere" / "anchor.json")
    assert anchor.sequence == journal.last().sequence, "the end is signed too"


def test_the_key_is_its_owners_alone(tmp_path, key):
    path = tmp_path / "keys" / "journal.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.load(path).public.key_id == key.public.key_id
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read.*chmod 600"):
        SigningKey.load(path)
    with pytest.raises(ConfigError, match="a key is there already"):
        SigningKey.create(path)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"sequence": "x"}'])
def test_what_is_no_anchor_or_key_is_refused(tmp_path, content):
    (tmp_path / "file").write_text(content)
    with pytest.raises(ConfigError, match="no anchor"):
        read_anchor(tmp_path / "file")
    with pytest.raises(ConfigError, match="no public key"):
        PublicKey.load(tmp_path / "file")
    with pytest.raises(ConfigError, match="no signing key"):
        SigningKey.load(tmp_path / "file")
    with pytest.raises(ValueError, match="no checkpoint"):
        Checkpoint.from_json(content)
