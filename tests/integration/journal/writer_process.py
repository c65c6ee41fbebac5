"""A program that appends and delivers until it is killed; says on stdout what was acknowledged.

Usage: writer_process.py JOURNAL RECEIVED SEED. Every event carries an effect of its own; a sent
effect is a line in RECEIVED, durable before the answer.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from automation.journal import Draft, Journal
from automation.journal.outbox import Outbox, Patience, effect


async def main(path: str, received: str, seed: int) -> None:
    chance = random.Random(seed)
    file = os.open(received, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def send(task):
        os.write(file, f"{task.key}\n".encode())
        os.fsync(file)
        await asyncio.sleep(0)
        return "ok"

    with Journal.open(Path(path)) as journal:
        outbox = Outbox(journal, {"mail": send}, patience=Patience(lease_s=1, look_every_s=0.01))

        async def append(writer: int) -> None:
            n = 0
            while True:
                key = f"{os.getpid()}-{writer}-{n}"
                drafts = [Draft("bot.up", "a", "s", {"id": key})] * chance.randint(1, 4)
                events = await outbox.put([effect(journal, key, "mail", {})], drafts)
                said = " ".join([key, *(str(event.sequence) for event in events)])
                sys.stdout.write(said + "\n")
                sys.stdout.flush()
                n += 1
                await asyncio.sleep(chance.random() * 0.003)

        await asyncio.gather(outbox.run(), *(append(writer) for writer in range(4)))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
