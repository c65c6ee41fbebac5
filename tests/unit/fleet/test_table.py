"""The live table shows every bot, what ails it, and what happened."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from automation.core.model import (
    BotState,
    BotStatus,
    Dependency,
    FleetStatus,
    Health,
    RungStatus,
)
from automation.core.vitals import Rung
from automation.fleet.table import duration, render_ladder, render_table


def draw(status, events=(), width=140) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(render_table(status, events))
    return console.export_text()


def test_a_ladder_shows_every_rung_with_its_evidence():
    rungs = (
        RungStatus(rung=Rung.API, health=Health.HEALTHY, evidence="answers", for_s=75),
        RungStatus(rung=Rung.CANDLES, health=Health.DEGRADED, evidence="BTC is late", for_s=3),
    )
    console = Console(width=120, record=True, file=StringIO())
    console.print(render_ladder(bot("one", ladder=rungs, holds=("a person must look",))))
    text = console.export_text()
    assert "one is running: trades" in text
    assert "1m15s" in text
    assert "BTC is late" in text
    assert "enters no trades: a person must look" in text


def test_a_dependency_that_fails_is_told():
    at = datetime(2025, 1, 1, tzinfo=UTC)
    failing = {Dependency.EXCHANGE: "it has banned this address"}
    status = FleetStatus(
        fleet="demo", healthy=False, bots=(bot("one"),), taken_at=at, dependencies=failing
    )
    assert "the exchange fails (it has banned this address); no bot is restarted" in draw(status)


def test_what_bots_and_machine_use_is_one_line():
    at = datetime(2025, 1, 1, tzinfo=UTC)
    bots = (bot("one", memory_mb=300.0, cpu_cores=0.1), bot("two", memory_mb=200.4))
    status = FleetStatus(fleet="demo", healthy=True, bots=bots, taken_at=at)
    assert "the bots use 500 MB and 0.10 cores\n" in draw(status)
    busy = status.model_copy(update={"host_cpu_frac": 0.84, "host_memory_frac": 0.3})
    assert "0.10 cores, the machine 84% CPU and 30% memory" in draw(busy)
    full = (bot("one", memory_mb=65_536.0, cpu_cores=64.0),)
    worst = busy.model_copy(update={"bots": full, "host_cpu_frac": 1.0, "host_memory_frac": 1.0})
    (line,) = (line for line in draw(worst).splitlines() if "the bots use" in line)
    assert len(line.rstrip()) <= 80
    assert "use" not in draw(status.model_copy(update={"bots": (bot("one"),)}))


def test_a_limit_that_nobody_enforces_is_told_of_a_healthy_bot():
    at = datetime(2025, 1, 1, tzinfo=UTC)
    said = "cpus is not enforced: this system has no cgroup v2"
    status = FleetStatus(
        fleet="demo", healthy=True, bots=(bot("one", unbounded=said),), taken_at=at
    )
    assert f"  one: {said}" in draw(status)


def bot(name, health=Health.HEALTHY, **more) -> BotStatus:
    return BotStatus(
        name=name,
        strategy="FakeStrategy",
        mode="dry-run",
        state=BotState.RUNNING,
        health=health,
        reason="trades" if health is Health.HEALTHY else "its API hangs",
        api_url="http://127.0.0.1:1",
        **more,
    )


def test_every_bot_has_a_line_and_trouble_has_a_reason():
    bots = (
        bot("one", uptime_s=75.2, open_trades=2, profit_usdt=12.345, last_candle_age_s=42),
        bot("two", Health.UNHEALTHY, profit_usdt=-2.0, restarts=3),
    )
    status = FleetStatus(
        fleet="demo", healthy=False, bots=bots, taken_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    text = draw(status, ["one opened long BTC"])
    assert "fleet demo, dry-run: not healthy" in text
    assert "1m15s" in text
    assert "+12.35" in text or "+12.34" in text
    assert "two: its API hangs" in text
    assert "one opened long BTC" in text
    assert "+10.3" in text  # the total
    assert text.index("one ") < text.index("two ")


def test_a_narrow_terminal_keeps_the_names():
    names = ("pulse-of-the-market", "two")
    status = FleetStatus(
        fleet="demo",
        healthy=True,
        bots=tuple(bot(name, uptime_s=4000, profit_usdt=-123.4) for name in names),
        taken_at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    text = draw(status, width=80)
    assert all(name in text for name in names)
    assert "-123.40" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (59.9, "59s"), (430, "7m10s"), (11100, "3h05m"), (187200, "2d04h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_live_bots_stand_out_in_a_mixed_fleet():
    bots = (bot("one"), bot("two").model_copy(update={"mode": "live"}))
    status = FleetStatus(
        fleet="demo", healthy=True, bots=bots, taken_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    assert " live " in draw(status)
    assert " dry-run " in draw(status)


def test_rows_are_drawn_without_markup():
    status = FleetStatus(
        fleet="demo",
        healthy=True,
        bots=(bot("one"),),
        taken_at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    assert "[red]boom[/red]" in draw(status, ["[red]boom[/red]"])
