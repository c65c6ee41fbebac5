"""Alertmanager as peer: the same alerts, the same groups, the same times.

The real program runs in real time, our core in moved time, both on one schedule. Where we differ on
purpose stands in docs/reference/alerts.md.
"""

import asyncio
import random
import shutil
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml
from aiohttp import web

from automation.alerts import core
from automation.alerts.policy import Policy
from automation.alerts.settings import Settings
from automation.alerts.state import State

WAIT_S, INTERVAL_S, REPEAT_S, LASTS_S = 2, 4, 10, 30
TOLERANCE_S = 0.9
S = 1_000_000
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        PROGRAM is None, reason="Alertmanager is missing: apt-get install prometheus-alertmanager"
    ),
]


@dataclass(frozen=True)
class Change:
    """An alert begins or ends, so many seconds after the start."""

    at_s: float
    rule: str
    bot: str
    fires: bool


@dataclass(frozen=True)
class Said:
    """One message about one group."""

    at_s: float
    rule: str
    firing: frozenset[str]
    ended: frozenset[str]


def schedule(seed: int) -> list[Change]:
    """Make up a history: two rules that come and go, one that a third one inhibits."""
    source = random.Random(seed)
    changes = []
    for phase, rule in ((0.0, "down"), (0.3, "stale")):
        # The first alert of a group sets its beat and stays; the others come between the beats.
        changes.append(Change(phase, rule, "anchor", True))
        for bot in "abcd":
            at_s, fires = phase + 0.5 + source.randrange(0, 6), True
            while at_s < LASTS_S - 8:
                changes.append(Change(at_s, rule, bot, fires))
                # Longer than a beat: what comes and goes in between, Alertmanager tells as over
                # and we do not tell at all.
                at_s, fires = at_s + source.randrange(INTERVAL_S + 1, 12), not fires
    changes += [Change(0.6, "late", bot, True) for bot in "ab"]
    changes.append(Change(0.6, "late", "anchor", True))
    changes.append(Change(0.4, "exchange", "a", True))
    changes.append(Change(0.4, "exchange", "anchor", False))
    changes.append(Change(source.randrange(5, 15) + 0.1, "exchange", "a", False))
    return sorted(changes, key=lambda change: change.at_s)


class Peer:
    """Alertmanager on free ports, and the webhook that it calls."""

    def __init__(self, folder):
        self._folder = folder
        self.calls: list[tuple[float, dict[str, Any]]] = []

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        hook = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        route = {
            "receiver": "hook", "group_by": ["rule"], "group_wait": f"{WAIT_S}s",
            "group_interval": f"{INTERVAL_S}s", "repeat_interval": f"{REPEAT_S}s",
        }  # fmt: skip
        config = {
            "route": route,
            "receivers": [
                {"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}
            ],
            "inhibit_rules": [
                {
                    "source_matchers": ['rule="exchange"'],
                    "target_matchers": ['rule="late"'],
                    "equal": ["bot"],
                }
            ],
        }
        path = self._folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(config))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM, f"--config.file={path}", f"--storage.path={self._folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await self._ready()
        return self

    async def __aexit__(self, *_):
        self._process.terminate()
        await self._process.wait()
        await self._runner.cleanup()

    async def _hook(self, request):
        self.calls.append((time.time(), await request.json()))
        return web.Response()

    async def _ready(self):
        async with asyncio.timeout(20), httpx.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(f"{self.url}/-/ready")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    async def live(self, changes: list[Change]) -> list[Said]:
        """Feed a history in real time and give what was said."""
        started = time.time()
        begun: dict[tuple[str, str], datetime] = {}
        async with httpx.AsyncClient() as client:
            for change in changes:
                await asyncio.sleep(max(0.0, started + change.at_s - time.time()))
                now = datetime.now(UTC)
                who = (change.rule, change.bot)
                if change.fires:
                    begun[who] = now
                elif who not in begun:
                    continue
                alert = {
                    "labels": {"rule": change.rule, "bot": change.bot},
                    "startsAt": begun[who].isoformat(),
                    "endsAt": (now + timedelta(hours=1) if change.fires else now).isoformat(),
                }
                answer = await client.post(f"{self.url}/api/v2/alerts", json=[alert])
                assert answer.status_code == 200, answer.text
            await asyncio.sleep(max(0.0, started + LASTS_S - time.time()))
        return [_said(at - started, call) for at, call in self.calls]


def _said(at_s: float, call: dict[str, Any]) -> Said:
    bots: dict[str, set[str]] = {"firing": set(), "resolved": set()}
    for alert in call["alerts"]:
        bots[alert["status"]].add(alert["labels"]["bot"])
    rule = call["groupLabels"]["rule"]
    return Said(at_s, rule, frozenset(bots["firing"]), frozenset(bots["resolved"]))


@dataclass(frozen=True)
class Happening:
    sequence: int
    time_us: int
    kind: str
    bot: str
    payload: dict[str, Any] = field(default_factory=dict)
    actor: str = ""
    address: str = ""
    source: str = "test"
    cause: int | None = None


def ours(changes: list[Change]) -> list[Said]:
    """Live the same history on our core."""
    names = ("down", "stale", "late", "exchange")
    rules = [
        {"name": n, "when": f"{n}.on", "until": f"{n}.off", "severity": "high", "title": "x"}
        for n in names
    ]
    settings = Settings.model_validate(
        {
            "rules": rules,
            "channels": {
                "hook": {
                    "type": "slack",
                    "webhook": "env:X",
                    "limit": {"messages": 1000, "per": "1s"},
                }
            },
            "route": {
                "group_by": "rule", "group_wait": f"{WAIT_S}s",
                "group_interval": f"{INTERVAL_S}s", "repeat_interval": f"{REPEAT_S}s",
            },
            "inhibit": [
                {"when": {"rule": "exchange"}, "mutes": {"rule": "late"}, "equal": "bot"}
            ],
        }
    )  # fmt: skip
    policy, state, said, now_us = Policy(settings), State(), [], 0

    def take(events=()):
        nonlocal state
        step = core.advance(policy, state, events, now_us=now_us)
        state = step.state
        for one in step.notifications:
            firing = frozenset(line.bot for line in one.firing)
            ended = frozenset(line.bot for line in one.ended)
            rule = one.heaps[0].title.removeprefix("rule=")
            said.append(Said(now_us / S, rule, firing, ended))

    for number, change in enumerate([*changes, None], 1):
        until_us = round((change.at_s if change else LASTS_S) * S)
        while (due_us := core.next_us(policy, state, now_us=now_us)) <= until_us:
            now_us = max(due_us, now_us + 1)
            take()
        now_us = until_us
        if change is not None:
            kind = f"{change.rule}.{'on' if change.fires else 'off'}"
            take([Happening(number, now_us, kind, change.bot)])
    return said


def by_rule(said: list[Said]) -> dict[str, list[Said]]:
    groups: dict[str, list[Said]] = {}
    for one in sorted(said, key=lambda one: one.at_s):
        groups.setdefault(one.rule, []).append(one)
    return groups


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_same_alerts_make_the_same_groups_at_the_same_times(tmp_path, seed):
    changes = schedule(seed)
    async with Peer(tmp_path) as peer:
        theirs = by_rule(await peer.live(changes))
    mine = by_rule(ours(changes))
    assert sum(map(len, mine.values())) >= 8
    assert set(mine) == set(theirs)
    for rule, said in mine.items():
        told = [(one.firing, one.ended) for one in said]
        expected = [(one.firing, one.ended) for one in theirs[rule]]
        # The last beat may lie behind the end for one of the two.
        most = min(len(told), len(expected))
        assert abs(len(told) - len(expected)) <= 1
        assert told[:most] == expected[:most], rule
        for one, other in zip(said, theirs[rule], strict=False):
            assert abs(one.at_s - other.at_s) <= TOLERANCE_S, (rule, one, other)
