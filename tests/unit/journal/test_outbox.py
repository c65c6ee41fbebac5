import asyncio

import pytest

from automation.core.errors import PermanentError, TransientError
from automation.journal import Draft, Journal
from automation.journal.outbox import Outbox, Patience, effect
from automation.testing import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def journal(clock):
    with Journal.in_memory(clock=clock) as journal:
        yield journal


class Receiver:
    """Answers as told, and remembers who asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def __call__(self, task):
        self.asked.append((task.key, task.attempt))
        answer = self.answers.pop(0) if self.answers else "sent"
        if isinstance(answer, Exception):
            raise answer
        return answer


async def settled(journal):
    await asyncio.wrap_future(journal.submit([Draft("x", "a", "s")]))


async def test_an_effect_is_written_with_its_event_and_done_once(journal):
    receiver = Receiver()
    outbox = Outbox(journal, {"mail": receiver})
    told = [Draft("alert.queued", "a", "s")]
    wanted = effect(journal, "alert-1", "mail", {"text": "hello", "token": "t0ken"})
    (event,) = await outbox.put([wanted], told)
    await outbox.put([wanted])
    assert event.kind == "alert.queued"
    assert await outbox.run_once() == 1
    await settled(journal)
    assert await outbox.run_once() == 0
    assert receiver.asked == [("alert-1", 1)]
    (done,) = journal.store.effects("done", 9)
    assert (done.result, done.payload_json) == ("sent", '{"text":"hello","token":"***"}')


async def test_a_failed_effect_comes_again_when_the_other_side_wants_it(journal, clock):
    receiver = Receiver(TransientError("busy", retry_after_s=30), TransientError("busy"))
    outbox = Outbox(journal, {"mail": receiver})
    await outbox.put([effect(journal, "k", "mail", {})])
    for advance_s, tried in ((0, 1), (29, 1), (2, 2), (1, 2), (2, 3), (900, 3)):
        clock.advance(advance_s)
        await outbox.run_once()
        await settled(journal)
        assert len(receiver.asked) == tried, advance_s
    assert receiver.asked == [("k", 1), ("k", 2), ("k", 3)], "always with its key"


@pytest.mark.parametrize(
    ("answers", "patience"),
    [
        ([PermanentError("no such chat")], Patience()),
        ([TransientError("busy")] * 2, Patience(attempts=2)),
    ],
)
async def test_an_effect_is_given_up_and_that_is_said(journal, clock, answers, patience):
    outbox = Outbox(journal, {"mail": Receiver(*answers)}, patience=patience)
    await outbox.put([effect(journal, "k", "mail", {})])
    for _ in range(5):
        await outbox.run_once()
        await settled(journal)
        clock.advance(1_000)
    (said,) = journal.search(kind="outbox.given_up")
    assert said.payload["attempts"] == len(answers)
    assert [e.key for e in journal.store.effects("given_up", 9)] == ["k"]


async def test_who_never_answers_is_tried_again(journal, clock):
    async def never(task):
        await asyncio.sleep(60)

    outbox = Outbox(journal, {"mail": never}, patience=Patience(lease_s=0.1))
    await outbox.put([effect(journal, "k", "mail", {})])
    async with asyncio.timeout(30):
        await outbox.run_once()
    await settled(journal)
    (pending,) = journal.store.effects("pending", 9)
    assert pending.result == "no answer in time"


async def test_a_dead_workers_effect_goes_to_another_after_its_lease(journal, clock):
    started = asyncio.Event()

    async def hang(task):
        started.set()
        await asyncio.sleep(60)

    await Outbox(journal, {"mail": hang}).put([effect(journal, "k", "mail", {})])
    dead = asyncio.create_task(Outbox(journal, {"mail": hang}).run())
    await asyncio.wait_for(started.wait(), 30)
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)
    receiver = Receiver()
    assert await Outbox(journal, {"mail": receiver}).run_once() == 0
    clock.advance(61)
    assert await Outbox(journal, {"mail": receiver}).run_once() == 1
    assert receiver.asked == [("k", 2)]


async def test_effects_of_other_workers_are_left_alone(journal):
    await Outbox(journal, {}).put([effect(journal, "k", "mail", {})])
    assert await Outbox(journal, {"sms": Receiver()}).run_once() == 0


async def test_running_does_at_once_what_is_put(journal):
    receiver = Receiver()
    outbox = Outbox(journal, {"mail": receiver}, patience=Patience(look_every_s=60))
    task = asyncio.create_task(outbox.run())
    await asyncio.sleep(0.05)
    await outbox.put([effect(journal, "k", "mail", {})])
    async with asyncio.timeout(30):
        while not receiver.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
