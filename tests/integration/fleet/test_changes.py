"""Changed strategies and fleet files while bots run: rehearsed, applied in their time, or refused."""

import asyncio
import os
import signal
from dataclasses import replace

import orjson
import pytest

from automation.core.config import Fleet, ScheduledCommand
from automation.core.errors import ConfigError, PermanentError, Refusal
from automation.core.model import Health
from automation.fleet import commands
from automation.fleet.lifecycle import changes, kept
from automation.fleet.lifecycle.rolling import Pace, roll
from automation.fleet.supervisor import Supervisor, Surroundings

GOOD = "class FakeStrategy(IStrategy):\n    version = {}\n"


class Stage:
    """A fleet whose rehearsals answer as told, asked through the real socket."""

    def __init__(self, flight, fleet):
        self.flight, self.rehearsed, self.verdict = flight, [], None
        self.applied = []
        around = Surroundings(
            root=flight.root,
            python=flight.python,
            timing=flight.timing,
            rehearse=self._rehearse,
            applied=lambda fleet, who: self.applied.append((fleet, who)),
        )
        self.supervisor = Supervisor(fleet, flight.home, flight.journal, around)

    async def _rehearse(self, asked):
        self.rehearsed.append((asked.bot.name, (asked.strategies / "Fakes.py").read_text()))
        await asyncio.sleep(0.2)
        return self.verdict

    def change(self, text):
        (self.flight.root / "strategies" / "Fakes.py").write_text(text)

    def runs(self, bot="bot-a"):
        folder = kept.accepted(self.supervisor.home, bot)
        return (folder / "strategies" / "Fakes.py").read_text()

    async def ask(self, bot, action):
        return await asyncio.to_thread(commands.bot_action, self.flight.home, bot, action)

    async def propose(self, fleet):
        return await asyncio.to_thread(commands.propose_fleet, self.flight.home, fleet)

    async def apply(self, fleet, *, is_agreed=False):
        return await asyncio.to_thread(
            commands.apply_fleet, self.flight.home, fleet, is_agreed=is_agreed
        )


@pytest.fixture
async def stage(flight):
    made = Stage(flight, flight.fleet("FakeStrategy", "FakeStrategy"))
    task = asyncio.create_task(made.supervisor.run(handle_signals=False))
    await flight.until_healthy(made.supervisor)
    yield made
    made.supervisor.go_down("the test is over")
    await asyncio.wait_for(task, 30)


async def test_a_changed_strategy_is_rehearsed_and_then_run(stage, flight):
    stage.change(GOOD.format(2))
    said = await stage.ask("bot-a", "reload")
    assert "reloads" in said
    assert stage.rehearsed == [("bot-a", GOOD.format(2))]
    assert stage.runs() == GOOD.format(2)
    assert stage.runs("bot-b") != GOOD.format(2)  # nobody asked it
    (rehearsed,) = flight.events("bot.rehearsed")
    assert rehearsed.payload["passed"]
    assert rehearsed.cause is not None


async def test_a_change_that_fails_its_rehearsal_keeps_the_old_even_through_a_crash(stage, flight):
    before = stage.runs()
    stage.change(GOOD.format(3))
    stage.verdict = Refusal("truncation: column x changes when later candles are taken away")
    with pytest.raises(ConfigError, match="goes on with the old: truncation"):
        await stage.ask("bot-a", "reload")
    (failed,) = flight.events("action.failed")  # what the alert `reload-refused` waits for
    assert failed.payload["action"] == "reload"
    pid = stage.supervisor.status().bots[0].pid
    os.kill(pid, signal.SIGKILL)
    await flight.until(stage.supervisor, lambda s: s.healthy and s.bots[0].pid not in (None, pid))
    assert stage.runs() == before
    assert not kept.candidate(stage.supervisor.home, "bot-a").exists()


async def test_without_a_change_a_reload_is_just_that(stage):
    assert "reloads" in await stage.ask("bot-a", "reload")
    assert stage.rehearsed == []


async def test_a_changed_module_means_a_restart(stage, flight):
    pid = stage.supervisor.status().bots[0].pid
    (flight.root / "strategies" / "helper.py").write_text("x = 1\n")
    assert "starts again" in await stage.ask("bot-a", "reload")
    await flight.until(stage.supervisor, lambda s: s.healthy and s.bots[0].pid not in (None, pid))


async def test_a_restart_by_hand_takes_what_lies_there(stage, flight):
    stage.change(GOOD.format(4))
    await stage.ask("bot-a", "restart")
    await flight.until_healthy(stage.supervisor)
    assert stage.runs() == GOOD.format(4)


async def test_with_open_trades_a_change_waits_and_entries_are_stopped(stage, flight, monkeypatch):
    is_flat = False
    monkeypatch.setattr(changes, "_is_flat", lambda _unit: is_flat)
    stage.change(GOOD.format(5))
    assert "takes the change once" in await stage.ask("bot-a", "reload")
    status = await flight.until(stage.supervisor, lambda s: s.bots[0].state == "paused")
    assert "waits until" in status.bots[0].changing
    assert stage.runs() != GOOD.format(5)
    is_flat = True
    await flight.until(
        stage.supervisor,
        lambda s: s.healthy and not s.bots[0].changing and s.bots[0].state == "running",
    )
    assert stage.runs() == GOOD.format(5)


async def test_reload_now_does_not_wait(stage, monkeypatch):
    monkeypatch.setattr(changes, "_is_flat", lambda _unit: False)
    stage.change(GOOD.format(6))
    assert "reloads" in await stage.ask("bot-a", "reload-now")
    assert stage.runs() == GOOD.format(6)


async def test_a_roll_takes_the_canary_first_and_then_the_others(stage, flight):
    stage.change(GOOD.format(7))
    told = []
    pace = Pace(canary_s=0.5, next_s=0.1, within_s=10, look_s=0.05)
    done = await asyncio.to_thread(roll, flight.home, (), "bot-b", pace, told.append)
    assert done == ("bot-b", "bot-a")
    assert stage.runs("bot-a") == stage.runs("bot-b") == GOOD.format(7)


async def test_a_roll_ends_at_a_canary_that_is_not_well(stage, flight, monkeypatch):
    stage.change(GOOD.format(8))
    before = stage.runs("bot-a")
    real = commands.status

    def ill(home):
        found = real(home)
        bots = tuple(
            bot.model_copy(update={"health": Health.DEGRADED}) if bot.name == "bot-b" else bot
            for bot in found.bots
        )
        return found.model_copy(update={"bots": bots})

    monkeypatch.setattr(commands, "status", ill)
    pace = Pace(canary_s=0.2, next_s=0.1, within_s=0.5, look_s=0.05)
    with pytest.raises(PermanentError, match="not touched: bot-a"):
        await asyncio.to_thread(roll, flight.home, (), "bot-b", pace, lambda _said: None)
    assert stage.runs("bot-a") == before


def changed(fleet, bot="bot-a", **fields):
    raw = fleet.model_dump(mode="json", exclude_unset=True)
    raw["bots"] = [b | fields if b["name"] == bot else b for b in raw["bots"]]
    return Fleet.model_validate(raw)


async def test_a_risk_limit_is_changed_live_and_journaled_with_who_old_and_new(stage, flight):
    pid = stage.supervisor.status().bots[0].pid
    fleet = changed(stage.supervisor.fleet, max_open_trades=7)
    assert await stage.apply(fleet) == "1 changes are applied"
    home = stage.supervisor.home

    def rendered():
        return orjson.loads((home.unit("bot-a") / "config.json").read_bytes())

    await flight.until(stage.supervisor, lambda _s: rendered().get("max_open_trades") == 7)
    assert stage.supervisor.status().bots[0].pid == pid
    (event,) = flight.events("fleet.applied")
    assert event.payload["changes"] == ["bot-a: max_open_trades from 3 to 7 (reload)"]
    assert event.actor == commands.actor()
    assert stage.applied == [(stage.supervisor.fleet, commands.actor())]


async def test_bots_come_and_go_while_the_others_fly(stage, flight):
    raw = stage.supervisor.fleet.model_dump(mode="json", exclude_unset=True)
    kept_bot = raw["bots"][1]
    raw["bots"] = [kept_bot, {"name": "bot-c", "strategy": "FakeStrategy"}]
    pid = next(b.pid for b in stage.supervisor.status().bots if b.name == "bot-b")
    await stage.apply(Fleet.model_validate(raw))
    status = await flight.until(
        stage.supervisor,
        lambda s: s.healthy and {b.name for b in s.bots if b.pid} == {"bot-b", "bot-c"},
    )
    assert next(b.pid for b in status.bots if b.name == "bot-b") == pid
    assert [name for name, _ in stage.rehearsed] == ["bot-c"]
    raw["bots"].append({"name": "bot-a", "strategy": "FakeStrategy"})  # as it was before
    await stage.apply(Fleet.model_validate(raw))
    status = await flight.until(
        stage.supervisor, lambda s: s.healthy and len([b for b in s.bots if b.pid]) == 3
    )


async def test_nothing_is_applied_when_one_bot_would_not_fly(stage):
    raw = stage.supervisor.fleet.model_dump(mode="json", exclude_unset=True)
    raw["bots"] = [raw["bots"][0] | {"max_open_trades": 9}, raw["bots"][1]]
    raw["bots"].append({"name": "bot-c", "strategy": "FakeStrategy"})
    stage.verdict = Refusal("loads: it does not")
    before = stage.supervisor.fleet
    with pytest.raises(ConfigError, match="nothing was applied: loads"):
        await stage.apply(Fleet.model_validate(raw))
    assert stage.supervisor.fleet == before
    with pytest.raises(ConfigError, match="no strategy Ghost"):
        await stage.propose(changed(before, strategy="Ghost"))


async def test_a_bot_with_open_trades_is_not_stopped_without_a_word(stage, flight):
    unit = stage.supervisor._units["bot-a"]
    real = type(unit).api

    class Trading(type(unit)):
        __slots__ = ()

        @property
        def api(self):
            return replace(real.fget(self), open_trades=2)

    unit.__class__ = Trading
    fleet = changed(stage.supervisor.fleet, strategy="DiesSoon")
    (step,) = await stage.propose(fleet)
    assert (step.effect, step.open_trades, step.must_be_asked) == ("restart", 2, True)
    with pytest.raises(ConfigError, match="bot-a would be stopped with open trades"):
        await stage.apply(fleet)
    assert stage.supervisor.fleet.bots[0].strategy == "FakeStrategy"
    await stage.apply(fleet, is_agreed=True)
    assert stage.supervisor.fleet.bots[0].strategy == "DiesSoon"


async def test_a_changed_schedule_is_applied_without_touching_a_bot(stage, flight):
    before = stage.supervisor.fleet
    pids = [bot.pid for bot in stage.supervisor.status().bots]
    raw = {"name": "nightly", "cron": "30 2 * * *", "command": "journal verify"}
    entry = ScheduledCommand.model_validate(raw)
    wrong = entry.model_copy(update={"cron": "soon"})
    with pytest.raises(ConfigError, match=r"schedule\.nightly\.cron"):
        await stage.apply(before.model_copy(update={"schedule": (wrong,)}))
    fleet = before.model_copy(update={"schedule": (entry,)})
    assert await stage.apply(fleet) == "1 changes are applied"
    ((told, _who),) = stage.applied
    assert told.schedule == fleet.schedule
    assert [bot.pid for bot in stage.supervisor.status().bots] == pids
    (event,) = flight.events("fleet.applied")
    assert "schedule.nightly from none to" in event.payload["changes"][0]
