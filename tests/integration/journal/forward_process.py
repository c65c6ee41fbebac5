"""Forwards a journal to Redis in a process of its own, whose clock a test winds: JOURNAL URL."""

import asyncio
import sys

from automation.journal import Journal
from automation.journal.forward.redis import RedisForwarder


async def main(path: str, url: str) -> None:
    with Journal.open(path) as journal:
        await RedisForwarder(journal, url).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
