"""Fleets of real processes: up, down, crashes, adoption, operators, faults."""

import asyncio
import os
import shutil
import signal
import socket
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import orjson
import psutil
import pytest

from automation.core.config import Fleet
from automation.core.errors import ConfigError, ConfigErrors, Refusal
from automation.core.model import BotState, Health, Wish
from automation.fleet.act import connect
from automation.fleet.commands import bot_login
from automation.fleet.credentials import read_access
from automation.fleet.home import Home
from automation.fleet.live import confirm_live
from automation.fleet.lock import FleetIsUp
from automation.fleet.operator import Operator
from automation.journal import sentence


def bot_of(status, name="bot-a"):
    return next(bot for bot in status.bots if bot.name == name)


async def ask(supervisor, bot, action):
    save = supervisor._save_wishes
    wake = supervisor._wake.set
    operator = Operator(supervisor._units, supervisor._chronicle, wake, save, supervisor.home)
    return await operator.ask(bot, action, "tester")


async def test_a_fleet_goes_up_and_down_in_order(flight):
    async with flight.up(flight.fleet("FakeStrategy", "FakeStrategy", "FakeStrategy")) as fleet:
        status = await flight.until_healthy(fleet)
        assert [bot.state for bot in status.bots] == [BotState.RUNNING] * 3
        assert status.simulator.health is Health.HEALTHY
        assert all(bot.pid and bot.uptime_s >= 0 and bot.restarts == 0 for bot in status.bots)
    assert flight.processes() == []
    started = [e.payload["unit"] for e in flight.events("bot.started", "simulator.started")]
    assert started[0] == "the simulator"
    ended = [e.payload["unit"] for e in flight.events("bot.exited", "simulator.exited")]
    assert ended[-1] == "the simulator"
    assert [e.kind for e in flight.events("fleet.*")] == [
        "fleet.up",
        "fleet.going_down",
        "fleet.down",
    ]
    assert (
        flight.journal.verify().is_whole if hasattr(flight.journal.verify(), "is_whole") else True
    )


async def test_every_decision_has_its_outcome_and_its_cause(flight):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
    decided = {event.sequence for event in flight.events("action.decided")}
    causes = {event.cause for event in flight.events("action.done", "action.failed")}
    assert causes == decided


async def test_a_killed_bot_comes_back_by_itself(flight):
    async with flight.up() as fleet:
        before = bot_of(await flight.until_healthy(fleet))
        os.kill(before.pid, signal.SIGKILL)
        after = await flight.until(
            fleet, lambda s: s.healthy and bot_of(s).pid not in (None, before.pid)
        )
        assert bot_of(after).restarts == 1
        assert bot_of(after).api_url == before.api_url
    (exited, _) = flight.events("bot.exited")
    assert sentence(exited).endswith("it was killed by signal 9")
    assert not exited.payload["is_expected"]


async def test_a_killed_simulator_comes_back_at_its_address_and_no_bot_is_touched(flight):
    async with flight.up() as fleet:
        before = await flight.until_healthy(fleet)
        os.kill(before.simulator.pid, signal.SIGKILL)
        after = await flight.until(
            fleet,
            lambda s: s.healthy and s.simulator.pid not in (None, before.simulator.pid),
        )
        assert after.simulator.api_url == before.simulator.api_url
        assert bot_of(after).pid == bot_of(before).pid


async def test_a_bot_that_dies_again_and_again_backs_off(flight):
    async with flight.up(flight.fleet("DiesAtStart", "FakeStrategy")) as fleet:
        await flight.until(fleet, lambda s: bot_of(s).restarts >= 3)
        status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.FAILED)
        assert bot_of(status).health is Health.UNHEALTHY
        assert "ImportError: told to die" in bot_of(status).reason
        assert "starts again" in bot_of(status).reason
        assert not status.healthy
        assert bot_of(status, "bot-b").health is Health.HEALTHY
    story = flight.events("bot.started", "bot.exited", bot="bot-a")
    waits = [
        (later.time_us - earlier.time_us) / 1e6
        for earlier, later in pairwise(story)
        if later.kind == "bot.started"
    ]
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8


async def test_a_bot_that_dies_soon_after_it_was_up(flight):
    async with flight.up(flight.fleet("DiesSoon")) as fleet:
        await flight.until(fleet, lambda s: bot_of(s).restarts >= 2)
    codes = {e.payload["exit_code"] for e in flight.events("bot.exited")}
    assert 3 in codes


async def test_a_bot_that_never_comes_up_is_restarted(flight):
    async with flight.up(flight.fleet("NeverComesUp", venue="binance")) as fleet:
        await flight.until(fleet, lambda s: bot_of(s).restarts >= 1)
    assert any("never came up" in e.payload["reason"] for e in flight.events("action.decided"))


async def test_a_bot_that_hangs_is_noticed_and_restarted(flight):
    async with flight.up(flight.fleet(venue="binance")) as fleet:
        before = bot_of(await flight.until_healthy(fleet))
        os.kill(before.pid, signal.SIGSTOP)
        await flight.until(fleet, lambda s: bot_of(s).health is Health.UNHEALTHY)
        await flight.until(fleet, lambda s: s.healthy and bot_of(s).pid != before.pid)
    assert any("it hangs" in e.payload["reason"] for e in flight.events("action.decided"))


async def test_a_supervisor_that_was_killed_is_followed_by_one_that_adopts(flight):
    first = flight.supervisor()
    task = asyncio.create_task(first.run(handle_signals=False))
    before = await flight.until_healthy(first)
    await flight.lose(first, task)
    assert len(flight.processes()) == 2
    async with flight.up() as second:
        after = await flight.until_healthy(second)
        assert bot_of(after).pid == bot_of(before).pid
        assert after.simulator.pid == before.simulator.pid
        assert bot_of(after).adopted
        assert not bot_of(after).outdated
        assert bot_of(after).uptime_s >= bot_of(before).uptime_s
    assert len(flight.events("bot.started")) == 1
    assert len(flight.events("bot.adopted")) == 1


async def test_an_adopted_bot_that_has_run_for_long_is_left_alone(flight):
    first = flight.supervisor()
    task = asyncio.create_task(first.run(handle_signals=False))
    before = await flight.until_healthy(first)
    await flight.lose(first, task)
    pid_file = Home(flight.home).unit("bot-a") / "process.json"
    written = orjson.loads(pid_file.read_bytes())
    pid_file.write_bytes(orjson.dumps(written | {"came_up": written["came_up"] - 7200}))
    async with flight.up() as second:
        after = await flight.until_healthy(second)
        assert bot_of(after).pid == bot_of(before).pid
        assert bot_of(after).uptime_s > 7200


async def test_an_adopted_bot_that_is_killed_is_started_again(flight):
    first = flight.supervisor()
    task = asyncio.create_task(first.run(handle_signals=False))
    await flight.until_healthy(first)
    await flight.lose(first, task)
    async with flight.up() as second:
        before = bot_of(await flight.until_healthy(second))
        os.kill(before.pid, signal.SIGKILL)
        await flight.until(second, lambda s: s.healthy and bot_of(s).pid != before.pid)


async def test_a_bot_that_died_while_nobody_watched_is_started_again(flight):
    first = flight.supervisor()
    task = asyncio.create_task(first.run(handle_signals=False))
    before = bot_of(await flight.until_healthy(first))
    await flight.lose(first, task)
    os.kill(before.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(before.pid)], 30)
    async with flight.up() as second:
        after = bot_of(await flight.until_healthy(second))
        assert after.pid != before.pid
    assert any("while no supervisor watched" in sentence(e) for e in flight.events("bot.exited"))


async def test_a_changed_fleet_file_is_told_and_applied_at_the_restart(flight):
    first = flight.supervisor()
    task = asyncio.create_task(first.run(handle_signals=False))
    await flight.until_healthy(first)
    await flight.lose(first, task)
    async with flight.up(flight.fleet("FakeStrategy", max_open_trades=9)) as second:
        status = await flight.until_healthy(second)
        assert bot_of(status).outdated
        assert "restart it to apply" in bot_of(status).reason
        await ask(second, "bot-a", "restart")
        await flight.until(second, lambda s: s.healthy and not bot_of(s).outdated)
    config = orjson.loads((flight.home / "bots" / "bot-a" / "config.json").read_bytes())
    assert config["max_open_trades"] == 9


async def test_a_bot_that_the_fleet_no_longer_names_is_stopped(flight):
    first = flight.supervisor(flight.fleet("FakeStrategy", "FakeStrategy"))
    task = asyncio.create_task(first.run(handle_signals=False))
    await flight.until_healthy(first)
    await flight.lose(first, task)
    async with flight.up(flight.fleet("FakeStrategy")) as second:
        await flight.until(second, lambda _: len(flight.processes()) == 2)
        await flight.until(second, lambda s: bot_of(s).health is Health.HEALTHY)
    assert "the fleet no longer names it" in flight.story()


async def test_two_supervisors_for_one_folder(flight):
    async with flight.up() as first:
        await flight.until_healthy(first)
        with pytest.raises(FleetIsUp, match="is up already"):
            await flight.supervisor().run(handle_signals=False)
        assert (await flight.until_healthy(first)).healthy


async def test_a_hurried_end_kills_what_dawdles(flight):
    fleet = flight.fleet("IgnoresSignals", "FakeStrategy")
    flight.timing = replace(flight.timing, patience=replace(flight.timing.patience, interrupt_s=60))
    supervisor = flight.supervisor(fleet)
    task = asyncio.create_task(supervisor.run(handle_signals=False))
    await flight.until_healthy(supervisor)
    supervisor.go_down("Ctrl-C")
    await asyncio.sleep(1)
    assert not task.done()
    supervisor.go_down("Ctrl-C")
    await asyncio.wait_for(task, 50)
    assert flight.processes() == []


async def test_pause_resume_stop_start_restart_reload(flight):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        assert "is paused" in await ask(fleet, "bot-a", "pause")
        status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.PAUSED)
        assert bot_of(status).health is Health.HEALTHY
        assert "trades again" in await ask(fleet, "bot-a", "resume")
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.RUNNING)
        assert "reloads" in await ask(fleet, "bot-a", "reload")
        pid = bot_of(fleet.status()).pid
        assert "starts again" in await ask(fleet, "bot-a", "restart")
        status = await flight.until(fleet, lambda s: s.healthy and bot_of(s).pid != pid)
        assert bot_of(status).restarts == 0  # asked for, so no failure
        assert "was stopped" in await ask(fleet, "bot-a", "stop")
        status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.STOPPED)
        assert bot_of(status).pid is None
        assert status.healthy  # nobody wants it to run
        assert "starts" in await ask(fleet, "bot-a", "start")
        await flight.until_healthy(fleet)
    actors = {e.actor for e in flight.events("bot.wished")}
    assert actors == {"tester"}


async def test_a_paused_bot_stays_paused_through_everything(flight):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        await ask(fleet, "bot-a", "pause")
        pid = bot_of(await flight.until(fleet, lambda s: bot_of(s).state is BotState.PAUSED)).pid
        os.kill(pid, signal.SIGKILL)
        await flight.until(
            fleet, lambda s: bot_of(s).pid != pid and bot_of(s).state is BotState.PAUSED
        )
    async with flight.up() as fleet:
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.PAUSED)


async def test_a_pause_by_another_hand_is_kept_too(flight):
    """FreqUI and Telegram speak to the bot itself."""
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        client = fleet._units["bot-a"].client
        await client.post("stopentry")
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.PAUSED)
        assert fleet._units["bot-a"].wish is Wish.PAUSE
        await client.post("start")
        await flight.until(fleet, lambda s: bot_of(s).state is BotState.RUNNING)
        assert fleet._units["bot-a"].wish is Wish.RUN


@pytest.mark.parametrize(
    ("bot", "action", "words"),
    [
        ("nobody", "pause", "there is no bot nobody; this fleet has bot-a"),
        ("bot-a", "dance", "cannot be asked to dance"),
        ("bot-a", "start", "runs already"),
    ],
)
async def test_what_is_impossible_is_refused(flight, bot, action, words):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        refusal = await ask(fleet, bot, action)
        assert isinstance(refusal, Refusal)
        assert words in refusal.reason


async def test_a_stopped_bot_refuses_what_needs_a_running_one(flight):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        await ask(fleet, "bot-a", "stop")
        for action in ("restart", "pause", "resume", "reload", "stop"):
            refusal = await ask(fleet, "bot-a", action)
            assert isinstance(refusal, Refusal), action


async def test_a_wrong_password_is_told_and_a_restart_mends_it(flight):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
        api = Home(flight.home).unit("bot-a") / "api.json"
        unit = fleet._units["bot-a"]
        wrong = replace(unit.access, password="wrong")
        api.write_bytes(orjson.dumps(orjson.loads(api.read_bytes()) | {"password": "new-one"}))
        unit.access = wrong
        connect(fleet._hands, unit)
        status = await flight.until(fleet, lambda s: bot_of(s).health is Health.UNHEALTHY)
        assert "refuses the password" in bot_of(status).reason
        assert "freqfleet bot restart bot-a" in bot_of(status).reason
        await asyncio.sleep(1)
        assert bot_of(fleet.status()).pid  # it was left alone
        await ask(fleet, "bot-a", "restart")
        await flight.until_healthy(fleet)
        assert bot_login(flight.home, "bot-a").password == "new-one"


async def test_a_port_that_is_taken_moves_the_bot(flight):
    async with flight.up() as fleet:
        await flight.until_healthy(fleet)
    access = read_access(Home(flight.home).unit("bot-a"))
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", access.port))
        thief.listen()
        async with flight.up() as fleet:
            status = await flight.until_healthy(fleet)
            assert bot_of(status).api_url != access.url
    (moved,) = flight.events("bot.moved")
    assert f"taken by pid {os.getpid()}" in sentence(moved)
    assert read_access(Home(flight.home).unit("bot-a")).password == access.password


async def test_a_fixed_port_that_is_taken_is_a_sentence(flight):
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        port = thief.getsockname()[1]
        async with flight.up(flight.fleet("FakeStrategy", api_port=port)) as fleet:
            status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.FAILED)
            assert f"port {port} is taken by pid {os.getpid()}" in bot_of(status).reason
            thief.close()
            await flight.until_healthy(fleet)


async def test_a_full_disk_is_told_and_survived(flight, monkeypatch):
    """The bot's folder refuses: every start fails with a sentence, and the fleet lives."""
    async with flight.up(flight.fleet("FakeStrategy", "FakeStrategy")) as fleet:
        await flight.until_healthy(fleet)
        folder = Home(flight.home).unit("bot-a")
        pid = bot_of(fleet.status()).pid
        config = folder / "config.json"
        config.unlink()
        config.mkdir()  # what is renamed onto it fails, as on a disk that takes no more
        (config / "x").touch()
        os.kill(pid, signal.SIGKILL)
        status = await flight.until(
            fleet, lambda s: bot_of(s).state is BotState.FAILED and "written" in bot_of(s).reason
        )
        assert "config.json: cannot be written" in bot_of(status).reason
        assert bot_of(status, "bot-b").health is Health.HEALTHY
        shutil.rmtree(config)
        await flight.until_healthy(fleet)


async def test_a_fleet_that_cannot_fly_is_refused_before_anything_starts(flight):
    with pytest.raises(ConfigErrors, match="no strategy Nope"):
        await flight.supervisor(flight.fleet("Nope")).run(handle_signals=False)
    assert flight.events("fleet.*") == []


async def test_a_bot_that_shall_not_start_does_not(flight):
    async with flight.up(flight.fleet("FakeStrategy", starts=False)) as fleet:
        await flight.until(fleet, lambda s: s.simulator.health is Health.HEALTHY)
        status = await flight.until(fleet, lambda s: bot_of(s).state is BotState.STOPPED)
        assert status.healthy
        await ask(fleet, "bot-a", "start")
        await flight.until(fleet, lambda s: bot_of(s).health is Health.HEALTHY)


async def test_live_bots_need_a_word_and_their_secrets_go_with_them(flight, monkeypatch):
    monkeypatch.setenv("LIVE_KEY", "the-live-key")
    monkeypatch.setenv("LIVE_SECRET", "the-live-secret")
    account = {"key": "env:LIVE_KEY", "secret": "env:LIVE_SECRET", "capital_usdt": 900}
    bot = {"name": "bot-a", "strategy": "FakeStrategy", "mode": "live", "account": "main"}
    fleet = Fleet.model_validate(
        {
            "fleet": "test",
            "exchange": {"venue": "binance", "accounts": {"main": account}},
            "bots": [{**bot, "capital_usdt": 900}],
        }
    )
    home = Home(flight.home)
    with pytest.raises(ConfigError, match="not confirmed for bot-a"):
        await flight.supervisor(fleet).run(handle_signals=False)
    at = datetime(2025, 1, 1, tzinfo=UTC)
    confirm_live(fleet, home, "trade 900 USDT live", has_live_option=True, at=at)
    secrets = home.unit("bot-a") / "secrets.json"
    async with flight.up(fleet) as supervisor:
        await flight.until_healthy(supervisor)
        assert "the-live-secret" in secrets.read_text()
        for process in flight.processes():
            assert "the-live" not in str(process.environ()) + " ".join(process.cmdline())
    assert not secrets.exists()
    (event,) = flight.events("fleet.live")
    assert "let bot-a trade 900 USDT live" in sentence(event)
    assert "the-live" not in flight.story()
