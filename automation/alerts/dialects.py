"""How each channel writes text: what must be escaped, what bold is, how long a message may be.

Everything that is not ours is escaped here, so that a bot's name or an exchange's error can never
become a link, a mention or markup. Pure.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_TELEGRAM = re.compile(r"([_*\[\]()~`>#+\-=|{}.!\\])")
_DISCORD = re.compile(r"([\\*_~`|>#\[\]()\-+:@<])")
_COMMON = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~<&])")
_WORD_JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write a message."""

    name: str
    escape: Callable[[str], str]
    bold: Callable[[str], str]
    """Takes text that is escaped already."""
    longest: int
    """Characters that a message may have."""


def clean(text: str) -> str:
    """Drop what nobody can see but what turns text around or ends it."""
    return _INVISIBLE.sub("", text)


def one_line(text: str) -> str:
    """Put text on one line, for headers."""
    return " ".join(clean(text).split())


def _slack(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Slack has no escape for its own marks; a joiner beside them keeps them from pairing.
    return re.sub(r"([*_~`])", rf"{_WORD_JOINER}\1{_WORD_JOINER}", text)


def _discord(text: str) -> str:
    # A URL shows as it is; only its mark is broken, so that nothing is fetched for a preview.
    return _DISCORD.sub(r"\\\1", text)


PLAIN = Dialect("plain", lambda text: text, lambda text: text, 10_000)
HTML = Dialect("html", escape, lambda text: f"<b>{text}</b>", 10_000)
COMMONMARK = Dialect(
    "markdown", lambda text: _COMMON.sub(r"\\\1", text), lambda text: f"**{text}**", 10_000
)
TELEGRAM_HTML = Dialect(
    "html", lambda text: escape(text, quote=False), lambda text: f"<b>{text}</b>", 4_000
)
TELEGRAM_MARKDOWN = Dialect(
    "markdown", lambda text: _TELEGRAM.sub(r"\\\1", text), lambda text: f"*{text}*", 4_000
)
TELEGRAM_PLAIN = Dialect("plain", PLAIN.escape, PLAIN.bold, 4_000)
SLACK = Dialect("markdown", _slack, lambda text: f"*{text}*", 3_500)
# Slack reads <!channel> also where its own marks are off.
SLACK_PLAIN = Dialect("plain", _slack, PLAIN.bold, 3_500)
DISCORD = Dialect("markdown", _discord, lambda text: f"**{text}**", 1_900)
DISCORD_PLAIN = Dialect("plain", _discord, PLAIN.bold, 1_900)

_BY_CHANNEL: dict[tuple[str, str], Dialect] = {
    ("telegram", "html"): TELEGRAM_HTML,
    ("telegram", "markdown"): TELEGRAM_MARKDOWN,
    ("telegram", "plain"): TELEGRAM_PLAIN,
    ("slack", "markdown"): SLACK,
    ("slack", "plain"): SLACK_PLAIN,
    ("discord", "markdown"): DISCORD,
    ("discord", "plain"): DISCORD_PLAIN,
    ("apprise", "html"): HTML,
    ("apprise", "markdown"): COMMONMARK,
    ("apprise", "plain"): PLAIN,
}


def dialect_of(channel_type: str, form: str) -> Dialect:
    """Find how a channel of a type writes a form."""
    return _BY_CHANNEL[channel_type, form]
