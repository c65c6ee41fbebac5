"""A bot that answers and loops on while its candles stand still: mended at the next check."""

import asyncio
import os
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from automation.core.clock import SystemClock
from automation.core.model import Health, ProcessFacts
from automation.fleet.credentials import ensure_access
from automation.fleet.home import Home
from automation.fleet.identity import identify
from automation.fleet.ports import find_free
from automation.testing import FakeBotApi, FakeRunner

POLL_S, CANDLE_S = 1.5, 300
CHECK, MENDED = "GET pair_candles", "POST reload_config"


@asynccontextmanager
async def flown(flight, bot):
    """Supervise a bot that is up already and whose answers the test changes while it serves."""
    flight.timing = replace(
        flight.timing, poll_s=POLL_S, eager_poll_s=POLL_S, slow_s=15.0, silent_s=20.0, hung_s=30.0
    )
    access = ensure_access(Home(flight.home).unit("bot-a"), find_free())
    bot.username, bot.password, bot.ws_token = access.username, access.password, access.ws_token
    runner = FakeRunner(SystemClock())
    runner.units["bot-a"] = ProcessFacts(identify(os.getpid()), True, since_s=time.monotonic())
    fleet = flight.fleet(venue="binance", api_port=access.port)
    async with bot.serve(access.port):
        supervisor = flight.supervisor(fleet, runner=runner)
        task = asyncio.create_task(supervisor.run(handle_signals=False))
        try:
            yield supervisor
        finally:
            supervisor.go_down("the test is over")
            await asyncio.wait_for(task, 30)


async def checks_until(bot, holds, within_s=20.0):
    async with asyncio.timeout(within_s):
        while not holds(bot.asked):  # noqa: ASYNC110  the bot answers in this loop
            await asyncio.sleep(0.01)
    return bot.asked


@pytest.fixture
def bot():
    return FakeBotApi(timeframe_s=CANDLE_S)


async def test_candles_three_candles_late_are_mended_at_the_next_check(flight, bot):
    async with flown(flight, bot) as fleet:
        await flight.until_healthy(fleet)
        # How old a last candle may be: three, what it takes to arrive, and a round of one pair.
        limit_s = 3 * CANDLE_S + flight.timing.candle_grace_s + POLL_S
        bot.candle_age_s = limit_s - CANDLE_S - 30  # it closed up to a candle before that
        bot.asked.clear()
        await checks_until(bot, lambda asked: asked.count(CHECK) >= 3)
        assert MENDED not in bot.asked
        assert fleet.status().healthy

        bot.candle_age_s = limit_s + 1
        bot.asked.clear()
        asked = await checks_until(bot, lambda asked: MENDED in asked)
        assert asked[: asked.index(MENDED)].count(CHECK) == 1
        await flight.until(fleet, lambda s: s.bots[0].health is Health.DEGRADED)
    (decided,) = [e for e in flight.events("action.decided") if e.payload["action"] == "reload"]
    assert decided.payload["reason"].startswith("candles: its last candle of BTC/USDT:USDT")
