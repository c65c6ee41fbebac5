from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.journal import Draft, Journal, Query, folds
from automation.journal.folds import current, rebuild, save_snapshot
from automation.journal.retention import seal
from automation.journal.store import Snapshot


@dataclass(frozen=True)
class Counts:
    """Counts per bot, and the order they were last seen in: order must matter."""

    name: str = "counts"
    version: int = 1
    query: Query = field(default_factory=lambda: Query(kind="bot.*"))

    def initial(self):
        return {}

    def apply(self, state, event):
        state[event.bot] = state.pop(event.bot, 0) * 3 + event.payload["n"]
        return state

    def dump(self, state):
        return list(state.items())

    def load(self, dumped):
        return dict(dumped)


def fill(journal, numbers):
    journal.append_many(Draft("bot.up", "a", "s", {"n": n}, f"m{n % 3}") for n in numbers)


@pytest.fixture
def journal():
    with Journal.in_memory() as journal:
        yield journal


def test_the_state_is_the_fold_and_a_snapshot_shortens_the_way(journal):
    fill(journal, range(10))
    journal.append("other.kind", actor="a", source="s")
    first = current(journal, Counts())
    assert (first.sequence, first.folded) == (11, 10)
    save_snapshot(journal, Counts(), first)
    fill(journal, [5])
    second = current(journal, Counts())
    assert (second.sequence, second.folded) == (12, 1)
    assert second.state == current(journal, Counts(name="fresh")).state


def test_starting_makes_snapshots_when_much_was_folded(journal, monkeypatch):
    monkeypatch.setattr(folds, "SNAPSHOT_AFTER", 10)
    for _ in range(6):
        fill(journal, range(12))
        current(journal, Counts())
    assert current(journal, Counts()).folded == 0
    assert len(journal.store.snapshots("counts", 1)) == 3


def test_snapshots_of_another_version_or_another_chain_are_not_trusted(journal):
    fill(journal, range(10))
    save_snapshot(journal, Counts(), current(journal, Counts()))
    assert current(journal, Counts(version=2)).folded == 10
    journal.store.add_snapshot(Snapshot("counts", 1, 10, bytes(32), b"[]"))
    assert current(journal, Counts()).folded == 10


def test_rebuild_proves_and_repairs(journal):
    fill(journal, range(10))
    save_snapshot(journal, Counts(), current(journal, Counts()))
    fill(journal, range(5))
    found = rebuild(journal, Counts())
    assert (found.agrees, found.events, found.sequence) == (True, 15, 15)
    good = journal.store.snapshots("counts", 1)[0]
    journal.store.add_snapshot(
        Snapshot("counts", 1, good.sequence, good.hash, good.state.replace(b"m0", b"mX"))
    )
    found = rebuild(journal, Counts(), repair=True)
    assert not found.agrees
    assert "DIFFERS" in found.sentence
    assert rebuild(journal, Counts()).agrees


def test_after_a_seal_folding_starts_at_its_snapshot(journal):
    fill(journal, range(10))
    before = current(journal, Counts()).state
    seal(journal, 10, actor="ann", folds=[Counts()])
    assert current(journal, Counts()).state == before
    fill(journal, range(3))
    for _ in range(5):
        fill(journal, range(3))
        save_snapshot(journal, Counts(), current(journal, Counts()))
    found = rebuild(journal, Counts())
    assert (found.agrees, found.from_sequence, found.events) == (True, 10, 18)


def test_a_seal_without_the_state_is_said(journal):
    fill(journal, range(4))
    seal(journal, 4, actor="ann")
    found = rebuild(journal, Counts(query=Query(kind="none")))
    assert found.lacks_details
    assert "without the details" in found.sentence


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 40), max_size=4),
)
def test_any_way_through_snapshots_gives_the_same_state(numbers, cuts):
    with Journal.in_memory() as journal:
        fill(journal, numbers)
        for cut in cuts:
            save_snapshot(journal, Counts(), current(journal, Counts(), until=cut))
        assert rebuild(journal, Counts()).agrees
        straight = current(journal, Counts(name="straight"))
        assert current(journal, Counts()).state == straight.state
