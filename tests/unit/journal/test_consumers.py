import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.core.errors import TransientError
from automation.journal import Draft, Journal, Query
from automation.journal.consumers import Consumer, Pace

QUICK = Pace(save_every_s=0.01, first_pause_s=0.001, longest_pause_s=0.002)


def fill(journal, bots):
    return journal.append_many(Draft("bot.up", "a", "s", bot=bot) for bot in bots)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def run_until(consumer, condition):
    task = asyncio.create_task(consumer.run())
    await until(lambda: condition() or task.done())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_goes_on_where_it_stopped():
    with Journal.in_memory() as journal:
        seen = []

        async def handle(event):
            seen.append(event.sequence)

        fill(journal, "abab")
        await run_until(Consumer(journal, "c", handle, pace=QUICK), lambda: len(seen) == 4)
        fill(journal, "ab")
        await run_until(Consumer(journal, "c", handle, pace=QUICK), lambda: len(seen) == 6)
        assert sorted(seen) == [1, 2, 3, 4, 5, 6]
        await run_until(Consumer(journal, "other", handle, pace=QUICK), lambda: len(seen) == 12)


async def test_one_bots_trouble_holds_up_nobody_else_and_is_said():
    with Journal.in_memory() as journal:
        seen, broken = [], True

        async def handle(event):
            if event.bot == "sick" and broken:
                raise TransientError("no", retry_after_s=0)
            seen.append(event.sequence)

        fill(journal, ["sick", "well", "sick", "well"])
        consumer = Consumer(journal, "c", handle, query=Query(kind="bot.*"), pace=QUICK)
        task = asyncio.create_task(consumer.run())
        await until(lambda: seen == [2, 4])
        await until(lambda: journal.search(kind="consumer.stuck"))
        assert consumer.position == 0, "what is not done is handled again after a crash"
        broken = False
        await until(lambda: len(seen) == 4)
        assert seen == [2, 4, 1, 3]
        await until(lambda: journal.store.offsets().get("c") == 4)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_reads_no_further_ahead_than_told():
    with Journal.in_memory() as journal:
        gate, started = asyncio.Event(), []

        async def handle(event):
            started.append(event.sequence)
            await gate.wait()

        fill(journal, [f"m{n}" for n in range(50)])
        pace = Pace(most_at_once=100, ahead=10, save_every_s=0.01)
        task = asyncio.create_task(Consumer(journal, "c", handle, pace=pace).run())
        await until(lambda: len(started) == 10)
        await asyncio.sleep(0.05)
        assert len(started) == 10
        gate.set()
        await until(lambda: len(started) == 50)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_fault_of_the_program_is_not_swallowed():
    with Journal.in_memory() as journal:

        async def handle(event):
            raise ZeroDivisionError

        fill(journal, "a")
        with pytest.raises(ExceptionGroup) as caught:
            await Consumer(journal, "c", handle).run()
        assert caught.group_contains(ZeroDivisionError)


@settings(max_examples=15, deadline=None)
@given(
    bots=st.lists(st.sampled_from("abc"), min_size=1, max_size=25),
    stops=st.lists(st.integers(1, 25), max_size=3),
    failing=st.sets(st.integers(1, 25)),
)
def test_at_least_once_and_in_order_per_bot_across_crashes(bots, stops, failing):
    async def scenario():
        with Journal.in_memory() as journal:
            fill(journal, bots)
            handled, failures = [], set(failing)

            async def handle(event):
                await asyncio.sleep(0)
                if event.sequence in failures:
                    failures.discard(event.sequence)
                    raise TransientError("once", retry_after_s=0)
                handled.append(event)

            for stop in (*stops, None):
                run = len(handled)
                consumer = Consumer(journal, "c", handle, pace=QUICK)
                wanted = len(bots) if stop is None else stop
                await run_until(
                    consumer,
                    lambda: (
                        consumer.position >= wanted  # noqa: B023
                        or consumer.position == len(bots)  # noqa: B023
                    ),
                )
                per_bot = defaultdict(list)
                for event in handled[run:]:
                    per_bot[event.bot].append(event.sequence)
                assert all(order == sorted(set(order)) for order in per_bot.values())
            assert {event.sequence for event in handled} == set(range(1, len(bots) + 1))

    asyncio.run(scenario())
