"""Everything that apprise reaches: e-mail, SMS, PagerDuty, ntfy, webhooks and many more.

Apprise says only yes or no, so every no is worth another try. It sends in threads: a time-out
frees us, and the thread ends by its own one.
"""

import asyncio
import logging
from typing import Any

from automation.alerts.rendering import Message
from automation.alerts.severity import Severity
from automation.core.errors import ConfigError, TransientError

_TYPES = {
    Severity.LOW: "info",
    Severity.MEDIUM: "info",
    Severity.HIGH: "warning",
    Severity.CRITICAL: "failure",
    Severity.EMERGENCY: "failure",
}
_FORMS = {"plain": "text", "markdown": "markdown", "html": "html"}
_SETTLING_S = 1.0


class AppriseChannel:
    """One of apprise's services; implements `Channel`."""

    def __init__(self, name: str, url: str, *, timeout_s: float) -> None:
        """Take apprise's address of the service; ConfigError when it is none."""
        try:
            import apprise  # noqa: PLC0415  half a second that only those pay who use it
        except ImportError:
            raise ConfigError(
                "apprise is not installed",
                where=f"channels.{name}",
                cure="install freqfleet[services]",
            ) from None
        # Its log lines name accounts; what matters comes back as an answer.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        asset = apprise.AppriseAsset(app_id="Freqfleet", app_desc="Freqfleet", app_url="")
        self._apprise: Any = apprise.Apprise(asset=asset)
        if not self._apprise.add(url):
            raise ConfigError(
                "apprise does not know this kind of address",
                where=f"channels.{name}.url",
                cure="see apprise's documentation of the service",
            )
        self._name, self._timeout_s = name, timeout_s
        service = self._apprise[0]
        self._longest = int(getattr(service, "body_maxlen", 32_768))
        # Apprise's own limits for the connection and the answer.
        service.socket_connect_timeout = service.socket_read_timeout = timeout_s
        # Apprise would sleep up to 5.5 s before a second message, and our time-out would take that
        # for silence and send it again. How many messages a channel takes is `limit`'s business.
        service.request_rate_per_sec = 0

    async def send(self, message: Message) -> str:
        """Send; a service with a small limit gets the beginning."""
        body = message.body
        form = _FORMS[message.form]
        if len(body) > self._longest:
            body, form = message.plain[: self._longest], "text"
        try:
            async with asyncio.timeout(self._timeout_s + _SETTLING_S):
                is_sent = await self._apprise.async_notify(
                    title=message.title,
                    body=body,
                    body_format=form,
                    notify_type=_TYPES[message.severity],
                )
        except TimeoutError:
            raise TransientError(
                f"no answer within {self._timeout_s:g} s", where=self._name
            ) from None
        if not is_sent:
            raise TransientError("the service did not take the message", where=self._name)
        return "taken"
