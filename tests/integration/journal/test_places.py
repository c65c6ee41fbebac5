"""What is at Redis or RabbitMQ is written down as such, though the forwarder is stopped meanwhile."""

import asyncio
import sqlite3

import pytest

from automation.journal import Draft, Journal
from automation.journal.forward.rabbitmq import RabbitForwarder
from automation.journal.forward.redis import RedisForwarder
from tests.contract.journal_servers import rabbitmq_server, redis_server

FORWARDERS = {
    "redis": (redis_server, RedisForwarder),
    "rabbitmq": (rabbitmq_server, RabbitForwarder),
}


async def until(condition, timeout_s=60):
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", FORWARDERS)
async def test_a_place_is_saved_though_the_forwarder_is_stopped_while_it_waits(name, tmp_path):
    serve, make = FORWARDERS[name]
    path = tmp_path / "journal.db"
    with serve() as server, Journal.open(path) as journal:
        journal.append_many(Draft("bot.up", "a", "s") for _ in range(20))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # another program writes, for as long as it likes
        behind = journal.post("bot.up", actor="a", source="s")
        await until(lambda: not journal.backlog)  # the writing thread waits for its turn
        forwarder = make(journal, server.url)
        task = asyncio.create_task(forwarder.run())
        await until(lambda: forwarder.position == 20 and journal._writer._queue)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert journal.store.offsets() == {}
        other.rollback()
        other.close()
        await asyncio.wrap_future(behind)
        await until(lambda: list(journal.store.offsets().values()) == [20], 10)
