"""Forwards the journal to a Redis stream, each event once.

The event's sequence is the entry's id, so Redis itself refuses a second copy, and the stream's last
id says where to go on. Off unless a fleet names an address. Needs the extra `services`.
"""

import asyncio
from contextlib import suppress
from typing import Any

from automation.core.errors import ConfigError, DependencyError
from automation.core.masking import mask
from automation.journal.event import Event
from automation.journal.forward.message import fields_of
from automation.journal.journal import Journal
from automation.journal.store import EVERYTHING, Query

PAGE = 500
TIMEOUT_S = 5.0


class RedisForwarder:
    """Follows the journal and adds its events to a stream."""

    def __init__(
        self,
        journal: Journal,
        url: str,
        *,
        stream: str = "freqfleet:journal",
        query: Query = EVERYTHING,
        longest: int = 1_000_000,
        longest_pause_s: float = 30.0,
    ) -> None:
        """`longest` is about how many entries Redis keeps; older ones go."""
        self._journal, self._url, self._stream = journal, url, stream
        self._query, self._longest, self._longest_pause_s = query, longest, longest_pause_s
        self._driver = _driver()
        self.fault = ""
        """What keeps Redis from taking events, as a sentence; "" when it does."""
        self.position = 0
        """The newest event that Redis has."""

    async def run(self) -> None:
        """Forward until cancelled; while Redis is down, wait and go on where it stopped."""
        pause_s = 0.5
        while not await self._until_fault():
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._longest_pause_s)

    async def _until_fault(self) -> bool:
        """Forward until Redis fails; True when the journal was closed instead."""
        client = self._driver.from_url(
            self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        try:
            self.position = await self._last(client)
            self.fault = ""
            await self._follow(client)
        except (self._driver.RedisError, OSError, TimeoutError) as error:
            self.fault = f"Redis at {mask(self._url)} does not take events ({error})"
            return False
        finally:
            with suppress(self._driver.RedisError, OSError):
                await client.aclose()
        return True

    async def _last(self, client: Any) -> int:
        newest = await client.xrevrange(self._stream, count=1)
        if newest:
            return int(newest[0][0].decode().split("-")[0])
        # Redis is new or lost its data: what it once had is not sent all over again.
        offsets = await asyncio.to_thread(self._journal.store.offsets)
        return offsets.get(self._name, 0)

    async def _follow(self, client: Any) -> None:
        async for page in self._journal.subscribe_pages(self.position, self._query, page=PAGE):
            await self._add(client, page)

    async def _add(self, client: Any, page: list[Event]) -> None:
        async with client.pipeline(transaction=True) as pipeline:
            for event in page:
                pipeline.xadd(
                    self._stream,
                    fields_of(event),
                    id=f"{event.sequence}-0",
                    maxlen=self._longest,
                    approximate=True,
                )
            answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            # Smaller than the last id: it is there already, another forwarder was quicker.
            if isinstance(answer, Exception) and "equal or smaller" not in str(answer):
                raise answer
        self.position = page[-1].sequence
        with suppress(DependencyError):
            await asyncio.wrap_future(self._journal.save_offset(self._name, self.position))

    @property
    def _name(self) -> str:
        return f"redis:{self._stream}"


def _driver() -> Any:
    try:
        import redis.asyncio  # noqa: PLC0415  an optional part
    except ImportError:
        raise ConfigError(
            "forwarding to Redis needs its client", cure="run `pip install 'freqfleet[services]'`"
        ) from None
    return redis.asyncio
