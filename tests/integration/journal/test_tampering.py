"""Somebody with full access to the file changes it: every change of an event is found."""

import random
import sqlite3
from contextlib import closing

import pytest

from automation.journal import Draft, Journal
from automation.journal.checkpoints import Notary, SigningKey, read_anchor

EVENTS = 40
COLUMNS = ["sequence", "time_us", "kind", "version", "actor", "address", "source", "bot", "cause"]
COLUMNS += ["payload", "digest", "hash"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A signed journal, its key and its anchor."""
    folder = tmp_path_factory.mktemp("original")
    key = SigningKey.create(folder / "key")
    with Journal.open(folder / "journal.db") as journal:
        journal.append_many(
            Draft(
                "bot.up", "ann", "s", {"n": n, "said": "hello"}, f"m{n % 3}", n % 4 or None, "::1"
            )
            for n in range(EVENTS)
        )
        Notary(journal, key, folder / "anchor").checkpoint()
    with closing(sqlite3.connect(folder / "journal.db")) as raw:
        raw.execute("DROP TRIGGER events_stay")
        raw.execute("DROP TRIGGER events_keep")
        raw.commit()
        raw.execute("PRAGMA journal_mode=DELETE")
    return folder / "journal.db", key.public, read_anchor(folder / "anchor")


@pytest.mark.parametrize("seed", range(3))
def test_tampering_is_found(original, tmp_path, seed):
    tamper_and_verify(original, tmp_path, seed, 100)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1000, 1010))
def test_ten_thousand_ways_of_tampering_are_found(original, tmp_path, seed):
    tamper_and_verify(original, tmp_path, seed, 1000)


def tamper_and_verify(original, tmp_path, seed, trials):
    path, public, anchor = original
    chance, whole = random.Random(seed), path.read_bytes()
    changed = tmp_path / "journal.db"
    for _ in range(trials):
        changed.write_bytes(whole)
        with closing(sqlite3.connect(changed)) as raw:
            raw.execute("PRAGMA synchronous=OFF")
            way, first_bad = tamper(raw, chance)
            raw.commit()
        if first_bad is None:
            continue  # the die changed nothing: two equal values were swapped
        with Journal.open(changed, read_only=True) as journal:
            found = journal.verify(public, anchor)
            assert found.broken is not None, way
            assert found.broken.sequence == first_bad, (way, found.sentence)


def tamper(raw, chance):
    """Change the table in a random way; the way, and the number of the first event that is bad."""
    rows = raw.execute("SELECT * FROM events ORDER BY sequence").fetchall()
    one, other = sorted(chance.sample(range(EVENTS), 2))
    way = chance.choice(["flip", "drop", "swap", "insert", "truncate", "swap values"])
    bad = one + 1
    if way == "flip":
        return flip(raw, rows, one, chance)
    if way == "drop":
        raw.execute("DELETE FROM events WHERE sequence = ?", (bad,))
    elif way == "truncate":
        raw.execute("DELETE FROM events WHERE sequence >= ?", (bad,))
    elif way == "insert":
        # Everything behind moves on by one to make room for a copy of another event.
        raw.execute("DELETE FROM events WHERE sequence >= ?", (bad,))
        moved = [rows[other], *rows[one:]]
        put(raw, [(bad + n, *row[1:]) for n, row in enumerate(moved)])
    else:
        columns = range(1, len(COLUMNS)) if way == "swap" else [chance.choice([1, 3, 7, 8, 9, 11])]
        if all(rows[one][c] == rows[other][c] for c in columns):
            return way, None
        for here, there in ((one, other), (other, one)):
            for c in columns:
                raw.execute(
                    f"UPDATE events SET {COLUMNS[c]} = ? WHERE sequence = ?",
                    (rows[there][c], here + 1),
                )
    return way, bad


def flip(raw, rows, one, chance):
    column = chance.randrange(len(COLUMNS) - 2)
    name, value, bad = COLUMNS[column], rows[one][column], one + 1
    if column == 10:
        name, value = "hash", rows[one][-1]
    if isinstance(value, int):
        changed = value ^ (1 << chance.randrange(40))
        if name == "sequence":
            if 1 <= changed <= EVENTS:
                return "flip", None  # such a number is taken
            bad = min(bad, changed) if changed < 1 else bad
    elif value is None:
        changed = chance.randrange(100)
    else:
        raw_value = bytearray(value.encode() if isinstance(value, str) else value)
        raw_value[chance.randrange(len(raw_value))] ^= 1 << chance.randrange(8)
        changed = bytes(raw_value)
        if isinstance(value, str):
            # As text, even where it is not UTF-8 any more.
            raw.execute(
                f"UPDATE events SET {name} = CAST(? AS TEXT) WHERE sequence = ?", (changed, bad)
            )
            return f"flip {name}", bad
    raw.execute(f"UPDATE events SET {name} = ? WHERE sequence = ?", (changed, one + 1))
    return f"flip {name}", bad


def put(raw, rows):
    raw.executemany(f"INSERT INTO events VALUES ({','.join('?' * len(COLUMNS))})", rows)
