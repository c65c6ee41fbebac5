"""What the writing thread takes along when the store had to wait, and what nobody takes back."""

import asyncio
import gc
import threading

import pytest

from automation.core.errors import TransientError
from automation.journal import Journal
from automation.journal.event import Draft, prepare
from automation.journal.sqlite import SqliteStore
from automation.journal.store import Batch
from automation.journal.writer import GroupWriter


class Waiting(SqliteStore):
    """A store whose turn comes when the test says so."""

    def __init__(self):
        super().__init__(None)
        self.asked, self.turn = threading.Event(), threading.Event()
        self.groups = []
        self.fault = None

    def write(self, batches, more=lambda: ()):
        self.asked.set()
        assert self.turn.wait(10)
        late = more()
        self.groups.append((len(batches), len(late)))
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        return super().write([*batches, *late])


def batch(n):
    return Batch([prepare(Draft("test.done", "a", "s", {"n": n}), n)])


@pytest.fixture
def store():
    store = Waiting()
    yield store
    store.close()


@pytest.fixture
def writer(store):
    writer = GroupWriter(store, lambda: None, lambda *_: None)
    yield writer
    store.turn.set()
    writer.close(5.0)


def test_what_came_while_others_wrote_goes_along_in_order(store, writer):
    first = writer.submit(batch(0))
    assert store.asked.wait(10)
    late = [writer.submit(batch(n)) for n in range(1, 40)]
    store.turn.set()
    events = [future.result(10)[0] for future in (first, *late)]
    assert store.groups == [(1, 39)]
    assert [event.sequence for event in events] == list(range(1, 41))
    assert [event.payload["n"] for event in events] == list(range(40))


def test_what_came_late_fails_with_its_group_and_what_is_kept_is_tried_again(store, writer):
    store.fault = TransientError("told to")
    first = writer.submit(batch(0), keep=True)
    assert store.asked.wait(10)
    urgent, kept = writer.submit(batch(1)), writer.submit(batch(2), keep=True)
    store.turn.set()
    with pytest.raises(TransientError):
        urgent.result(10)
    numbers = [first.result(10)[0].payload["n"], kept.result(10)[0].payload["n"]]
    assert numbers == [0, 2]
    assert writer.backlog == 0


def test_an_event_names_a_cause_that_was_still_waiting_when_it_was_told(store, writer):
    first = writer.submit(batch(0))
    assert store.asked.wait(10)
    cause = writer.submit(batch(1), keep=True)
    effects = [writer.submit(batch(n), keep=True, cause=cause) for n in (2, 3)]
    of_effect = writer.submit(batch(4), keep=True, cause=effects[-1])
    store.turn.set()
    assert first.result(10)[0].cause is None
    decided = cause.result(10)[0]
    assert [effect.result(10)[0].cause for effect in effects] == [decided.sequence] * 2
    assert of_effect.result(10)[0].cause == effects[-1].result(10)[0].sequence


def test_an_event_whose_cause_waits_out_a_fault_names_it_still(store, writer):
    store.fault = TransientError("the disk is full", where="here")
    cause = writer.submit(batch(1), keep=True)
    effect = writer.submit(batch(2), keep=True, cause=cause)
    store.turn.set()
    assert effect.result(10)[0].cause == cause.result(10)[0].sequence


def test_an_event_whose_cause_was_never_written_is_written_without(store, writer):
    store.fault = TransientError("the disk is full", where="here")
    lost = writer.submit(batch(1))
    assert store.asked.wait(10)
    effect = writer.submit(batch(2), keep=True, cause=lost)
    store.turn.set()
    with pytest.raises(TransientError):
        lost.result(10)
    assert effect.result(10)[0].cause is None


def test_only_what_is_not_firm_can_be_taken_back(store, writer):
    first = writer.submit(batch(0))
    assert store.asked.wait(10)
    firm, other = writer.submit(batch(1), firm=True), writer.submit(batch(2))
    assert not firm.cancel()
    assert other.cancel()
    store.turn.set()
    assert first.result(10)[0].payload["n"] == 0
    assert firm.result(10)[0].payload["n"] == 1
    assert store.groups == [(1, 1)]


@pytest.mark.parametrize("fault", [None, TransientError("told to")])
def test_a_place_is_saved_though_its_reader_is_stopped_while_it_waits(store, caplog, fault):
    journal = Journal(store)
    first = journal.post("test.done", actor="a", source="s")
    assert store.asked.wait(10)

    async def save():
        await asyncio.wrap_future(journal.save_offset("reader", 7))

    async def stop_it_meanwhile():
        reader = asyncio.create_task(save())
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    asyncio.run(stop_it_meanwhile())  # its loop is gone before the place is written
    store.fault = fault
    store.turn.set()
    first.result(10)
    assert journal.append("test.done", actor="a", source="s")
    assert store.offsets() == ({} if fault else {"reader": 7})
    journal.close()
    gc.collect()
    assert caplog.records == [], "and nobody is told of a write that nobody awaits any more"
