"""Whoever follows the documented procedure holds the book that REST shows."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from automation.simulator.ladder import DEEPEST

FIRST = datetime(2024, 3, 4, 10, 20, tzinfo=UTC)
SPEEDS = st.sampled_from(["@100ms", "", "@500ms", "@0ms"])


def rebuild(snapshot, updates):
    """A book from a snapshot and buffered updates, by Binance's seven steps; counts what joined."""
    sides = {
        "b": dict(map(tuple, snapshot["bids"])),
        "a": dict(map(tuple, snapshot["asks"])),
    }
    last, joined = snapshot["lastUpdateId"], 0
    previous = None
    for update in updates:
        if update["u"] < last:
            continue
        if previous is None:
            assert update["U"] <= last <= update["u"] or update["pu"] == last
        else:
            assert update["pu"] == previous
        previous, joined = update["u"], joined + 1
        for side, levels in sides.items():
            for price, quantity in update[side]:
                if float(quantity):
                    levels[price] = quantity
                else:
                    levels.pop(price, None)
    return sides, joined


@settings(max_examples=40)
@given(
    symbol=st.sampled_from(["BTCUSDT", "XRPUSDT", "TRXUSDT"]),
    speed=SPEEDS,
    minutes=st.integers(0, 100_000),
    waits=st.lists(st.integers(1, 700), min_size=4, max_size=12),
    taken=st.integers(0, 3),
    then_ms=st.integers(1, 2500),
)
@example(
    symbol="BTCUSDT",
    speed="@500ms",
    minutes=40,
    waits=[300, 100, 600, 100, 900],
    taken=1,
    then_ms=400,
)
@example(
    symbol="XRPUSDT", speed="@100ms", minutes=9, waits=[100, 7000, 100, 500], taken=0, then_ms=1
)
def test_updates_and_a_snapshot_of_any_instant_make_the_book(
    make_stage, symbol, speed, minutes, waits, taken, then_ms
):
    stage = make_stage(at=FIRST + timedelta(minutes=minutes))
    wire = stage.connect(f"{symbol.lower()}@depth{speed}")
    stage.run(1)
    updates, snapshot = [], None
    for number, wait_ms in enumerate(waits):
        stage.clock.advance(wait_ms / 1000)
        if number == taken:  # of an instant between two updates
            snapshot = stage.get(f"depth?symbol={symbol}&limit=1000")
            stage.clock.advance(then_ms / 1000)
        stage.hub.pump()
        updates += wire.read()
        now = stage.get(f"depth?symbol={symbol}&limit=1000")
        if snapshot and updates[-1]["u"] == now["lastUpdateId"]:
            book, joined = rebuild(snapshot, updates)
            assert joined
            assert book["b"] == dict(map(tuple, now["bids"]))
            assert book["a"] == dict(map(tuple, now["asks"]))


def test_updates_join_without_a_gap_and_stay_small(stage):
    wire = stage.connect("ethusdt@depth@100ms")
    stage.run(30)
    updates = wire.read()
    assert len(updates) == 300
    for before, update in itertools.pairwise(updates):
        assert update["pu"] == before["u"] == update["U"] - 1
    changed = sorted(len(update["b"]) + len(update["a"]) for update in updates)
    assert changed[150] < DEEPEST / 10


def test_partial_books_are_the_best_levels_of_rest(stage):
    wire = stage.connect("btcusdt@depth20@100ms", "btcusdt@depth5", "btcusdt@depth10@500ms")
    stage.run(2)
    found = wire.read()
    counts = {len(each["b"]): 0 for each in found}
    for each in found:
        counts[len(each["b"])] += 1
    assert counts == {5: 8, 10: 4, 20: 20}
    rest = stage.get("depth?symbol=BTCUSDT&limit=20")
    last = [each for each in found if len(each["b"]) == 20][-1]
    assert (last["b"], last["a"]) == (rest["bids"], rest["asks"])
    assert last["u"] == rest["lastUpdateId"]
    five = [each for each in found if len(each["b"]) == 5]
    assert all(b["pu"] == a["u"] for a, b in itertools.pairwise(five))


def test_levels_that_came_and_went_between_two_updates_are_told(stage):
    wire = stage.connect("xrpusdt@depth@100ms")
    for _ in range(40):
        stage.run(0.3)
        wire.read()
        stage.clock.advance(0.6)
        snapshot = stage.get("depth?symbol=XRPUSDT&limit=1000")
        stage.clock.advance(1.2)
        stage.hub.pump()
        book, _ = rebuild(snapshot, wire.read())
        assert book["b"] == dict(map(tuple, stage.get("depth?symbol=XRPUSDT&limit=1000")["bids"]))
