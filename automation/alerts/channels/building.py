"""Builds channels from settings: the one place where their secrets are fetched."""

from collections.abc import Mapping

import httpx

from automation.alerts import channel_settings as given
from automation.alerts.channels import Channel
from automation.alerts.channels.services import AppriseChannel
from automation.alerts.channels.telegram import TelegramApi, TelegramChannel
from automation.alerts.channels.webhooks import DiscordChannel, SlackChannel
from automation.alerts.settings import Settings
from automation.core.masking import register_secret
from automation.core.secrets import resolve


def build_channels(settings: Settings, client: httpx.AsyncClient) -> dict[str, Channel]:
    """Build every channel; ConfigError where a secret is missing or makes no sense."""
    listens = settings.commands.channel if settings.commands is not None else None
    return {
        name: build_channel(name, channel, client, has_buttons=name == listens)
        for name, channel in settings.channels.items()
    }


def build_channel(
    name: str, channel: given.Channel, client: httpx.AsyncClient, *, has_buttons: bool = False
) -> Channel:
    """Build one channel."""
    timeout_s = channel.timeout.total_seconds()
    if isinstance(channel, given.TelegramChannel):
        return TelegramChannel(
            telegram_api(name, channel, client),
            resolve(channel.chat, where=f"channels.{name}.chat").reveal(),
            thread=channel.thread,
            has_buttons=has_buttons,
        )
    if isinstance(channel, given.AppriseChannel):
        return AppriseChannel(name, reveal(channel.url, name, "url"), timeout_s=timeout_s)
    made: Mapping[type, type[SlackChannel | DiscordChannel]] = {
        given.SlackChannel: SlackChannel,
        given.DiscordChannel: DiscordChannel,
    }
    webhook = reveal(channel.webhook, name, "webhook")
    return made[type(channel)](client, webhook, base_url=channel.base_url, timeout_s=timeout_s)


def telegram_api(
    name: str, channel: given.TelegramChannel, client: httpx.AsyncClient
) -> TelegramApi:
    """Give the Bot API with a channel's token."""
    return TelegramApi(
        client,
        reveal(channel.token, name, "token"),
        base_url=channel.base_url,
        timeout_s=channel.timeout.total_seconds(),
    )


def reveal(reference: str, name: str, field: str) -> str:
    """Fetch a secret; from now on it is masked wherever it appears."""
    value = resolve(reference, where=f"channels.{name}.{field}").reveal()
    register_secret(value)
    return value
