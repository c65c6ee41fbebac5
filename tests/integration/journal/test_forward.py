"""Forwarding to a real Redis and a real RabbitMQ, through their deaths."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from automation.journal import Draft, Journal, Query
from automation.journal.forward.rabbitmq import RabbitForwarder
from automation.journal.forward.redis import RedisForwarder
from tests.contract.journal_servers import rabbitmq_server, redis_server

WOUND = 200


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.db") as journal:
        yield journal


@pytest.fixture
def redis():
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def rabbit():
    with rabbitmq_server() as server:
        yield server


def fill(journal, count, kind="bot.up"):
    journal.append_many(Draft(kind, "a", "s", {"n": n}, "m") for n in range(count))


@asynccontextmanager
async def running(forwarder):
    task = asyncio.create_task(forwarder.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(condition, timeout_s=60):
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def entries(server, stream="freqfleet:journal"):
    import redis

    with redis.Redis(port=server.port) as client:
        return client.xrange(stream)


async def test_redis_gets_every_event_once_across_its_own_death_and_ours(journal, redis):
    fill(journal, 700)
    async with running(RedisForwarder(journal, redis.url)) as _:
        await until(lambda: len(entries(redis)) == 700)
    first = entries(redis)[0]
    assert first[0] == b"1-0"
    assert (first[1][b"kind"], first[1][b"payload"]) == (b"bot.up", b'{"n":0}')
    fill(journal, 50)
    forwarder = RedisForwarder(journal, redis.url, longest_pause_s=0.5)
    async with running(forwarder):
        await until(lambda: len(entries(redis)) == 750)
        await asyncio.to_thread(redis.kill)
        fill(journal, 300)
        await until(lambda: forwarder.fault)
        assert "does not take events" in forwarder.fault
        await asyncio.to_thread(redis.start)
        await until(lambda: len(entries(redis)) == 1050)
        await until(lambda: not forwarder.fault)
    ids = [int(entry[0].split(b"-")[0]) for entry in entries(redis)]
    assert ids == list(range(1, 1051))


@pytest.mark.long
async def test_redis_down_for_an_hour_costs_nothing(tmp_path, journal, redis):
    """An hour of the forwarder's own clock, which runs 200 times as fast as ours."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed (apt-get install faketime)")
    program = str(Path(__file__).with_name("forward_process.py"))
    forwarder = await asyncio.create_subprocess_exec(
        "faketime", "-f", f"+0 x{WOUND}",
        sys.executable, program, str(tmp_path / "journal.db"), redis.url,
        env={**os.environ, "FAKETIME_DONT_RESET": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        fill(journal, 100)
        await until(lambda: len(entries(redis)) == 100)
        await asyncio.to_thread(redis.kill)
        began = time.monotonic()
        for _ in range(30):
            fill(journal, 10)
            await asyncio.sleep(3600 / WOUND / 30)
        assert (time.monotonic() - began) * WOUND >= 3600
        assert forwarder.returncode is None
        await asyncio.to_thread(redis.start)
        await until(lambda: len(entries(redis)) == 400)
    finally:
        os.killpg(forwarder.pid, signal.SIGKILL)  # faketime's own process and the forwarder's
        await forwarder.wait()
    ids = [int(entry[0].split(b"-")[0]) for entry in entries(redis)]
    assert ids == list(range(1, 401))


async def test_two_forwarders_to_one_stream_double_nothing(journal, redis):
    fill(journal, 300)
    one, other = (RedisForwarder(journal, redis.url) for _ in range(2))
    async with running(one), running(other):
        await until(lambda: len(entries(redis)) >= 300)
        fill(journal, 100)
        await until(lambda: one.position == other.position == 400)
    assert len(entries(redis)) == 400


async def test_redis_that_lost_its_data_goes_on_and_is_not_flooded(journal, redis):
    fill(journal, 100)
    async with running(RedisForwarder(journal, redis.url)):
        await until(lambda: journal.store.offsets().get("redis:freqfleet:journal") == 100)
    import redis as driver

    with driver.Redis(port=redis.port) as client:
        client.flushall()
    fill(journal, 5)
    async with running(RedisForwarder(journal, redis.url)):
        await until(lambda: len(entries(redis)) == 5)


async def test_a_filtered_forwarder_hands_on_at_once(journal, redis):
    fill(journal, 3, "other.kind")
    fill(journal, 1)
    fill(journal, 3, "other.kind")
    async with running(RedisForwarder(journal, redis.url, query=Query(kind="bot.*"))):
        await until(lambda: len(entries(redis)) == 1)
        fill(journal, 1)
        await until(lambda: len(entries(redis)) == 2)


async def drain(server, queue, count):
    import aio_pika

    connection = await aio_pika.connect(server.url)
    got = []
    async with connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, durable=True)
        async with asyncio.timeout(60):
            while len(set(got)) < count:
                message = await declared.get(no_ack=True, fail=False)
                if message is None:
                    await asyncio.sleep(0.05)
                else:
                    assert json.loads(message.body)["sequence"] == int(message.message_id)
                    assert message.routing_key == message.type
                    got.append(int(message.message_id))
    return got


async def test_rabbitmq_gets_every_event_at_least_once_across_its_death(journal, rabbit):
    fill(journal, 450)
    forwarder = RabbitForwarder(journal, rabbit.url, queue="audit", longest_pause_s=0.5)
    async with running(forwarder):
        await until(lambda: forwarder.position == 450)
        await asyncio.to_thread(rabbit.kill)
        fill(journal, 100)
        await until(lambda: forwarder.fault)
        await asyncio.to_thread(rabbit.start)
        await until(lambda: forwarder.position == 550)
    await until(lambda: journal.store.offsets().get("rabbitmq:freqfleet.journal") == 550)
    fill(journal, 10)
    async with running(RabbitForwarder(journal, rabbit.url, queue="audit")):
        got = await drain(rabbit, "audit", 560)
    assert set(got) == set(range(1, 561))
    assert len(got) < 560 + 200, "only what was under way may come twice"


async def test_what_is_not_there_is_said_and_waited_for(journal):
    fill(journal, 1)
    forwarders = [
        RedisForwarder(journal, "redis://user:hunter2@127.0.0.1:1/0"),
        RabbitForwarder(journal, "amqp://user:hunter2@127.0.0.1:1/"),
    ]
    for forwarder in forwarders:
        async with running(forwarder):
            await until(lambda: forwarder.fault, 20)  # noqa: B023
            assert "hunter2" not in forwarder.fault
            fill(journal, 1)
