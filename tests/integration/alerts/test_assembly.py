"""From a file to a message with a button, with everything that `app` runs."""

import asyncio
from datetime import UTC, datetime

import pytest

import automation.fleet.kinds  # noqa: F401  the events of the fleet
from automation.alerts.assembly import serve_alerts
from automation.alerts.receivers import TOKEN
from automation.alerts.settingsfile import load_settings
from automation.core.errors import ConfigError
from automation.core.model import FleetStatus

FILE = """
channels:
  telegram:
    {{type: telegram, token: "env:TG_TOKEN", chat: "env:TG_CHAT", locale: ko, base_url: "{url}"}}
commands: {{channel: telegram, chats: {{7: operator}}}}
heartbeat: {{url: "env:BEAT", every: 1s}}
"""


class Fleet:
    async def status(self):
        return FleetStatus(fleet="demo", healthy=True, bots=(), taken_at=datetime.now(UTC))

    async def ask(self, bot, action, actor):
        return f"{bot}: {action}"

    async def panic(self, actor, *, flatten):
        return "stopped"


@pytest.fixture
def path(tmp_path, receivers, monkeypatch):
    for name, value in (("TG_TOKEN", TOKEN), ("TG_CHAT", "7"), ("BEAT", f"{receivers.url}/beat")):
        monkeypatch.setenv(name, value)
    path = tmp_path / "alerts.yaml"
    path.write_text(FILE.format(url=receivers.url))
    return path


async def test_a_file_is_all_it_takes(path, journal, receivers, until, happen):
    started = asyncio.Event()
    serving = asyncio.create_task(
        serve_alerts(journal, load_settings(path), Fleet(), started=started)
    )
    await asyncio.wait_for(started.wait(), 30)
    happen.liquidated("m")
    await until(lambda: receivers.taken)
    assert "강제 청산" in receivers.texts[0]
    receivers.type_in("/fleet")
    await until(lambda: len(receivers.taken) == 2)
    await until(lambda: receivers.beats)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    kinds = {event.kind for event in journal.read()}
    assert {"alert.fired", "alert.told", "alert.delivered", "telegram.asked"} <= kinds
    assert journal.verify().is_whole


async def test_without_a_channel_alerts_are_raised_and_told_nobody(journal, until, happen):
    started = asyncio.Event()
    serving = asyncio.create_task(serve_alerts(journal, load_settings(None), started=started))
    await asyncio.wait_for(started.wait(), 30)
    happen.liquidated("m")
    await until(lambda: journal.search(kind="alert.fired"))
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert not journal.search(kind="alert.told")


def test_the_shipped_file_is_sound_and_tells_nobody(root):
    assert load_settings(root / "configs" / "alerts.yaml").channels == {}


def test_the_shipped_example_is_sound_once_it_is_uncommented(root, tmp_path, monkeypatch):
    for name in ("TOKEN", "CHAT"):
        monkeypatch.setenv(f"FREQFLEET_TELEGRAM_{name}", "1")
    text = (root / "configs" / "alerts.yaml").read_text(encoding="utf-8")
    example = text[text.index("# channels:") :].replace("\n# ", "\n").replace("\n#\n", "\n\n")
    path = tmp_path / "alerts.yaml"
    path.write_text(example.removeprefix("# "))
    assert set(load_settings(path).channels) == {"telegram"}


def test_the_how_tos_files_are_sound(root, tmp_path, monkeypatch):
    names = ("TELEGRAM_TOKEN", "TELEGRAM_CHAT", "MAIL", "SMS", "HEARTBEAT")
    for name in names:
        monkeypatch.setenv(f"FREQFLEET_{name}", "1")
    page = (root / "docs" / "how-to" / "telegram-alerts.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in page.split("```yaml\n")[1:]]
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        assert load_settings(path).channels


async def test_a_missing_secret_ends_it_with_a_sentence(path, journal, monkeypatch):
    settings = load_settings(path)
    monkeypatch.delenv("TG_TOKEN")
    with pytest.raises(ConfigError, match=r"channels\.telegram\.token.*TG_TOKEN"):
        await serve_alerts(journal, settings)
