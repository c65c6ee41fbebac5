"""What every store of the journal must do, whoever implements it."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automation.core.errors import DependencyError
from automation.journal import Journal, Query
from automation.journal.event import Draft, digest_of, prepare
from automation.journal.journal import open_store
from automation.journal.store import Batch, Effect, LeaseRecord, Settlement, Snapshot
from automation.journal.verification import verify_links


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def address(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("postgres").schema_url()
    return tmp_path / "journal.db" if request.param == "sqlite" else None


@pytest.fixture(params=["sqlite", "postgres"])
def shared_address(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("postgres").schema_url()
    return tmp_path / "journal.db"


@pytest.fixture
def store(address):
    if address is None:
        journal = Journal.in_memory()
        yield journal.store
        journal.close()
    else:
        store = open_store(address)
        yield store
        store.close()


def entry(n=0, time_us=1_000_000, **fields):
    fields = {"kind": "bot.started", "actor": "a", "source": "s", "payload": {"n": n}, **fields}
    return prepare(Draft(**fields), time_us)


def test_a_batch_is_written_chained_and_read_back(store):
    (first, second), (third,) = store.write(
        [Batch([entry(1, bot="m"), entry(2, cause=1)]), Batch([entry(3, address="::1")])]
    )
    assert store.read(0, 10) == [first, second, third]
    assert store.read(1, 1) == [second]
    assert store.read(0, 2, newest_first=True) == [third, second]
    assert store.last() == third
    assert third.previous == second.hash
    assert verify_links(store.links(0)).last_hash == third.hash
    assert verify_links(store.links(1), after=1, previous=first.hash).events == 2


def test_odd_texts_come_back_as_they_were(store):
    odd = {"v": "ü\0\n\t\"'%s? \U0001f680", "deep": [{"x": None}, 1.5, True]}
    store.write([Batch([entry(payload=odd, bot="ü'?%s", actor="名前")])])
    (event,) = store.read(0, 1)
    assert event.payload["v"] == odd["v"]
    assert (event.bot, event.actor) == ("ü'?%s", "名前")
    assert verify_links(store.links(0)).is_whole
    assert store.read(0, 9, Query(bot="ü'?%s", text="\n\t\"'%s?")) == [event]


ACTORS, BOTS, KINDS = (
    ["ann", "supervisor"],
    ["", "m1", "m2"],
    ["bot.up", "bot.down", "bots.x", "bot"],
)
START = datetime(2025, 1, 1, tzinfo=UTC)
an_event = st.builds(
    lambda kind, actor, address, bot, cause, word, minute: (
        Draft(kind, actor, "s", {"said": word}, bot, cause, address),
        START + timedelta(minutes=minute),
    ),
    st.sampled_from(KINDS),
    st.sampled_from(ACTORS),
    st.sampled_from(["", "10.0.0.1"]),
    st.sampled_from(BOTS),
    st.none() | st.integers(1, 3),
    st.sampled_from(["Hello", "hellO you", "ÄÖ", 'q"q', ""]),
    st.integers(0, 50),
)
an_instant = st.none() | st.integers(0, 50).map(lambda minute: START + timedelta(minutes=minute))
a_query = st.builds(
    Query,
    actor=st.sampled_from(["", *ACTORS]),
    address=st.sampled_from(["", "10.0.0.1"]),
    bot=st.sampled_from(BOTS),
    kind=st.sampled_from(["", "bot.*", *KINDS, ("bot.up", "bots.*")]),
    cause=st.none() | st.integers(1, 3),
    since=an_instant,
    until=an_instant,
    text=st.sampled_from(["", "hello", "ÄÖ", "äö", 'q"', "%", "_"]),
)


def naive(event, query):
    def is_kind(kind):
        return event.kind.startswith(kind[:-1]) if kind.endswith(".*") else event.kind == kind

    said = event.payload_json.encode().lower().decode()
    return (
        query.actor in {"", event.actor}
        and query.address in {"", event.address}
        and query.bot in {"", event.bot}
        and (not query.kinds or any(is_kind(kind) for kind in query.kinds))
        and query.cause in {None, event.cause}
        and (query.since is None or event.time >= query.since)
        and (query.until is None or event.time < query.until)
        and query.needle in said
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drafts=st.lists(an_event, max_size=30), queries=st.lists(a_query, min_size=5, max_size=10))
def test_search_finds_what_a_naive_search_finds(store, drafts, queries):
    start = store.last()
    after = start.sequence if start else 0
    entries = [prepare(d, round(at.timestamp() * 1e6)) for d, at in drafts]
    (events,) = store.write([Batch(entries)])
    for query in queries:
        expected = [event for event in events if naive(event, query)]
        assert store.read(after, 100, query) == expected
        assert store.read(after, 2, query) == expected[:2]


def test_several_stores_write_one_chain(shared_address):
    stores = [open_store(shared_address) for _ in range(4)]

    def write(store):
        for n in range(20):
            store.write([Batch([entry(n)] * 3)])

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checked = verify_links(stores[0].links(0))
    assert (checked.is_whole, checked.events) == (True, 240)
    for store in stores:
        store.close()


def test_a_watch_hears_of_other_stores(shared_address):
    here, there = open_store(shared_address), open_store(shared_address)
    watch = here.watch()
    assert not watch.wait(0.05)
    there.write([Batch([entry()])])
    assert watch.wait(5)
    watch.close()
    here.close()
    there.close()


def test_a_slow_reader_does_not_hold_up_writers(store):
    store.write([Batch([entry(n) for n in range(12_000)])])
    slow = store.links(0)
    next(slow)  # in the middle of a page, and going no further
    store.write([Batch([entry()])])
    assert sum(1 for _ in slow) == 12_000


def test_offsets_are_kept_with_the_batch(store):
    store.write([Batch(offsets={"alerts": 3})])
    store.write([Batch([entry()], offsets={"alerts": 5, "web": 1})])
    assert store.offsets() == {"alerts": 5, "web": 1}


KINDS_OF_EFFECTS = ["telegram", "x"]


def test_the_outbox_gives_each_effect_out_once_per_lease(store):
    effects = [Effect(f"k{n}", "telegram", "{}", created_us=n) for n in range(3)]
    store.write([Batch([entry()], effects=effects), Batch(effects=effects[:1])])
    assert [e.key for e in store.claim(2, now_us=10, lease_us=5, kinds=KINDS_OF_EFFECTS)] == [
        "k0",
        "k1",
    ]
    assert [e.key for e in store.claim(9, now_us=11, lease_us=5, kinds=KINDS_OF_EFFECTS)] == ["k2"]
    assert store.claim(9, now_us=99, lease_us=5, kinds=["other"]) == []
    assert store.claim(9, now_us=14, lease_us=5, kinds=KINDS_OF_EFFECTS) == []
    store.write([Batch(settlements=[Settlement("k0", "done", 0, "sent")])])
    again = store.claim(9, now_us=16, lease_us=5, kinds=KINDS_OF_EFFECTS)
    assert [(e.key, e.attempts) for e in again] == [("k1", 2), ("k2", 2)]
    assert [(e.key, e.result) for e in store.effects("done", 9)] == [("k0", "sent")]
    store.write([Batch(effects=effects)])
    assert [e.key for e in store.effects("pending", 9)] == ["k1", "k2"]


def test_two_claimers_never_get_the_same_effect(shared_address):
    stores = [open_store(shared_address) for _ in range(2)]
    effects = [Effect(f"k{n}", "x", "{}", created_us=n) for n in range(200)]
    stores[0].write([Batch(effects=effects)])
    got = []

    def take(store):
        while claimed := store.claim(3, now_us=1, lease_us=10, kinds=KINDS_OF_EFFECTS):
            got.extend(effect.key for effect in claimed)

    threads = [threading.Thread(target=take, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(effect.key for effect in effects)
    for store in stores:
        store.close()


def test_checkpoints_and_snapshots_are_kept(store):
    store.add_checkpoint(2, "two")
    store.add_checkpoint(1, "one")
    store.add_checkpoint(2, "two again")
    assert store.checkpoints() == ["one", "two again"]
    snapshots = [Snapshot("f", 1, n, bytes(32), b"\0state") for n in (5, 7, 9)]
    for snapshot in (*snapshots, Snapshot("g", 1, 8, bytes(32), b"")):
        store.add_snapshot(snapshot)
    assert store.snapshots("f", 1) == snapshots[::-1]
    assert store.snapshots("f", 2) == []
    store.drop_snapshots("f", [7])
    assert [s.sequence for s in store.snapshots("f", 1)] == [9, 5]


def test_dropped_payloads_leave_the_chain_provable(store):
    kinds = ["bot.a", "bot.b", "bot.c"]
    (events,) = store.write([Batch([entry(n, kind=kinds[n % 3]) for n in range(9)])])
    assert store.drop_payloads(2, 6, {"bot.c"}) == 3
    assert store.drop_payloads(2, 6, {"bot.c"}) == 0
    after = store.read(0, 99)
    assert [e.sequence for e in after if e.is_sealed] == [2, 4, 5]
    assert [e.hash for e in after] == [e.hash for e in events]
    assert after[1].digest == events[1].digest == digest_of(events[1].payload_json)
    assert after[1].payload == {}
    assert "no seal says why" in verify_links(store.links(0)).sentence
    sealed = entry(kind="journal.sealed", payload={"first": 2, "last": 6})
    store.write([Batch([sealed])])
    found = verify_links(store.links(0))
    assert (found.is_whole, found.sealed_events) == (True, 3)


async def test_a_subscription_is_woken_by_another_journal(shared_address):
    with Journal.open(shared_address) as here, Journal.open(shared_address) as there:
        stream = here.subscribe(0)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.3)
        await there.append_async("bot.up", actor="a", source="s")
        async with asyncio.timeout(30):
            assert (await waiting).kind == "bot.up"
        await stream.aclose()


def test_closing_twice_and_using_a_closed_store_are_no_surprise(store):
    store.write([Batch([entry()])])
    store.close()
    with pytest.raises(DependencyError):
        store.write([Batch([entry()])])


def test_a_lease_goes_from_one_known_record_to_the_next(store):
    first = LeaseRecord("pid 1", "here", 1, 0)
    assert store.lease("l") is None
    assert store.swap_lease("l", None, first)
    assert not store.swap_lease("l", None, LeaseRecord("pid 2", "here", 1, 0))
    assert store.lease("l") == first
    beaten = LeaseRecord("pid 1", "here", 1, 1)
    assert store.swap_lease("l", first, beaten)
    assert not store.swap_lease("l", first, LeaseRecord("pid 2", "here", 2, 0))
    assert store.lease("l") == beaten
    assert store.lease("other") is None
    assert store.swap_lease("other", None, first)


def test_only_one_of_many_takes_a_lease(shared_address):
    stores = [open_store(shared_address) for _ in range(4)]
    try:
        for term in range(10):
            was = stores[0].lease("l")
            won = []

            def take(number, was=was, won=won, term=term):
                now = LeaseRecord(f"pid {number}", "here", term, 0)
                if stores[number].swap_lease("l", was, now):
                    won.append(now)

            threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert won == [stores[1].lease("l")]
    finally:
        for store in stores:
            store.close()


def test_a_journal_of_the_format_before_learns_leases(shared_address):
    with Journal.open(shared_address) as journal:
        kept = journal.append("test.done", actor="a", source="s", bot="m")
        with journal.store._transaction() as session:
            session.run("DROP TABLE leases")
            if isinstance(shared_address, str):
                session.run("UPDATE format SET version = 1")
            else:
                session.run("PRAGMA user_version = 1")
    with Journal.open(shared_address) as journal:
        assert journal.last() == kept
        assert journal.store.swap_lease("l", None, LeaseRecord("pid 1", "here", 1, 0))
        assert journal.verify().is_whole
