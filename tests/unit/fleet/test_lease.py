"""Who may supervise: one at a time, whatever the others try and in whatever order."""

import asyncio
from dataclasses import replace

import pytest

from automation.core.errors import ConfigError, TransientError
from automation.fleet.home import Home, write_json
from automation.fleet.lease import Beats, Lease, LeaseLost, Terms
from automation.fleet.lock import FleetIsUp
from automation.journal import Journal

QUICK = Beats(beat_s=0.05, look_s=0.02, silent_s=0.4, grace_s=0.1)
NAME = "supervisor of demo"


@pytest.fixture
def store(tmp_path):
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        yield journal.store


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def lease_of(home, store, fleet="demo", **terms):
    return Lease(home, store, fleet, Terms(beats=QUICK, **terms))


def stop(lease):
    """Have it give no sign any more, as SIGSTOP does."""
    lease._keeping.cancel()


async def test_one_has_it_and_gives_it_back(home, store):
    async with lease_of(home, store) as first:
        with pytest.raises(FleetIsUp):
            await lease_of(home, store).take()
        first.check()
        assert store.lease(NAME).holder
    assert store.lease(NAME).holder == ""
    async with lease_of(home, store) as second:
        assert store.lease(NAME).term == 2
        assert second.follows == ""


async def test_the_waiting_one_follows_an_orderly_end_at_once(home, store):
    first, second = lease_of(home, store), lease_of(home, store, waits=True)
    await first.take()
    waiting = asyncio.create_task(second.take())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await first.close()
    await asyncio.wait_for(waiting, QUICK.silent_s)
    await second.close()


async def test_one_that_lives_and_beats_is_left_alone_however_long(home, store):
    async with lease_of(home, store) as first:
        waiting = asyncio.create_task(lease_of(home, store, waits=True).take())
        await asyncio.sleep(3 * QUICK.silent_s)
        assert not waiting.done()
        first.check()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        first.check()


async def test_one_that_is_silent_is_followed_by_exactly_one_and_acts_no_more(home, store):
    first = lease_of(home, store)
    await first.take()
    stop(first)
    others = [lease_of(home, store, waits=True) for _ in range(4)]
    waiting = [asyncio.create_task(other.take()) for other in others]
    done, pending = await asyncio.wait(waiting, timeout=4 * QUICK.silent_s)
    assert len(done) == 1
    (winner,) = (o for o, task in zip(others, waiting, strict=True) if task in done)
    winner.check()
    assert "has given no sign" in winner.follows
    with pytest.raises(LeaseLost, match="touches no bot"):
        first.check()
    home.supervisor.write_text("the successor's")
    await first.close()
    assert home.supervisor.exists()  # what is the successor's stays
    winner.check()
    await winner.close()
    await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)  # the next one follows
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for other in others:
        await other.close()


async def test_the_lock_alone_tells_a_holder_whose_store_is_down(home, store, monkeypatch):
    async with lease_of(home, store) as first:

        def fails(*_):
            raise TransientError("the disk is full")

        monkeypatch.setattr(type(store), "swap_lease", fails)
        await asyncio.sleep(3 * QUICK.silent_s)
        first.check()  # nobody else can take it either
        first._lock.__class__(home).seize()
        with pytest.raises(LeaseLost):
            first.check()


async def test_a_holder_whose_record_was_changed_ends(home, store):
    async with lease_of(home, store) as first:
        for _ in range(100):
            known = store.lease(NAME)
            if store.swap_lease(NAME, known, replace(known, holder="another", term=9)):
                break
        await asyncio.sleep(3 * QUICK.beat_s)
        with pytest.raises(LeaseLost, match="another"):
            first.check()


async def test_a_beat_whose_answer_got_lost_ends_nothing(home, store):
    async with lease_of(home, store) as first:
        for _ in range(100):
            known = store.lease(NAME)
            if store.swap_lease(NAME, known, replace(known, beat=known.beat + 1)):
                break
        await asyncio.sleep(5 * QUICK.beat_s)
        first.check()
        assert store.lease(NAME).beat > known.beat + 1


async def test_bots_at_another_place_are_not_taken_over_without_a_word(tmp_path, home, store):
    there = lease_of(Home(tmp_path / "there"), store)
    await there.take()
    with pytest.raises(FleetIsUp, match="at another place"):
        await lease_of(home, store).take()
    with pytest.raises(FleetIsUp, match="at another place"):
        await lease_of(home, store, waits=True).take()
    stop(there)
    await asyncio.sleep(QUICK.silent_s)  # a beat that was on its way arrives
    with pytest.raises(ConfigError, match="--take-over"):
        await lease_of(home, store).take()
    with pytest.raises(ConfigError, match="--take-over"):
        await lease_of(home, store, waits=True).take()
    async with lease_of(home, store, takes_over=True) as here:
        here.check()


async def test_two_fleets_in_one_folder_are_no_successors(home, store):
    async with lease_of(home, store) as first:
        first.announce("sock")
        with pytest.raises(FleetIsUp, match="the fleet demo is up in this state folder, not other"):
            await lease_of(home, store, fleet="other", waits=True).take()


async def test_a_lock_file_that_was_replaced_is_not_taken_for_ours(home, store):
    home.make()
    write_json(home.lock, {})
    async with lease_of(home, store) as first:
        first._lock.seize()
        first.check()
