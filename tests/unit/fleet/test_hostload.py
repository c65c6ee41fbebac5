"""When the machine is too busy for a new bot, and what then waits."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from automation.core.model import (
    BotState,
    DesiredFleet,
    DesiredUnit,
    FleetSnapshot,
    HostLoad,
    ProcessFacts,
    RestartMemory,
    UnitSnapshot,
)
from automation.fleet import kinds  # noqa: F401  defines the events
from automation.fleet.chronicle import Chronicle
from automation.fleet.decide import blocker, decide
from automation.fleet.hostload import HostWatch, Reading, measure
from automation.fleet.timing import DEFAULT_TIMING
from automation.journal import Journal, sentence

BUSY = HostLoad(0.93, 0.5, is_cpu_scarce=True)
FULL = HostLoad(0.1, 0.91, is_memory_scarce=True)


@pytest.fixture
def watched():
    """A watch over a machine whose CPU and memory are what `now` says."""
    now, busy = {"cpu": 0.1, "memory": 0.2}, {"s": 0.0, "total": 0.0}

    def read():
        busy["s"], busy["total"] = busy["s"] + 5 * now["cpu"], busy["total"] + 5
        return Reading(busy["s"], busy["total"], now["memory"])

    with Journal.in_memory() as journal:
        yield HostWatch(Chronicle(journal), read), now, journal


def look(watch, begin_s, times):
    for n in range(times):
        watch.look(begin_s + 5 * n)


def test_cpu_counts_over_a_minute_and_memory_at_once(watched):
    watch, now, _ = watched
    now["cpu"] = 1.0
    look(watch, 0, 4)
    assert watch.load.cpu_frac is None
    assert not watch.load.is_cpu_scarce
    look(watch, 20, 10)
    assert watch.load.is_cpu_scarce
    now["memory"] = 0.86
    look(watch, 70, 1)
    assert watch.load.is_memory_scarce
    now.update(cpu=0.0, memory=0.82)
    look(watch, 75, 3)
    assert watch.load.is_memory_scarce  # a little more than the limit lets it ease
    now["memory"] = 0.79
    look(watch, 90, 20)
    assert (watch.load.is_cpu_scarce, watch.load.is_memory_scarce) == (False, False)


def test_it_is_told_once_when_it_begins_and_once_when_it_ends(watched):
    watch, now, journal = watched
    now["memory"] = 0.9
    look(watch, 0, 5)
    now["memory"] = 0.3
    look(watch, 30, 5)
    journal.append("test.flush", actor="t", source="t")
    told = journal.search(kind="host.*")
    assert [event.kind for event in told] == ["host.busy", "host.eased"]
    assert "90% of the memory" in sentence(told[0])


def test_the_machine_itself_can_be_read():
    reading = measure()
    assert 0.0 < reading.busy_s < reading.total_s
    assert 0.0 < reading.memory_frac < 1.0


def snapshot(host, *units):
    return FleetSnapshot("f", datetime(2026, 1, 1, tzinfo=UTC), 100.0, units, host=host)


def started(host, *units):
    desired = DesiredFleet(tuple(DesiredUnit(unit.name) for unit in units))
    return [a.unit for a in decide(desired, snapshot(host, *units), DEFAULT_TIMING, 100.0)]


NEW = [UnitSnapshot(f"bot-{n}") for n in range(6)]


def test_on_an_idle_machine_four_start_at_once():
    assert len(started(HostLoad(), *NEW)) == 4


def test_while_cpu_is_scarce_one_starts_and_the_others_say_for_what_they_wait():
    assert started(BUSY, *NEW) == ["bot-0"]
    coming = replace(NEW[0], process=ProcessFacts(is_alive=True))
    coming = replace(coming, verdict=replace(coming.verdict, state=BotState.STARTING))
    assert started(BUSY, coming, *NEW[1:]) == []
    assert "93% of the machine's CPU" in blocker(NEW[1], snapshot(BUSY, coming, *NEW[1:]))


def test_while_memory_is_scarce_no_new_bot_starts_but_one_that_failed_or_has_trades_does():
    assert started(FULL, *NEW) == []
    assert "91% of the machine's is in use" in blocker(NEW[0], snapshot(FULL, *NEW))
    failed = replace(NEW[0], memory=RestartMemory(streak=1))
    trading = replace(NEW[1], had_trades=True)
    assert started(FULL, failed, trading, NEW[2]) == ["bot-0", "bot-1"]
