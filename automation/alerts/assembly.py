"""The alerts of a fleet, all parts together: service, Telegram commands, sign of life.

`app` runs it beside the supervisor; it knows neither.
"""

import asyncio

from automation.alerts.channel_settings import TelegramChannel
from automation.alerts.channels.building import build_channels, telegram_api
from automation.alerts.channels.http import new_client
from automation.alerts.commander import Commander, FleetDesk
from automation.alerts.heartbeat import HeartbeatSender
from automation.alerts.service import AlertService
from automation.alerts.settings import Settings
from automation.core.clock import Clock
from automation.journal import Journal


async def serve_alerts(
    journal: Journal,
    settings: Settings,
    fleet: FleetDesk | None = None,
    *,
    clock: Clock | None = None,
    started: asyncio.Event | None = None,
) -> None:
    """Serve a fleet's alerts until cancelled; ConfigError when a secret is missing.

    Without `fleet` nobody listens to Telegram. `started` is set as soon as events are taken.
    """
    async with new_client() as client:
        service = AlertService(journal, settings, build_channels(settings, client), clock=clock)
        async with asyncio.TaskGroup() as group:
            if settings.heartbeat is not None:
                sender = HeartbeatSender(journal, settings.heartbeat, client, service.is_alive)
                group.create_task(sender.run(), name="alerts heartbeat")
            commands = settings.commands
            if commands is not None and fleet is not None:
                channel = settings.channels[commands.channel]
                assert isinstance(channel, TelegramChannel)  # `lint` saw to it
                api = telegram_api(commands.channel, channel, client)
                commander = Commander(journal, commands, api, fleet, clock=clock)
                group.create_task(commander.run(), name="alerts commands")
            group.create_task(service.run(), name="alerts")
            if started is not None:
                await service.ready()
                started.set()
