"""The alerts as a user meets them: served beside the supervisor, and read or answered by commands.

Hands the alerts what they may ask of the fleet (`Desk`), so that no room knows another.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from automation.alerts import desk
from automation.alerts.assembly import serve_alerts
from automation.alerts.channels.building import build_channels
from automation.alerts.channels.http import new_client
from automation.alerts.explanation import Explanation, explain
from automation.alerts.policy import Policy
from automation.alerts.settings import Settings
from automation.alerts.settingsfile import load_settings
from automation.app import outcomes as _outcomes  # noqa: F401  defines events as well
from automation.app.journals import writing
from automation.core.clock import SystemClock
from automation.core.config import Fleet
from automation.core.errors import ConfigError, DependencyError, Refusal
from automation.core.model import FleetStatus
from automation.core.paths import configs
from automation.fleet import kinds as _fleet_kinds  # noqa: F401  defines the events that rules name
from automation.fleet.commands import actor, bot_action, status
from automation.fleet.panic import panic
from automation.journal import Journal
from automation.journal.event import to_us

Answer = TypeVar("Answer")


class Desk:
    """What the fleet's Telegram commands may ask of the supervisor, over its socket."""

    def __init__(self, folder: Path) -> None:
        """Speak for the fleet of this state folder."""
        self._home = folder

    async def status(self) -> FleetStatus:
        """Tell how the fleet is."""
        found = await asyncio.to_thread(status, self._home)
        if found is None:
            raise DependencyError("there is no fleet here", where=str(self._home))
        return found

    async def ask(self, bot: str, action: str, actor: str) -> str | Refusal:
        """Do `start`, `stop`, `pause` or `resume` to a bot."""
        del actor  # the commander has written down already who asked
        try:
            return await asyncio.to_thread(bot_action, self._home, bot, action)
        except ConfigError as refused:
            return Refusal(str(refused))

    async def panic(self, actor: str, *, flatten: bool) -> str | Refusal:
        """Stop entries and cancel open orders on every bot; with `flatten` close positions too."""
        with writing() as journal:
            outcomes = await panic(self._home, journal, actor=actor, flatten=flatten)
        lines = [one.sentence for one in outcomes]
        return "\n".join(lines) if lines else Refusal("no bot runs")


def read_alerts(path: Path | None, fleet: Fleet | None = None) -> Settings:
    """Read an alerts file (the pack's without one); ConfigErrors for all that is wrong with it."""
    tokens = [bot.telegram.token for bot in fleet.bots if bot.telegram] if fleet else []
    chosen = path or configs() / "alerts.yaml"
    return load_settings(chosen if chosen.exists() or path else None, taken_tokens=tokens)


async def serve(journal: Journal, settings: Settings, folder: Path) -> None:
    """Serve the alerts until cancelled."""
    await serve_alerts(journal, settings, Desk(folder))


def open_alerts(*, pending: bool = False) -> tuple[list[desk.AlertRow], list[desk.SilenceRow]]:
    """List what fires, and the silences that hold."""
    with writing() as journal:
        return desk.list_alerts(journal, pending=pending), desk.list_silences(journal)


def acknowledge(target: str, note: str) -> tuple[str, ...]:
    """Take care of alerts; ConfigError when nothing is called so."""
    with writing() as journal:
        return _accepted(desk.acknowledge(journal, target, by=actor(), note=note))


def silence(match: Mapping[str, Any], reason: str, until: datetime) -> str:
    """Keep alerts with these labels quiet until an instant; gives the silence's id."""
    with writing() as journal:
        return _accepted(desk.silence(journal, match, by=actor(), reason=reason, until=until))


def unsilence(name: str) -> None:
    """End a silence before its time."""
    with writing() as journal:
        _accepted(desk.unsilence(journal, name, by=actor()))


def account_for(target: str, path: Path | None) -> Explanation:
    """Say why an alert went where it went, or why not."""
    policy = Policy(read_alerts(path))
    with writing() as journal:
        return _accepted(explain(journal, policy, target, now_us=to_us(SystemClock().now())))


async def try_channels(path: Path | None, names: tuple[str, ...]) -> dict[str, str]:
    """Send a test message; "" for a channel it went to, else what kept it."""
    settings = read_alerts(path)
    if not settings.channels:
        cure = "docs/how-to/telegram-alerts.md leads to the first"
        raise ConfigError("no channel is set up", where=str(path or "alerts.yaml"), cure=cure)
    async with new_client() as client:
        return await desk.send_test(settings, build_channels(settings, client), names)


def _accepted(answer: Answer | Refusal) -> Answer:
    if isinstance(answer, Refusal):
        raise ConfigError(answer.reason)
    return answer
