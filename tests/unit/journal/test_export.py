import random

import pyarrow.parquet as pq
import pytest

from automation.core.errors import ConfigError, DependencyError
from automation.journal import Journal, Query
from automation.journal.checkpoints import Notary, SigningKey
from automation.journal.export import export, read_export, verify_export


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return SigningKey.create(tmp_path_factory.mktemp("key") / "k.pem")


@pytest.fixture
def journal(tmp_path, key):
    with Journal.open(tmp_path / "journal.db") as journal:
        for n in range(30):
            payload = {"n": n, "said": 'ü"\n', "x": [1.5e-7, None, {"deep": True}]}
            journal.append("bot.up", actor="a", source="s", bot=f"m{n % 3}", payload=payload)
        Notary(journal, key, tmp_path / "anchor").checkpoint()
        journal.append("bot.down", actor="a", source="s", cause=3)
        yield journal


@pytest.fixture(params=["jsonl", "parquet"])
def path(request, tmp_path):
    return tmp_path / f"export.{request.param}"


def test_an_export_holds_everything_and_stands_by_itself(journal, path, key):
    exported = export(journal, path)
    assert (exported.events, exported.first, exported.last) == (31, 1, 31)
    assert list(read_export(path)) == journal.read()
    found = verify_export(path, public=key.public)
    assert (found.is_whole, found.events, found.signed_until) == (True, 31, 30)


def test_a_stretch_is_verified_from_the_hash_before_it(journal, path, key):
    export(journal, path, after=10, until=20)
    found = verify_export(path, public=key.public)
    assert (found.is_whole, found.events, found.last_sequence) == (True, 10, 20)
    anchor = key.sign(31, journal.last().hash, 1)
    assert "ends on purpose" in verify_export(path, public=key.public, anchor=anchor).notices[0]
    with pytest.raises(ConfigError, match="no event 99"):
        export(journal, path, after=99)


def test_an_excerpt_is_checked_event_by_event_and_says_so(journal, path):
    assert export(journal, path, query=Query(bot="m1")).events == 10
    found = verify_export(path)
    assert found.is_whole
    assert "excerpt" in found.notices[0]


def test_dropped_payloads_stay_dropped_and_need_their_seal(journal, path):
    journal.store.drop_payloads(1, 5, ())
    export(journal, path)
    assert verify_export(path).broken.sequence == 1
    sealed = {"first": 1, "last": 5}
    journal.append("journal.sealed", actor="ann", source="retention", payload=sealed)
    export(journal, path)
    found = verify_export(path)
    assert (found.is_whole, found.sealed_events) == (True, 5)


def test_the_anchor_tells_a_shortened_export(journal, path, key, tmp_path):
    export(journal, path)
    anchor = key.sign(40, bytes(32), 1)
    assert verify_export(path, public=key.public, anchor=anchor).broken.sequence == 32


def test_a_failed_export_leaves_nothing(journal, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DependencyError, match="cannot be written"):
        export(journal, tmp_path / "file" / "export.jsonl")
    assert not list(tmp_path.glob("**/*.partial"))


@pytest.mark.parametrize("content", [b"", b"{}\n", b"nonsense", b'{"freqfleet_journal": 9}\n'])
def test_what_is_no_export_is_called_broken(path, content):
    path.write_bytes(content)
    assert not verify_export(path).is_whole
    with pytest.raises(ConfigError, match="no such export"):
        verify_export(path.with_name("nothing" + path.suffix))


def test_a_changed_value_in_parquet_is_named(journal, path, tmp_path):
    path = path.with_suffix(".parquet")
    export(journal, path)
    table = pq.read_table(path)
    actors = table["actor"].to_pylist()
    actors[6] = "x"
    changed = table.set_column(4, table.schema.field(4), [actors])
    pq.write_table(changed, path)
    assert verify_export(path).broken.sequence == 7


def test_no_change_of_an_exported_line_goes_unseen(journal, tmp_path, key):
    path = tmp_path / "export.jsonl"
    export(journal, path)
    whole, chance = path.read_bytes(), random.Random(7)
    for _ in range(400):
        changed = tamper(whole, chance)
        if changed != whole:
            path.write_bytes(changed)
            assert not verify_export(path, public=key.public).is_whole, changed[:300]


def tamper(whole: bytes, chance: random.Random) -> bytes:
    lines = whole.splitlines(keepends=True)
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.choice(["flip", "drop", "swap", "insert", "truncate", "cut"]):
        case "flip":
            changed = bytearray(whole)
            changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case "drop":
            del lines[one]
        case "swap":
            lines[one], lines[other] = lines[other], lines[one]
        case "insert":
            lines.insert(one, lines[other])
        case "truncate":
            del lines[one:]
        case _:
            return whole[: chance.randrange(len(whole))]
    return b"".join(lines)
