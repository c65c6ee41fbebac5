"""Telegram's Bot API, as far as alerts and commands need it.

One `TelegramApi` per token; `TelegramChannel` writes to one chat. Texts come escaped; should
Telegram not understand the markup all the same, the plain text is sent.
"""

from typing import Any

import httpx

from automation.alerts.channels.http import Refused, post_json
from automation.alerts.rendering import Message
from automation.alerts.severity import Severity
from automation.core.errors import TransientError

PARSE_MODES = {"html": "HTML", "markdown": "MarkdownV2"}
ACKNOWLEDGE = "ack:"


class TelegramApi:
    """Calls methods of the Bot API with one token."""

    def __init__(
        self, client: httpx.AsyncClient, token: str, *, base_url: str, timeout_s: float = 10.0
    ) -> None:
        """Speak through `client`, which the caller closes."""
        self._client, self._token = client, token
        self._base_url, self._timeout_s = base_url, timeout_s

    async def call(self, method: str, *, timeout_s: float | None = None, **body: Any) -> Any:
        """Call a method and give its result; TransientError or `Refused` otherwise."""
        url = f"{self._base_url}/bot{self._token}/{method}"
        response = await post_json(
            self._client, f"Telegram {method}", url, body, timeout_s or self._timeout_s
        )
        try:
            answer = response.json()
        except ValueError:
            raise TransientError("answered without JSON", where=f"Telegram {method}") from None
        if not isinstance(answer, dict) or not answer.get("ok"):
            raise TransientError("answered without a result", where=f"Telegram {method}")
        return answer.get("result")


class TelegramChannel:
    """One chat; implements `Channel`."""

    def __init__(
        self,
        api: TelegramApi,
        chat: str,
        *,
        thread: int | None = None,
        has_buttons: bool = False,
    ) -> None:
        """Write to `chat`; buttons only make sense where somebody listens for them."""
        self._api, self._chat = api, chat
        self._thread, self._has_buttons = thread, has_buttons

    async def send(self, message: Message) -> str:
        """Send, with a button that acknowledges."""
        body: dict[str, Any] = {
            "chat_id": self._chat,
            "link_preview_options": {"is_disabled": True},
            "disable_notification": message.severity is Severity.LOW,
        }
        if self._thread is not None:
            body["message_thread_id"] = self._thread
        data = f"{ACKNOWLEDGE}{message.id}"
        if self._has_buttons and message.acknowledgeable and len(data.encode()) <= 64:
            button = {"text": message.acknowledge, "callback_data": data}
            body["reply_markup"] = {"inline_keyboard": [[button]]}
        try:
            sent = await self._api.call("sendMessage", **{**body, **_marked(message)})
        except Refused as refused:
            if refused.status != 400 or "parse" not in str(refused):
                raise
            sent = await self._api.call("sendMessage", **body, text=message.plain)
        return f"message {sent.get('message_id')}" if isinstance(sent, dict) else "sent"


def _marked(message: Message) -> dict[str, Any]:
    mode = PARSE_MODES.get(message.form)
    return {"text": message.body, "parse_mode": mode} if mode else {"text": message.body}
