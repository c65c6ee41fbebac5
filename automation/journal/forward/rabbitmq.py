"""Forwards the journal to a RabbitMQ exchange, at least once, each message confirmed.

Decides names (a durable topic exchange, the event's kind as routing key, its sequence as message
id) and the place: the journal's own offset, moved after the broker confirmed. Off unless a fleet
names an address. Needs the extra `services`.
"""

import asyncio
from contextlib import suppress
from typing import Any

from automation.core.errors import ConfigError, DependencyError
from automation.core.masking import mask
from automation.journal.event import Event
from automation.journal.forward.message import body_of
from automation.journal.journal import Journal
from automation.journal.store import EVERYTHING, Query

PAGE = 200
TIMEOUT_S = 10.0


class RabbitForwarder:
    """Follows the journal and publishes its events."""

    def __init__(
        self,
        journal: Journal,
        url: str,
        *,
        exchange: str = "freqfleet.journal",
        queue: str = "",
        query: Query = EVERYTHING,
        longest_pause_s: float = 30.0,
    ) -> None:
        """With `queue` a durable queue of that name is bound, so that nothing goes nowhere."""
        self._journal, self._url, self._exchange_name = journal, url, exchange
        self._queue_name, self._query, self._longest_pause_s = queue, query, longest_pause_s
        self._driver = _driver()
        self.fault = ""
        """What keeps RabbitMQ from taking events, as a sentence; "" when it does."""
        self.position = 0
        """The newest event that RabbitMQ has confirmed."""

    async def run(self) -> None:
        """Forward until cancelled; while RabbitMQ is down, wait and go on where it stopped."""
        offsets = await asyncio.to_thread(self._journal.store.offsets)
        self.position = offsets.get(self._name, 0)
        pause_s = 0.5
        while not await self._until_fault():
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._longest_pause_s)

    async def _until_fault(self) -> bool:
        """Forward until RabbitMQ fails; True when the journal was closed instead."""
        faults = (*self._driver.exceptions.CONNECTION_EXCEPTIONS, OSError, TimeoutError)
        connection = None
        try:
            connection = await self._driver.connect(self._url, timeout=TIMEOUT_S)
            exchange = await self._declare(connection)
            self.fault = ""
            await self._follow(exchange)
        except faults as error:
            self.fault = f"RabbitMQ at {mask(self._url)} does not take events ({error!r})"
            return False
        finally:
            if connection is not None:
                with suppress(*faults):
                    await connection.close()
        return True

    async def _declare(self, connection: Any) -> Any:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.declare_exchange(
            self._exchange_name, self._driver.ExchangeType.TOPIC, durable=True
        )
        if self._queue_name:
            queue = await channel.declare_queue(self._queue_name, durable=True)
            await queue.bind(exchange, "#")
        return exchange

    async def _follow(self, exchange: Any) -> None:
        async for page in self._journal.subscribe_pages(self.position, self._query, page=PAGE):
            await asyncio.gather(*(self._publish(exchange, event) for event in page))
            self.position = page[-1].sequence
            with suppress(DependencyError):
                await asyncio.wrap_future(self._journal.save_offset(self._name, self.position))

    async def _publish(self, exchange: Any, event: Event) -> None:
        message = self._driver.Message(
            body_of(event),
            content_type="application/json",
            delivery_mode=self._driver.DeliveryMode.PERSISTENT,
            message_id=str(event.sequence),
            timestamp=event.time,
            type=event.kind,
            app_id="freqfleet",
        )
        await exchange.publish(message, event.kind, timeout=TIMEOUT_S)

    @property
    def _name(self) -> str:
        return f"rabbitmq:{self._exchange_name}"


def _driver() -> Any:
    try:
        import aio_pika  # noqa: PLC0415  an optional part
    except ImportError:
        raise ConfigError(
            "forwarding to RabbitMQ needs its client",
            cure="run `pip install 'freqfleet[services]'`",
        ) from None
    return aio_pika
