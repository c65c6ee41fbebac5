"""The very first start marks where news begins; a service that is stopped then leaves the mark."""

import asyncio
import sqlite3

from automation.alerts.service import CONSUMER


async def test_what_comes_after_a_first_start_that_was_stopped_is_news(
    journal, tmp_path, make_settings, serve, happen, receivers, until
):
    happen.exited("long-ago")
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # another program writes, for as long as it likes
    behind = journal.post("bot.up", actor="a", source="s")
    await until(lambda: not journal.backlog)  # the writing thread waits for its turn

    async def start():
        async with serve(journal, make_settings("slack")):
            pass

    first = asyncio.create_task(start())
    await until(lambda: journal._writer._queue)
    first.cancel()
    await asyncio.wait([first])
    other.rollback()
    other.close()
    await asyncio.wrap_future(behind)
    happen.exited("since")
    assert journal.store.offsets() == {CONSUMER: 1}
    async with serve(journal, make_settings("slack")):
        await until(lambda: any("since is down" in text for text in receivers.texts))
    assert not any("long-ago" in text for text in receivers.texts)
