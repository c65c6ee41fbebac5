"""Alert services that speak to real servers on loopback."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts.channels.building import build_channels
from automation.alerts.channels.http import new_client
from automation.alerts.receivers import TOKEN, Receivers
from automation.alerts.service import AlertService
from automation.alerts.settings import Settings
from automation.journal import Journal


@pytest.fixture
async def receivers():
    async with Receivers() as receivers:
        yield receivers


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.db") as journal:
        yield journal


@pytest.fixture
def channels(receivers, monkeypatch):
    """Describe the three channels of our own, pointed at the stand-ins."""
    monkeypatch.setenv("TG_TOKEN", TOKEN)
    monkeypatch.setenv("TG_CHAT", "7")
    monkeypatch.setenv("SLACK", "https://hooks.slack.com/services/T0secretB0secret")
    monkeypatch.setenv("DISCORD", "https://discord.com/api/webhooks/1/secretsecret")
    common = {"timeout": "2s", "base_url": receivers.url}
    return {
        "telegram": {"type": "telegram", "token": "env:TG_TOKEN", "chat": "env:TG_CHAT", **common},
        "slack": {"type": "slack", "webhook": "env:SLACK", **common},
        "discord": {"type": "discord", "webhook": "env:DISCORD", **common},
    }


DOWN = {
    "name": "down",
    "when": {"kind": "bot.exited", "where": {"is_expected": {"not": True}}},
    "until": "bot.healthy",
    "severity": "high",
    "title": "{{ bot }} is down",
    "text": "{{ reason }}",
}
LOST = {
    "name": "lost",
    "when": {"kind": "trade.closed", "where": {"reason": "liquidation"}},
    "severity": "emergency",
    "once": True,
    "title": "{{ bot }}: {{ pair }} was liquidated",
}


@pytest.fixture
def rules():
    """The rules that these tests go by."""
    return [DOWN, LOST]


def settings_of(channels: dict[str, Any], **changes: Any) -> Settings:
    """Settings with short waits, so that tests need not wait long."""
    route = {
        "group_wait": "1s",
        "group_interval": "1s",
        "routes": [{"match": {"severity": "emergency"}, "group_wait": "0"}],
    }
    return Settings.model_validate(
        {"rules": [DOWN, LOST], "channels": channels, "route": route, **changes}
    )


@pytest.fixture
def make_settings(channels):
    """Make settings for some of the channels."""

    def make(*names: str, tune: dict[str, Any] | None = None, **changes: Any) -> Settings:
        chosen = {name: {**channels[name], **(tune or {})} for name in names or channels}
        return settings_of(chosen, **changes)

    return make


@asynccontextmanager
async def serving(journal: Journal, settings: Settings, **rest: Any):
    """Run the alerts for a block."""
    async with new_client() as client:
        service = AlertService(journal, settings, build_channels(settings, client), **rest)
        task = asyncio.create_task(service.run())
        try:
            ready = asyncio.create_task(service.ready())
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def serve():
    return serving


async def wait_for(condition, timeout_s: float = 30.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  what is waited for is another program's doing
            await asyncio.sleep(0.01)


@pytest.fixture
def until():
    return wait_for


@pytest.fixture
def happen(journal):
    """Append events as the fleet would."""

    def exited(bot: str = "m", reason: str = "it was killed by signal 9", journal=journal) -> None:
        payload = {
            "unit": bot, "pid": 1, "exit_code": -9, "reason": reason, "is_expected": False,
        }  # fmt: skip
        journal.append("bot.exited", actor="supervisor", source="fleet", bot=bot, payload=payload)

    def liquidated(bot: str = "m", pair: str = "BTC/USDT:USDT", journal=journal) -> None:
        payload = {
            "trade_id": 1, "opened_ms": 0, "closed_ms": 1, "pair": pair, "side": "long",
            "rate": 1.0, "profit_usdt": -100.0, "profit_frac": -1.0, "reason": "liquidation",
        }  # fmt: skip
        journal.append("trade.closed", actor="supervisor", source="fleet", bot=bot, payload=payload)

    def healthy(bot: str = "m", journal=journal) -> None:
        payload = {
            "unit": bot, "state": "running", "health": "healthy", "was_state": "failed",
            "was_health": "unhealthy", "reason": "trades",
        }  # fmt: skip
        journal.append("bot.healthy", actor="supervisor", source="fleet", bot=bot, payload=payload)

    class Happen:
        pass

    Happen.exited, Happen.liquidated, Happen.healthy = map(
        staticmethod, (exited, liquidated, healthy)
    )
    return Happen
