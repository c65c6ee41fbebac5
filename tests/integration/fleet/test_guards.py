"""Guards over real (fake-strategy) bots: what stops them, what survives, and who lets them go on."""

import asyncio
import time

import orjson

from automation.core.config import Fleet
from automation.core.model import BotState, Health

CAPITAL = 1000.0


def equity(flight, value, peak=CAPITAL, bot="bot-a"):
    """Tell equity as the lookout does."""
    facts = {
        "equity_usdt": value, "peak_usdt": peak, "drawdown_frac": round(1 - value / peak, 6),
        "day": "2026-01-01", "day_start_usdt": CAPITAL, "day_frac": value / CAPITAL - 1,
        "capital_usdt": CAPITAL, "closed_trades": 0,
    }  # fmt: skip
    flight.journal.append("equity.observed", actor="s", source="fleet", bot=bot, payload=facts)


def trade(flight, profit, bot="bot-a"):
    facts = {
        "trade_id": time.monotonic_ns() % 10**9, "opened_ms": 1, "closed_ms": time.time_ns() // 10**6,
        "pair": "BTC/USDT:USDT", "side": "long", "rate": 1.0, "profit_usdt": profit,
        "profit_frac": profit / 100, "reason": "x",
    }  # fmt: skip
    flight.journal.append("trade.closed", actor="s", source="fleet", bot=bot, payload=facts)


def fleet_of(flight, guards=None, whole=None, bots=1):
    fleet = flight.fleet(*["FakeStrategy"] * bots)
    raw = orjson.loads(fleet.model_dump_json(exclude_unset=True))
    for bot in raw["bots"]:
        bot["guards"] = guards or {}
    return Fleet.model_validate({**raw, "guards": whole or {}})


def states(status):
    return [bot.state for bot in status.bots]


async def ask(supervisor, flight, bot, action):
    from automation.fleet.control import ask_supervisor
    from automation.fleet.home import Home
    from automation.fleet.lock import find_supervisor

    del supervisor
    holder = find_supervisor(Home(flight.home))
    asked = {"do": action, "bot": bot, "actor": "ann"}
    return await asyncio.to_thread(ask_supervisor, holder, asked, 30.0)


async def test_a_drawdown_pauses_survives_restarts_and_waits_for_a_person(flight):
    fleet = fleet_of(flight)
    first = flight.supervisor(fleet)
    task = asyncio.create_task(first.run(handle_signals=False))
    await flight.until_healthy(first)
    equity(flight, 851.0)
    await asyncio.sleep(1.0)
    assert states(first.status()) == [BotState.RUNNING]
    equity(flight, 849.0)
    status = await flight.until(first, lambda s: states(s) == [BotState.PAUSED])
    assert "15.1% below its peak" in status.bots[0].holds[0]
    (shown,) = [g for g in status.bots[0].guards if g.guard == "drawdown"]
    assert (shown.tripped, shown.limit, shown.until) == (True, 0.15, None)
    equity(flight, 1000.0)  # a gain alone lets nobody go on
    await flight.lose(first, task)

    second = flight.supervisor(fleet)
    task = asyncio.create_task(second.run(handle_signals=False))
    pid = (await flight.until(second, lambda s: s.bots[0].pid is not None)).bots[0].pid
    await ask(second, flight, "bot-a", "restart")
    await flight.until(
        second, lambda s: s.bots[0].pid not in (None, pid) and states(s) == [BotState.PAUSED]
    )
    config = orjson.loads((flight.home / "bots" / "bot-a" / "config.json").read_bytes())
    assert config["initial_state"] == "paused"
    assert len(flight.events("guard.tripped")) == 1

    await ask(second, flight, "bot-a", "resume")
    await flight.until(second, lambda s: s.healthy and states(s) == [BotState.RUNNING])
    equity(flight, 860.0)  # counted from 1000, where it was resumed
    await asyncio.sleep(1.0)
    assert states(second.status()) == [BotState.RUNNING]
    await flight.lose(second, task)

    async with flight.up(fleet) as third:  # it knows from the journal that a person resumed
        await flight.until_healthy(third)
        await asyncio.sleep(1.5)
        assert states(third.status()) == [BotState.RUNNING]
        assert len(flight.events("guard.tripped")) == 1


async def test_a_losing_streak_pauses_for_its_time_and_is_released_by_itself(flight):
    fleet = fleet_of(flight, {"losing_streak": 3, "pause_h": 0.001})
    async with flight.up(fleet) as supervisor:
        await flight.until_healthy(supervisor)
        for _ in range(3):
            trade(flight, -1.0)
        status = await flight.until(supervisor, lambda s: states(s) == [BotState.PAUSED])
        assert status.bots[0].health is Health.DEGRADED
        await flight.until(supervisor, lambda s: s.healthy and states(s) == [BotState.RUNNING])
        (cleared,) = flight.events("guard.cleared")
        assert cleared.payload["guard"] == "losing streak"
        trade(flight, -1.0)  # counts anew
        await asyncio.sleep(1.0)
        assert states(supervisor.status()) == [BotState.RUNNING]


async def test_the_fleets_drawdown_stops_every_bot_and_each_is_resumed_by_hand(flight):
    fleet = fleet_of(flight, whole={"drawdown_frac": 0.1}, bots=2)
    async with flight.up(fleet) as supervisor:
        await flight.until_healthy(supervisor)
        equity(flight, 1790.0, peak=2000.0, bot="")
        status = await flight.until(supervisor, lambda s: states(s) == [BotState.PAUSED] * 2)
        assert status.guards[0].tripped
        assert len(flight.events("guard.tripped")) == 1
        await ask(supervisor, flight, "bot-a", "resume")
        await flight.until(supervisor, lambda s: states(s) == [BotState.RUNNING, BotState.PAUSED])
        await asyncio.sleep(1.0)
        assert states(supervisor.status()) == [BotState.RUNNING, BotState.PAUSED]


async def test_from_the_bots_own_answers_to_the_pause(flight):
    """The whole way: what Freqtrade's API says becomes equity, and equity trips the guard."""
    folder = flight.home / "bots" / "bot-a"
    folder.mkdir(parents=True)
    (folder / "trades.simulator.dry-run.fake.json").write_text('{"profit_usdt": -160.0}')
    async with flight.up(fleet_of(flight)) as supervisor:
        status = await flight.until(supervisor, lambda s: states(s) == [BotState.PAUSED])
        assert "840.00 USDT is 16.0% below its peak" in status.bots[0].holds[0]
    assert flight.events("guard.tripped", bot="bot-a")
