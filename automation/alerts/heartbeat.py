"""A sign of life to a dead man's switch: it stays away when the alerts cannot do their work.

Run by `app` beside the service.
"""

import asyncio
from collections.abc import Callable

import httpx

from automation.alerts.channel_settings import Heartbeat
from automation.alerts.core import SOURCE
from automation.alerts.kinds import HeartbeatState
from automation.core.masking import register_secret
from automation.core.secrets import resolve
from automation.journal import Journal


class HeartbeatSender:
    """Calls an address as long as `is_alive` says so."""

    def __init__(
        self,
        journal: Journal,
        settings: Heartbeat,
        client: httpx.AsyncClient,
        is_alive: Callable[[], bool],
    ) -> None:
        """Fetch the address; ConfigError when it is missing."""
        self._journal, self._client, self._is_alive = journal, client, is_alive
        self._url = resolve(settings.url, where="heartbeat.url").reveal()
        register_secret(self._url)
        self._every_s = settings.every.total_seconds()
        self._timeout_s = settings.timeout.total_seconds()
        self._fault = ""

    async def run(self) -> None:
        """Call until cancelled."""
        while True:
            if self._is_alive():
                await self.beat()
            await asyncio.sleep(self._every_s)

    async def beat(self) -> bool:
        """Call once; what changes is journaled."""
        try:
            response = await self._client.get(self._url, timeout=self._timeout_s)
            fault = "" if response.status_code < 300 else f"answer {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = type(error).__name__
        if bool(fault) != bool(self._fault):
            kind = "alert.heartbeat_refused" if fault else "alert.heartbeat_taken"
            said = HeartbeatState(reason=fault or f"was: {self._fault}")
            self._journal.post(kind, actor=SOURCE, source=SOURCE, payload=said)
        self._fault = fault
        return not fault
