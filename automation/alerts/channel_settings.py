"""What `alerts.yaml` says of channels, of Telegram commands and of the sign of life.

Secrets are references, fetched when a channel is built. Part of `settings`.
"""

from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from automation.alerts.duration import Duration, parse_duration
from automation.core.secrets import SecretRef


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write it like Asia/Seoul or UTC") from None
    return name


Zone = Annotated[str, AfterValidator(_check_zone)]
BaseUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+[^\s/@]$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Limit(_Strict):
    """How many messages a channel takes; what is more comes together in one."""

    messages: int = Field(3, ge=1, description="So many messages …")
    per: Duration = Field(parse_duration("1m"), description="… in this duration.")


class _Channel(_Strict):
    locale: Literal["en", "ko"] = Field("en", description="Language of the messages.")
    zone: Zone = Field("UTC", description="Time zone of the times in messages.")
    timeout: Duration = Field(parse_duration("10s"), description="How long a delivery may take.")
    limit: Limit = Field(Limit(), description="How many messages it takes; emergencies pass.")
    fallback: str | None = Field(None, description="Channel that takes over when this one fails.")
    template: str | None = Field(
        None, description="Layout of a message (Jinja2) instead of the package's own."
    )
    tells_resolved: bool = Field(True, description="Whether it is told when an alert ends.")


class TelegramChannel(_Channel):
    """A chat, written to by a bot of your own."""

    type: Literal["telegram"]
    token: SecretRef = Field(description="The bot's token, as a reference: env:NAME or file:PATH.")
    chat: SecretRef = Field(description="Number of the chat, as a reference.")
    thread: int | None = Field(None, description="Topic of the chat.")
    format: Literal["html", "markdown", "plain"] = Field("html", description="Form of messages.")
    base_url: BaseUrl = Field("https://api.telegram.org", description="Address of the Bot API.")


class SlackChannel(_Channel):
    """An incoming webhook of Slack."""

    type: Literal["slack"]
    webhook: SecretRef = Field(description="The webhook's address, as a reference.")
    format: Literal["markdown", "plain"] = Field("markdown", description="Form of messages.")
    base_url: BaseUrl | None = Field(
        None, description="Scheme and host instead of the webhook's own, for a relay."
    )


class DiscordChannel(_Channel):
    """A webhook of Discord."""

    type: Literal["discord"]
    webhook: SecretRef = Field(description="The webhook's address, as a reference.")
    format: Literal["markdown", "plain"] = Field("markdown", description="Form of messages.")
    base_url: BaseUrl | None = Field(
        None, description="Scheme and host instead of the webhook's own, for a relay."
    )


class AppriseChannel(_Channel):
    """Whatever apprise reaches: e-mail, SMS, PagerDuty, ntfy, webhooks and many more."""

    type: Literal["apprise"]
    url: SecretRef = Field(description="Apprise's address of the service, as a reference.")
    format: Literal["html", "markdown", "plain"] = Field("plain", description="Form of messages.")


Channel = Annotated[
    TelegramChannel | SlackChannel | DiscordChannel | AppriseChannel, Field(discriminator="type")
]


class Role(StrEnum):
    """What somebody may do by Telegram; each may do what those before may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return list(Role).index(self)


class Commands(_Strict):
    """Who may command the fleet by Telegram."""

    channel: str = Field(description="The Telegram channel whose bot listens.")
    chats: dict[int, Role] = Field(
        min_length=1, description="Chats that are listened to, each with the role it gives."
    )
    users: dict[int, Role] | None = Field(
        None, description="Where given, only these users, each with at most this role."
    )
    confirms_within: Duration = Field(
        parse_duration("1m"), description="How long a question like that of /panic stays open."
    )


class Heartbeat(_Strict):
    """A sign of life to a dead man's switch, which tells you when it stays away."""

    url: SecretRef = Field(description="Address that is called, as a reference.")
    every: Duration = Field(parse_duration("1m"), description="How often.")
    timeout: Duration = Field(parse_duration("10s"), description="How long a call may take.")
