"""Slack's and Discord's incoming webhooks: a secret address that takes messages."""

from typing import Any

import httpx

from automation.alerts.channels.http import post_json, rebased
from automation.alerts.rendering import Message

SUPPRESS_EMBEDS = 1 << 2


class SlackChannel:
    """An incoming webhook of Slack; implements `Channel`."""

    def __init__(
        self, client: httpx.AsyncClient, webhook: str, *, base_url: str | None, timeout_s: float
    ) -> None:
        """Speak through `client`, which the caller closes."""
        self._client, self._url = client, rebased(webhook, base_url)
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> str:
        """Send; nothing in the text is unfurled or becomes a mention."""
        body: dict[str, Any] = {
            "text": message.body,
            "mrkdwn": message.form == "markdown",
            "unfurl_links": False,
            "unfurl_media": False,
        }
        response = await post_json(self._client, "Slack", self._url, body, self._timeout_s)
        return response.text[:80]


class DiscordChannel:
    """A webhook of Discord; implements `Channel`."""

    def __init__(
        self, client: httpx.AsyncClient, webhook: str, *, base_url: str | None, timeout_s: float
    ) -> None:
        """Speak through `client`, which the caller closes."""
        self._client, self._timeout_s = client, timeout_s
        url = rebased(webhook, base_url)
        self._url = f"{url}{'&' if '?' in url else '?'}wait=true"

    async def send(self, message: Message) -> str:
        """Send; nobody is mentioned and no preview is fetched."""
        body = {
            "content": message.body,
            "allowed_mentions": {"parse": []},
            "flags": SUPPRESS_EMBEDS,
        }
        response = await post_json(self._client, "Discord", self._url, body, self._timeout_s)
        try:
            return f"message {response.json().get('id')}"
        except (ValueError, AttributeError):
            return "sent"
