"""What a supervised bot may do after a restart: its trades are compared, its entries held."""

import asyncio
import json
import os
import signal
from contextlib import suppress

import pytest

from automation.core.model import BotState, Health, Hold
from automation.core.vitals import Rung
from automation.fleet.home import Home
from automation.fleet.operator import Operator
from automation.fleet.remedies.memory import write_holds
from automation.testing import fake_trade

LOG = "2026-01-01 00:00:00,000 - freqtrade.worker - {} - {}\n"


def bot_of(status):
    return status.bots[0]


def put(flight, **facts) -> None:
    """Lay down what the bot's next process answers."""
    folder = flight.home / "bots" / "bot-a"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trades.simulator.dry-run.fake.json").write_text(json.dumps(facts))


def told(flight, text, level="ERROR", times=1) -> None:
    """Have the bot's log say something."""
    log = flight.home / "bots" / "bot-a" / "logs" / "freqtrade.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(LOG.format(level, text) * times)


async def ask(supervisor, action):
    save, wake = supervisor._save_wishes, supervisor._wake.set
    units, chronicle = supervisor._units, supervisor._chronicle
    return await Operator(units, chronicle, wake, save, supervisor.home).ask("bot-a", action, "me")


async def kill_and_wait(flight, fleet, holds):
    before = bot_of(await flight.until_healthy(fleet)).pid
    # What is open must have been seen and written down before the end.
    path = flight.home / "bots" / "bot-a" / "account.json"
    for _ in range(200):
        if path.exists():
            break
        await asyncio.sleep(0.05)
    os.kill(before, signal.SIGKILL)
    return await flight.until(
        fleet, lambda s: bot_of(s).pid not in (None, before) and holds(bot_of(s))
    )


def wanted_state(flight) -> str:
    config = flight.home / "bots" / "bot-a" / "config.json"
    return json.loads(config.read_text())["initial_state"]


async def test_a_bot_with_the_trades_of_before_is_released_by_itself(flight):
    put(flight, open_trades=[fake_trade(1), fake_trade(2)])
    async with flight.up() as fleet:
        await kill_and_wait(flight, fleet, lambda bot: bot.health is Health.HEALTHY)
        assert wanted_state(flight) == "paused"  # nothing is entered before they were compared
        status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.RUNNING)
        assert bot_of(status).holds == ()
    assert len(flight.events("bot.held")) == 1
    (agree,) = flight.events("bot.trades_agree")
    assert agree.payload["trades"] == 2
    kinds = [e.payload["action"] for e in flight.events("action.decided", bot="bot-a")]
    assert "release" in kinds


async def test_a_trade_that_was_closed_meanwhile_is_no_difference(flight):
    put(flight, open_trades=[fake_trade(1), fake_trade(2)])
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        put(flight, open_trades=[fake_trade(2)], closed_trades=[fake_trade(1, closed=True)])
        await kill_and_wait(flight, fleet, lambda bot: bot.health is Health.HEALTHY)
    assert flight.events("bot.trades_agree")


async def test_a_bot_that_lost_a_trade_enters_none_until_a_person_says_so(flight):
    put(flight, open_trades=[fake_trade(1), fake_trade(2, pair="ETH/USDT:USDT")])
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        put(flight, open_trades=[fake_trade(1)])
        status = await kill_and_wait(
            flight, fleet, lambda bot: any("it lost" in hold for hold in bot.holds)
        )
        bot = bot_of(status)
        assert bot.state is BotState.PAUSED
        assert "ETH/USDT:USDT" in bot.holds[0]
        assert "freqfleet bot resume bot-a" in bot.holds[0]
        await asyncio.sleep(1.0)
        assert bot_of(fleet.status()).state is BotState.PAUSED
        assert not fleet.status().healthy
        await ask(fleet, "resume")
        after = await flight.until_healthy(fleet)
        assert bot_of(after).state is BotState.RUNNING
        assert bot_of(after).holds == ()
    assert flight.events("bot.trades_differ")


async def test_a_comparison_that_the_supervisor_died_before_is_taken_up_by_the_next(flight):
    put(flight, open_trades=[fake_trade(1)])
    supervisor = flight.supervisor()
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    await flight.until_healthy(supervisor)
    await kill_and_wait(flight, supervisor, lambda bot: bot.health is Health.HEALTHY)
    await flight.until(supervisor, lambda s: bot_of(s).holds == ())
    await flight.lose(supervisor, task)
    # As it stands between the bot's start and its first loop.
    hold = Hold("trades", "its 1 open trades are not confirmed yet", needs_person=False)
    write_holds(Home(flight.home), "bot-a", [hold], "")
    async with flight.up() as successor:
        await flight.until(successor, lambda _: len(flight.events("bot.trades_agree")) > 1)
        status = await flight.until(
            successor, lambda s: bot_of(s).holds == () and bot_of(s).state is BotState.RUNNING
        )
        assert bot_of(status).health is Health.HEALTHY


async def test_a_hold_that_needs_a_person_outlives_the_supervisor(flight):
    put(flight, open_trades=[fake_trade(1)])
    supervisor = flight.supervisor()
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    await flight.until_healthy(supervisor)
    put(flight, open_trades=[])
    await kill_and_wait(flight, supervisor, lambda bot: any("it lost" in h for h in bot.holds))
    await flight.lose(supervisor, task)
    async with flight.up() as successor:
        status = await flight.until(successor, lambda s: bot_of(s).state is BotState.PAUSED)
        assert "it lost" in bot_of(status).holds[0]
        await asyncio.sleep(1.0)
        assert bot_of(successor.status()).state is BotState.PAUSED


async def test_a_database_that_refuses_stops_the_entries_and_then_the_bot(flight):
    async with flight.up() as fleet:
        before = bot_of(await flight.until_healthy(fleet)).pid
        told(flight, "sqlite3.OperationalError: database is locked", times=3)
        status = await flight.until(fleet, lambda s: bot_of(s).failing is Rung.DATABASE)
        assert "database is locked" in bot_of(status).reason
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.PAUSED)
        assert bot_of(fleet.status()).pid == before
    (held,) = flight.events("bot.held")
    assert held.payload["cause"] == "database"


async def test_a_bot_that_is_banned_is_left_alone_and_nobody_is_started(flight):
    async with flight.up(flight.fleet("FakeStrategy", "FakeStrategy")) as fleet:
        before = await flight.until_healthy(fleet)
        told(flight, "binance 418 I'm a teapot: banned until 1700000000000", "WARNING")
        status = await flight.until(fleet, lambda s: s.dependencies)
        assert "exchange" in status.dependencies
        other = before.bots[1]
        os.kill(other.pid, signal.SIGKILL)
        dead = await flight.until(fleet, lambda s: s.bots[1].pid is None)
        await asyncio.sleep(1.5)
        dead = fleet.status()
        assert dead.bots[1].pid is None
        assert "waits for the exchange" in dead.bots[1].reason
        assert dead.bots[0].pid == before.bots[0].pid
    assert flight.events("dependency.fails")


async def test_a_bot_that_dies_too_often_is_quarantined_and_tried_again_by_a_person(flight):
    async with flight.up(flight.fleet("DiesAtStart")) as fleet:
        status = await flight.until(
            fleet, lambda s: bot_of(s).state is BotState.QUARANTINED, within_s=60
        )
        assert "failed 8 times in a row" in bot_of(status).reason
        assert "freqfleet bot start bot-a" in bot_of(status).reason
        tries = len(flight.events("bot.started"))
        await asyncio.sleep(2.0)
        assert len(flight.events("bot.started")) == tries
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ask(fleet, "start"), 2)
        await flight.until(fleet, lambda s: bot_of(s).state is not BotState.QUARANTINED)
    assert len(flight.events("bot.quarantined")) == 1


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
async def test_what_a_strategy_prints_is_no_illness(flight, level):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        words = "a strategy's own line" if level == "WARNING" else "database is locked"
        told(flight, words, level, times=5)
        await asyncio.sleep(1.0)
        assert fleet.status().healthy


async def test_a_drained_bot_stops_once_its_trades_are_closed(flight):
    put(flight, open_trades=[fake_trade(1)])
    async with flight.up() as fleet:
        before = bot_of(await flight.until_healthy(fleet)).pid
        said = await ask(fleet, "drain")
        assert "stops once its 1 are closed" in said
        status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.DRAINING)
        assert bot_of(status).health is Health.HEALTHY
        # It stays drained through a crash, and then has no trade left.
        put(flight, open_trades=[], closed_trades=[fake_trade(1, closed=True)])
        os.kill(before, signal.SIGKILL)
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.STOPPED)
        assert wanted_state(flight) == "paused"
        await asyncio.sleep(0.5)
        assert bot_of(fleet.status()).pid is None
    assert json.loads((flight.home / "wishes.json").read_text()) == {}


async def test_a_drained_bot_can_be_resumed(flight):
    put(flight, open_trades=[fake_trade(1)])
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        await ask(fleet, "drain")
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.DRAINING)
        await ask(fleet, "resume")
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.RUNNING)
