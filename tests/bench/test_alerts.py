"""How fast an alert is with a person, and what a storm costs. Real journal, real HTTP."""

import asyncio
import random
import re
import time

import pytest

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts.channels.building import build_channels
from automation.alerts.channels.http import new_client
from automation.alerts.receivers import TOKEN, Receivers
from automation.alerts.service import AlertService
from automation.alerts.settings import Settings
from automation.alerts.settingsfile import default_settings, merge
from automation.journal import Journal

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RATE_PER_S, LASTS_S = 1000, 20
LOST = {
    "name": "lost",
    "when": "bench.lost",
    "severity": "emergency",
    "once": True,
    "title": "{{ bot }} {{ number }}",
}
NOISE = {
    "name": "noise",
    "when": {"kind": "bench.noise", "where": {"number": {"below": 0}}},
    "expires": "1h",
    "severity": "low",
    "title": "x",
}


async def serve(journal, settings):
    client = new_client()
    service = AlertService(journal, settings, build_channels(settings, client))
    task = asyncio.create_task(service.run())
    await service.ready()

    async def stop():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.aclose()

    return service, stop


def channels(receivers, monkeypatch, **rest):
    monkeypatch.setenv("TG_TOKEN", TOKEN)
    monkeypatch.setenv("TG_CHAT", "7")
    monkeypatch.setenv("SLACK", "https://hooks.slack.com/services/T0secretB0secret")
    monkeypatch.setenv("DISCORD", "https://discord.com/api/webhooks/1/secretsecret")
    common = {"base_url": receivers.url, **rest}
    return {
        "telegram": {"type": "telegram", "token": "env:TG_TOKEN", "chat": "env:TG_CHAT", **common},
        "slack": {"type": "slack", "webhook": "env:SLACK", **common},
        "discord": {"type": "discord", "webhook": "env:DISCORD", **common},
    }


async def test_from_event_to_channel_at_a_thousand_events_a_second(tmp_path, monkeypatch):
    """1,000 events a second, ten of which are alerts to be told at once."""
    async with Receivers() as receivers:
        only = {"slack": channels(receivers, monkeypatch)["slack"]}
        settings = Settings.model_validate(
            {
                "rules": [LOST, NOISE],
                "channels": only,
                "route": {"group_by": ["rule", "bot"], "group_wait": "0", "group_interval": "1s"},
            }
        )
        with Journal.open(tmp_path / "journal.db") as journal:
            _, stop = await serve(journal, settings)
            happened: dict[str, float] = {}

            def produce():
                started = time.monotonic()
                for number in range(RATE_PER_S * LASTS_S):
                    is_alert = number % 100 == 0
                    bot = f"bot-{number}" if is_alert else f"bot-{number % 300}"
                    if is_alert:
                        happened[bot] = time.monotonic()
                    journal.post(
                        "bench.lost" if is_alert else "bench.noise",
                        actor="bench", source="bench", bot=bot, payload={"number": number},
                    )  # fmt: skip
                    ahead_s = started + number / RATE_PER_S - time.monotonic()
                    if ahead_s > 0.002:
                        time.sleep(ahead_s)

            await asyncio.to_thread(produce)
            async with asyncio.timeout(60):
                while len(receivers.taken) < len(happened):  # noqa: ASYNC110  over HTTP
                    await asyncio.sleep(0.05)
            await stop()
        took_ms = sorted(
            1000 * (one.at_s - happened[re.search(r"bot-\d+", one.text)[0]])
            for one in receivers.taken
        )
    p50, p99 = took_ms[len(took_ms) // 2], took_ms[int(len(took_ms) * 0.99)]
    print(
        f"\nevent to channel at {RATE_PER_S} events/s: {len(took_ms)} alerts,"
        f" p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {took_ms[-1]:.0f} ms"
    )


async def test_a_storm_through_everything(tmp_path, monkeypatch):
    """10,000 alerts in 10 s over 300 bots by the default routes, one emergency among them."""
    rules = [
        {
            "name": f"storm-{number}",
            "when": {"kind": "bench.storm", "where": {"what": number}},
            "expires": "1h",
            "labels": {"number": "number"},
            "severity": ["low", "medium", "high", "critical"][number % 4],
            "title": "{{ bot }} {{ number }}",
        }
        for number in range(16)
    ]
    source = random.Random(5)
    async with Receivers() as receivers:
        own = Settings.model_validate(
            {"rules": [*rules, LOST], "channels": channels(receivers, monkeypatch)}
        )
        settings = merge(default_settings(), own, is_routed=False)
        with Journal.open(tmp_path / "journal.db") as journal:
            service, stop = await serve(journal, settings)
            cpu_s, started = time.process_time(), time.monotonic()
            told_at_s: list[float] = []

            def produce():
                for number in range(10_000):
                    if number == 6_000:
                        told_at_s.append(time.monotonic())
                        journal.post(
                            "bench.lost", actor="b", source="b", bot="bot-7",
                            payload={"number": number},
                        )  # fmt: skip
                    else:
                        journal.post(
                            "bench.storm", actor="b", source="b", bot=f"bot-{number % 300}",
                            payload={"what": source.randrange(16), "number": number},
                        )  # fmt: skip
                    ahead_s = started + number / 1000 - time.monotonic()
                    if ahead_s > 0.002:
                        time.sleep(ahead_s)

            await asyncio.to_thread(produce)
            fed_s = time.monotonic() - started
            await asyncio.sleep(170)
            cpu_s = time.process_time() - cpu_s
            firing = sum(alert.status == "firing" for alert in service.state.alerts.values())
            await stop()
    counts = {name: len(receivers.of(name)) for name in ("telegram", "slack", "discord")}
    first = receivers.of("telegram")[0]
    print(
        f"\nstorm: 10,000 alerts in {fed_s:.1f} s, {firing} firing, messages {counts},"
        f" emergency with Telegram after {1000 * (first.at_s - told_at_s[0]):.0f} ms,"
        f" {cpu_s:.1f} s of CPU"
    )
    assert max(counts.values()) <= 5
    for name in counts:
        assert "bot-7 6000" in receivers.of(name)[0].text.replace("\\", "")
