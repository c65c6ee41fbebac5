"""Every default rule, from the real source of its events to a message at a receiver.

The durations that rules wait (`for`) are made short; nothing else of them is changed.
"""

import asyncio
import os
import signal
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from automation.alerts.settingsfile import all_default_rules
from automation.app import outcomes
from automation.core.config import Fleet
from automation.core.model import FleetSnapshot
from automation.fleet import commands
from automation.fleet.home import Home
from automation.fleet.live import confirm_live
from automation.gates.verdicts import Check, GateReport, Status, StrategyReport
from automation.journal import Journal
from automation.journal.checkpoints import Notary, SigningKey
from automation.journal.consumers import Consumer, Pace
from automation.testing import fake_trade
from tests.integration.fleet.conftest import flight  # noqa: F401  a fixture
from tests.integration.fleet.test_custody import ask, kill_and_wait, put
from tests.integration.fleet.test_guards import equity
from tests.integration.fleet.test_schedule import Made
from tests.integration.fleet.test_succession import guard, pair  # noqa: F401  fixtures
from tests.integration.fleet.watched import watch_bot


class Exchange:
    """An exchange that answers funding rates, says what weight was used, and refuses when told."""

    def __init__(self):
        self.status, self.used, self.rate, self.hangs_up = 200, 10, 0.0001, False
        self.url = ""

    async def answer(self, request):
        if self.hangs_up:
            request.transport.abort()
        if self.status != 200:
            body = {"code": -1003, "msg": "Way too many requests; IP banned until tomorrow."}
            return web.json_response(body, status=self.status, headers={"Retry-After": "120"})
        rows = [{"symbol": "BTCUSDT", "lastFundingRate": f"{self.rate:.8f}"}]
        return web.json_response(rows, headers={"X-MBX-USED-WEIGHT-1M": str(self.used)})

    @asynccontextmanager
    async def serve(self):
        runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
def quick(make_settings):
    """The default rules, with one channel and short waits."""

    def make(**changes):
        rules = [
            rule.model_copy(update={"holds_for": timedelta(seconds=0.2)})
            if rule.holds_for
            else rule
            for rule in all_default_rules().rules
        ]
        plenty = {"limit": {"messages": 1000, "per": "1s"}}
        made = make_settings("slack", tune=plenty, **changes)
        return made.model_copy(update={"rules": tuple(rules)})

    return make


@pytest.fixture
def told(receivers, until):
    """Wait until a message with these words came."""

    async def wait(*words, within_s=40.0):
        try:
            await until(lambda: any(all(w in t for w in words) for t in receivers.texts), within_s)
        except TimeoutError:
            raise AssertionError(f"nobody heard of {words}: {receivers.texts}") from None

    return wait


@pytest.fixture
def stage(flight, quick, serve):  # noqa: F811
    """A bot and an exchange, watched; alerts by the default rules."""

    @asynccontextmanager
    async def begin(**times):
        async with (
            Exchange().serve() as exchange,
            serve(flight.journal, quick()),
            watch_bot(
                flight.journal, flight.home, flight.fleet(), poll_s=0.1, exchange=exchange.url,
                exchange_s=0.1, gauge_s=0.1, **times,
            ) as bot,
        ):  # fmt: skip
            await bot.until(lambda: bot.unit.book is not None)
            yield bot, exchange

    return begin


def position(number=1, **more):
    return fake_trade(number) | {
        "current_rate": 100.0, "liquidation_price": 50.0, "stop_loss_abs": 90.0, "orders": [],
    } | more  # fmt: skip


async def test_trade_opened_and_trade_closed(stage, told):
    async with stage() as (bot, _):
        await bot.opens(1)
        await told("opened long BTC/USDT:USDT")
        await bot.closes(1)
        await told("closed long BTC/USDT:USDT")


async def test_liquidated(stage, told):
    async with stage() as (bot, _):
        bot.api.closed_trades = [fake_trade(1, closed=True) | {"exit_reason": "liquidation"}]
        await told("was liquidated")


async def test_liquidation_near(stage, told):
    async with stage() as (bot, _):
        bot.api.open_trades = [position(current_rate=51.0)]
        await told("from liquidation")
        bot.api.open_trades = [position(current_rate=80.0)]
        await told("Over", "from liquidation")


async def test_funding_spike(stage, told):
    async with stage() as (bot, exchange):
        exchange.rate = 0.0025
        bot.api.open_trades = [position()]
        await told("BTC/USDT:USDT: funding is at 0.25")


async def test_stop_missing(stage, told):
    async with stage(stop_grace_s=0.3) as (bot, _):
        bot.api.stops_on_exchange = True
        bot.api.open_trades = [position()]
        await told("is open without a stop")
        stop = {"order_id": "s", "ft_order_side": "stoploss", "is_open": True}
        bot.api.open_trades = [position(orders=[stop])]
        await told("Over", "without a stop")


async def test_positions_differ(stage, told):
    async with stage(differs_after_s=0.2, detail_s=0.1) as (bot, _):
        bot.api.open_trades = [position()]
        bot.api.positions = {"BTC/USDT:USDT": 0.03}
        await told("the account holds 0.03 of BTC/USDT:USDT, its trades say 0.01")
        bot.api.positions = {"BTC/USDT:USDT": 0.01}
        await told("Over", "the account holds")


async def test_order_stuck(stage, told):
    async with stage(stuck_after_s=60.0) as (bot, _):
        placed_ms = int((datetime.now(UTC) - timedelta(seconds=90)).timestamp() * 1000)
        order = {
            "order_id": "7", "ft_order_side": "buy", "is_open": True, "order_timestamp": placed_ms,
        }  # fmt: skip
        bot.api.open_trades = [position(orders=[order])]
        await told("an order for BTC/USDT:USDT is stuck")


async def test_drawdown_and_daily_loss(stage, told):
    async with stage() as (bot, _):
        await bot.until(lambda: bot.told("equity.observed"))
        bot.api.profit_usdt = -200.0
        await told("below its peak")
        await told("today")


async def test_exchange_down(stage, told):
    async with stage() as (_, exchange):
        exchange.status = 503
        await told("exchange does not answer", "503")
        exchange.status = 200
        await told("Over", "exchange does not answer")


async def test_exchange_banned(stage, told):
    async with stage() as (bot, exchange):
        exchange.status = 418
        await told("banned this address", "IP banned until tomorrow")
        exchange.status = 200
        await bot.until(lambda: bot.told("exchange.up"))


async def test_weight_high(stage, told):
    async with stage() as (_, exchange):
        exchange.used = 2000
        await told("of the request weight is used")


def run(*command):
    return subprocess.run(command, check=False, capture_output=True).returncode


async def test_disk_low(flight, quick, serve, told):  # noqa: F811
    folder = flight.home / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.getuid() != 0 or run(*mount) != 0:
        pytest.skip("only root may mount a small disk")
    try:
        (folder / "ballast").write_bytes(bytes(1_950_000))
        async with (
            serve(flight.journal, quick()),
            watch_bot(flight.journal, folder, flight.fleet(), poll_s=0.1),
        ):
            await told("of the disk is free")
    finally:
        assert run("umount", "-l", str(folder)) == 0


async def test_stale_candles(stage, told):
    async with stage() as (bot, _):
        await bot.until(lambda: bot.unit.api.candle_closed_epoch_s is not None)
        bot.api.candle_age_s = 7200.0
        for _n in range(100):
            await asyncio.sleep(0.1)
            now = datetime.now(UTC)
            now_s = bot.observer.clock.monotonic()
            units = (bot.unit.snapshot(),)
            bot.observer.judge(FleetSnapshot("test", now, now_s, units))
            if bot.told("bot.degraded", "bot.unhealthy"):
                break
        await told("trades on old candles")


async def test_bot_down_and_fleet_down(flight, quick, serve, told):  # noqa: F811
    timing = replace(flight.timing, restart_base_s=30.0, restart_cap_s=60.0)
    flight.timing = timing
    async with serve(flight.journal, quick()):
        async with flight.up() as supervisor:
            status = await flight.until_healthy(supervisor)
            first = status.bots[0].pid
            os.kill(first, signal.SIGKILL)  # the first restart is at once; the second waits
            await flight.until(supervisor, lambda s: s.bots[0].pid not in (None, first))
            await flight.until_healthy(supervisor)
            os.kill(supervisor.status().bots[0].pid, signal.SIGKILL)
            await told("bot-a is down")
        await told("Fleet test is down")


async def test_crash_loop(flight, quick, serve, told):  # noqa: F811
    async with serve(flight.journal, quick()), flight.up(flight.fleet("DiesSoon")):
        await told("crashes again and again", within_s=40)


async def test_bot_unhealthy(flight, quick, serve, told):  # noqa: F811
    flight.timing = replace(flight.timing, hung_s=30.0)
    async with serve(flight.journal, quick()), flight.up() as supervisor:
        status = await flight.until_healthy(supervisor)
        os.kill(status.bots[0].pid, signal.SIGSTOP)
        try:
            await told("bot-a is unhealthy", within_s=40)
        finally:
            os.kill(status.bots[0].pid, signal.SIGCONT)


async def test_exchange_down_when_its_simulator_dies(flight, quick, serve, told):  # noqa: F811
    flight.timing = replace(flight.timing, restart_base_s=30.0, restart_cap_s=60.0)
    async with serve(flight.journal, quick()), flight.up() as supervisor:
        status = await flight.until_healthy(supervisor)
        for _ in range(2):  # the first restart is at once; the second waits
            pid = supervisor.status().simulator.pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(1.5)
        assert status.simulator is not None
        await told("exchange does not answer")


async def test_action_failed(flight, quick, serve, told):  # noqa: F811
    async with serve(flight.journal, quick()):
        home = Home(flight.home).unit("bot-a")
        config = home / "config.json"
        config.mkdir(parents=True)  # what is renamed onto it fails, as on a disk that takes no more
        async with flight.up():
            await told("start failed")


async def test_reload_refused(flight, quick, serve, told):  # noqa: F811
    async with serve(flight.journal, quick()), flight.up() as supervisor:
        await flight.until_healthy(supervisor)
        config = Home(flight.home).unit("bot-a") / "config.json"
        config.unlink()
        config.mkdir()
        asked = asyncio.create_task(
            asyncio.to_thread(commands.bot_action, flight.home, "bot-a", "reload")
        )
        await told("keeps its old configuration")
        await asyncio.gather(asked, return_exceptions=True)


async def test_fleet_live(flight, quick, serve, told, monkeypatch):  # noqa: F811
    monkeypatch.setenv("LIVE_KEY", "the-live-key")
    monkeypatch.setenv("LIVE_SECRET", "the-live-secret")
    account = {"key": "env:LIVE_KEY", "secret": "env:LIVE_SECRET", "capital_usdt": 900}
    bot = {
        "name": "bot-a", "strategy": "FakeStrategy", "mode": "live", "account": "main",
        "capital_usdt": 900,
    }  # fmt: skip
    exchange = {"venue": "binance", "accounts": {"main": account}}
    fleet = Fleet.model_validate({"fleet": "test", "exchange": exchange, "bots": [bot]})
    home, at = Home(flight.home), datetime.now(UTC)
    confirm_live(fleet, home, "trade 900 USDT live", has_live_option=True, at=at)
    async with serve(flight.journal, quick()), flight.up(fleet):
        await told("trade real money")


async def test_bot_quarantined(stage, told):
    """Written by the supervisor when its remedies are at an end."""
    from automation.core.model import BotState, Health
    from automation.fleet import kinds

    async with stage() as (bot, _):
        was = bot.unit.snapshot()
        verdict = replace(
            was.verdict, state=BotState.QUARANTINED, health=Health.UNHEALTHY, reason="it fell again"
        )
        assert kinds.Judged
        bot.observer.hands.chronicle.judge(replace(was, verdict=verdict), was.verdict)
        await told("is in quarantine and waits for you")


async def test_trades_differ(flight, quick, serve, told):  # noqa: F811
    put(flight, open_trades=[fake_trade(1)])
    async with serve(flight.journal, quick()), flight.up() as supervisor:
        await flight.until_healthy(supervisor)
        put(flight, open_trades=[])
        await kill_and_wait(flight, supervisor, lambda bot: any("it lost" in h for h in bot.holds))
        await told("bot-a has other open trades than before its restart")
        await ask(supervisor, "resume")
        await told("Over", "other open trades")


async def test_journal_broken_and_unsigned(flight, quick, serve, told, tmp_path):  # noqa: F811
    import sqlite3

    async with serve(flight.journal, quick()):
        key = SigningKey.create(tmp_path / "keys" / "journal.key")
        for n in range(5):
            flight.journal.append("test.noted", actor="a", source="s", payload={"n": n})
        blocked = tmp_path / "anchor"
        blocked.mkdir()
        await asyncio.to_thread(Notary(flight.journal, key, blocked)._try)
        await told("cannot be signed")
        raw = sqlite3.connect(flight.home / "journal.sqlite")
        raw.execute("DROP TRIGGER events_keep")
        raw.execute("UPDATE events SET actor = 'eve' WHERE sequence = 1")
        raw.commit()
        raw.close()
        notary = Notary(flight.journal, key, tmp_path / "anchor2")
        assert await asyncio.to_thread(notary.checkpoint) is None
        await told("tampered with or is damaged")


async def test_reader_stuck(flight, quick, serve, told):  # noqa: F811
    from automation.core.errors import TransientError

    async def handle(_event):
        raise TransientError("the other side is gone", retry_after_s=0.01)

    pace = Pace(first_pause_s=0.01, longest_pause_s=0.02, stuck_after=3)
    async with serve(flight.journal, quick()):
        flight.journal.append("test.noted", actor="a", source="s")
        reader = Consumer(flight.journal, "forwarder", handle, pace=pace)
        task = asyncio.create_task(reader.run())
        await told("forwarder cannot go on")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_channel_broken(flight, quick, serve, told, make_settings, receivers):  # noqa: F811
    both = make_settings("slack", "telegram")
    settings = quick().model_copy(
        update={
            "channels": {
                "slack": both.channels["slack"],
                "telegram": both.channels["telegram"].model_copy(
                    update={"base_url": "http://127.0.0.1:9"}
                ),
            }
        }
    )
    async with serve(flight.journal, settings):
        for n in range(6):
            flight.journal.append(
                "fleet.down", actor="a", source="fleet", payload={"fleet": f"f{n}", "reason": "r"}
            )
            await asyncio.sleep(0.3)
        await told("do not get through to telegram", within_s=60)


async def test_heartbeat_refused(flight, quick, serve, told, monkeypatch):  # noqa: F811
    import httpx

    from automation.alerts.channel_settings import Heartbeat
    from automation.alerts.heartbeat import HeartbeatSender

    monkeypatch.setenv("BEAT", "http://127.0.0.1:9/beat")
    async with serve(flight.journal, quick()), httpx.AsyncClient() as client:
        heartbeat = Heartbeat.model_validate({"url": "env:BEAT", "every": "1s"})
        assert not await HeartbeatSender(flight.journal, heartbeat, client, lambda: True).beat()
        await told("sign of life is not taken")


async def test_gate_failed_and_tuning_done(flight, quick, serve, told, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FREQFLEET_HOME", str(flight.home))
    assert Home(flight.home).journal.exists()
    async with serve(flight.journal, quick()):
        failed = Check("truncation", Status.FAIL, "row 7 changes when the future is cut off")
        report = GateReport(
            (StrategyReport("BadStrategy", "strategies/BadStrategy.py", (failed,)),),
            "sha256:0", "20250101-20250630", (), (), "", {},
        )  # fmt: skip
        await asyncio.to_thread(outcomes.tell_gate, report)
        await told("gate refused BadStrategy", "row 7")
        done = outcomes.TuningDone(strategy="S", study="s", trials=9, took_s=1.0, best="loss 1.2")
        await asyncio.to_thread(outcomes.tell_tuning, done)
        await told("Tuning of S is done")


async def test_guard_tripped(flight, quick, serve, told):  # noqa: F811
    async with serve(flight.journal, quick()), flight.up() as supervisor:
        await flight.until_healthy(supervisor)
        equity(flight, 840.0)
        await told("bot-a: the drawdown guard has stopped entries", "16.0% below its peak")


async def test_schedule_failed(flight, quick, serve, told):  # noqa: F811
    made = Made(flight.home, flight.journal)
    async with serve(flight.journal, quick()), made.keeping("fail"):
        made.minute()
        await told("The scheduled e failed")


async def test_fleet_taken_over(flight, quick, serve, told, pair):  # noqa: F811
    first, _ = pair
    async with serve(flight.journal, quick()):
        first.kill()
        await told("Another supervisor has taken fleet test over", f"{first.pid} has died")


def test_every_default_rule_has_a_test_here():
    """By name: the rule's in a test's."""
    tests = "\n".join(name for name in globals() if name.startswith("test_"))
    missing = [
        rule.name
        for rule in all_default_rules().rules
        if rule.name.replace("-", "_") not in tests
        and rule.name.rpartition("-")[2] not in tests.split("_and_", 1)[-1]
    ]
    assert missing == []


def test_no_default_rule_sleeps():
    from automation.alerts.lint import is_asleep
    from automation.journal import KINDS

    known = [kind.name for kind in KINDS]
    assert [rule.name for rule in all_default_rules().rules if is_asleep(rule, known)] == []
    assert isinstance(Journal, type)
