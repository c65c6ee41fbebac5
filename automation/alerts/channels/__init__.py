"""The ways out: Telegram, Slack and Discord over HTTP, everything else through apprise.

`Channel` is the seam: one method that sends a message or says why not.
"""

from typing import Protocol

from automation.alerts.rendering import Message


class Channel(Protocol):
    """Something that takes messages."""

    async def send(self, message: Message) -> str:
        """Send, and tell what the other side answered.

        TransientError (with what it asked us to wait) is worth another try, PermanentError not.
        """
        ...


__all__ = ["Channel", "Message"]
